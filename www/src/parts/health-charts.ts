import { signal } from "@preact/signals-core";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { columnWidth, drawStrip, scaleOf } from "../lib/strip.js";
import { t } from "../messages/index.js";
import { reports } from "../state/health.js";
import { BAND } from "../state/warnings.js";
import * as store from "../state/store.js";

/** What the strips show. */
export const kind = signal<"value" | "gradient">("value");

/** A layer's output, or its gradient, over time: a histogram a report. */
class Strip extends Drawing {
  layer = "";

  #columns() {
    return reports.value.map(({ layers }) => layers.find(({ layer }) => layer === this.layer)?.[kind.value] ?? undefined);
  }

  protected override reads(): string {
    void palette.value;
    const columns = this.#columns();
    const now = columns.at(-1);
    this.classList.toggle("hatch", !now);
    if (!now) return t("health.strip.none", { layer: this.layer });
    const scale = general(scaleOf(columns.filter((of) => of !== undefined)));
    return t(kind.value === "value" ? "health.strip.value" : "health.strip.gradient", { layer: this.layer, scale, mean: general(now.mean), std: general(now.std) });
  }
  protected override heightFor(): number {
    return 44;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    drawStrip(context, this.#columns(), kind.peek(), width, height);
  }
}
customElements.define("gs-strip", Strip);

/** Powers of ten that the chart of ratios spans. */
const [LOW, HIGH] = [-6, 0];

/** Update-to-weight ratio of each kernel over time, with the band where it is best. */
class Ratios extends Drawing {
  protected override reads(): string {
    void palette.value;
    void store.selected.value;
    const now = reports.value.at(-1)?.parameters.filter(({ shape, ratio }) => shape.length > 1 && ratio != null) ?? [];
    return t("health.ratios.label", { list: now.map(({ name, ratio }) => `${name} ${general(ratio)}`).join(", ") || t("cards.none") });
  }
  protected override heightFor(): number {
    return 132;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { ink, dim, line, validation } = palette.peek();
    const left = 36;
    const y = (ratio: number): number => {
      const share = (Math.log10(Math.max(ratio, 1e-12)) - LOW) / (HIGH - LOW);
      return 6 + (1 - Math.max(0, Math.min(1, share))) * (height - 12);
    };
    context.fillStyle = css(validation, 0.16);
    context.fillRect(left, y(BAND[1]), width - left, y(BAND[0]) - y(BAND[1]));
    context.font = "11px Inter, system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let power = LOW; power <= HIGH; power++) {
      context.fillStyle = css(line);
      context.fillRect(left, Math.round(y(10 ** power)), width - left, 1);
      context.fillStyle = css(dim);
      if (power % 2 !== 0 || power === LOW || power === HIGH) context.fillText(power === 0 ? "1" : `1e${power}`.replace("-", "−"), left - 5, y(10 ** power));
    }
    const all = reports.peek();
    const wide = columnWidth(all.length, width - left);
    for (const { name, layer, shape } of all.at(-1)?.parameters ?? []) {
      if (shape.length < 2) continue;
      const chosen = layer === store.selected.peek();
      context.strokeStyle = context.fillStyle = css(chosen ? ink : dim, chosen ? 1 : 0.6);
      context.lineWidth = chosen ? 2 : 1;
      context.beginPath();
      let last: [number, number] | undefined;
      all.forEach(({ parameters }, k) => {
        const ratio = parameters.find((of) => of.name === name)?.ratio;
        if (ratio == null || !Number.isFinite(ratio)) return;
        last = [left + (k + 0.5) * wide, y(ratio)];
        context.lineTo(...last);
      });
      context.stroke();
      if (last) context.fillRect(last[0] - 1.5, last[1] - 1.5, 3, 3);
    }
  }
}
customElements.define("gs-ratios", Ratios);

/** Powers of ten below the largest norm that the bars over time steps span. */
const DECADES = 8;

/** Norm of the loss's gradient with respect to a recurrent layer's state, a bar a time step. */
class OverTime extends Drawing {
  layer = "";

  #norms(): readonly number[] {
    return reports.value.at(-1)?.layers.find(({ layer }) => layer === this.layer)?.overTime ?? [];
  }

  protected override reads(): string {
    void palette.value;
    const norms = this.#norms();
    return t("health.overTime.label", { layer: this.layer, n: norms.length, first: general(norms[0]), last: general(norms.at(-1)) });
  }
  protected override heightFor(): number {
    return 72;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { dim, line, rise } = palette.peek();
    const norms = this.#norms();
    const top = Math.ceil(Math.log10(Math.max(...norms)));
    if (!Number.isFinite(top)) return;
    const left = 40;
    const y = (power: number): number => 6 + Math.max(0, Math.min(1, (top - power) / DECADES)) * (height - 12);
    context.font = "11px Inter, system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let power = top; power >= top - DECADES; power -= 2) {
      context.fillStyle = css(line);
      context.fillRect(left, Math.round(y(power)), width - left, 1);
      context.fillStyle = css(dim);
      if ((top - power) % 4 === 0) context.fillText(`1e${power}`.replace("-", "−"), left - 5, y(power));
    }
    const wide = (width - left) / norms.length;
    context.fillStyle = css(rise);
    norms.forEach((norm, step) => {
      const from = y(Math.log10(norm));
      if (norm > 0) context.fillRect(left + step * wide, from, Math.max(0.5, wide - (wide > 3 ? 1 : 0)), height - 6 - from);
    });
  }
}
customElements.define("gs-over-time", OverTime);
