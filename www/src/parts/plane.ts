import { signal } from "@preact/signals-core";
import { html } from "lit";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, diverging, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import { gridOver, points, pointsOf } from "../state/plane.js";
import * as store from "../state/store.js";
import { CLASSES } from "./classes.js";
import { LiveView } from "./live.js";

/** Cells of the picture along each side. */
const GRID = 56;

const outputs = signal<Float32Array | undefined>(undefined);

/** The network's output over the plane, or along the line. */
const readOutputs = latest(async () => {
  const session = store.session.peek();
  if (!session) return;
  try {
    outputs.value = await session.predict(gridOver((await pointsOf(session)).bounds, GRID));
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});

class Plane extends Drawing {
  protected override reads(): string {
    void points.value;
    void outputs.value;
    void store.pinned.value;
    void palette.value;
    this.classList.toggle("hatch", !outputs.value);
    return t("plane.label", { n: points.value?.labels.length ?? 0 });
  }
  protected override heightFor(width: number): number {
    return Math.min(width, 360);
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const [data, values] = [points.peek(), outputs.peek()];
    if (!data || data.bounds.length < 2) return;
    const classes = values ? values.length / (GRID * GRID) : 1;
    const colour = (k: number): readonly [number, number, number] => {
      if (classes === 1) return diverging((values![k]! - 0.5) * 1.3);
      if (classes === 2) return diverging((values![2 * k + 1]! - 0.5) * 1.3);
      const mixed = [0, 0, 0];
      for (let c = 0; c < classes; c++) CLASSES[c % CLASSES.length]!.forEach((part, axis) => (mixed[axis]! += part * values![k * classes + c]!));
      return mixed as unknown as readonly [number, number, number];
    };
    if (values) {
      const cells = Uint32Array.from({ length: GRID * GRID }, (_, k) => {
        const [r, g, b] = colour(k);
        return (255 << 24) | (b << 16) | (g << 8) | r;
      });
      context.imageSmoothingEnabled = true;
      context.drawImage(picture(cells, GRID, GRID), 0, 0, width, height);
    }
    const [[x0, x1], [y0, y1]] = [data.bounds[0]!, data.bounds[1]!];
    const { ink, zero, positive, negative } = palette.peek();
    const radius = data.labels.length > 60 ? 3 : 6;
    data.labels.forEach((label, k) => {
      context.beginPath();
      context.arc(((data.x[2 * k]! - x0) / (x1 - x0)) * width, ((y1 - data.x[2 * k + 1]!) / (y1 - y0)) * height, radius, 0, 7);
      context.fillStyle = classes > 2 ? css(CLASSES[label % CLASSES.length]!) : css(label > 0.5 || store.isGame.peek() ? positive : negative);
      context.fill();
      context.lineWidth = 1.25;
      context.strokeStyle = css(zero);
      context.stroke();
    });
    const pinned = store.pinned.peek();
    if (pinned?.x.length !== 2) return;
    context.beginPath();
    context.arc(((pinned.x[0]! - x0) / (x1 - x0)) * width, ((y1 - pinned.x[1]!) / (y1 - y0)) * height, radius + 4, 0, 7);
    context.strokeStyle = css(ink);
    context.lineWidth = 2;
    context.stroke();
  }
}
customElements.define("gs-plane-canvas", Plane);

class Fit extends Drawing {
  protected override reads(): string {
    void points.value;
    void outputs.value;
    void palette.value;
    this.classList.toggle("hatch", !outputs.value);
    return t("plane.line", { n: points.value?.labels.length ?? 0 });
  }
  protected override heightFor(): number {
    return 240;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const [data, values] = [points.peek(), outputs.peek()];
    if (!data) return;
    const { ink, dim, line, positive } = palette.peek();
    const left = 44;
    const [x0, x1] = data.bounds[0]!;
    const finite = [...data.labels, ...(values ?? [])].filter((value) => Number.isFinite(value) && Math.abs(value) < 1e9);
    const spread = Math.max(...data.labels) - Math.min(...data.labels) || 1;
    // A line that has run away must not squeeze the points into nothing.
    const [low, high] = [Math.min(...data.labels) - 3 * spread, Math.max(...data.labels) + 3 * spread];
    const [y0, y1] = [Math.max(low, Math.min(...finite)) - spread * 0.2, Math.min(high, Math.max(...finite)) + spread * 0.2];
    const px = (x: number): number => left + ((x - x0) / (x1 - x0)) * (width - left - 8);
    const py = (y: number): number => 8 + ((y1 - y) / (y1 - y0)) * (height - 32);
    context.font = "11px Inter, system-ui, sans-serif";
    context.strokeStyle = css(line);
    context.fillStyle = css(dim);
    for (let k = 0; k <= 4; k++) {
      const y = y0 + ((y1 - y0) * k) / 4;
      context.beginPath();
      context.moveTo(left, Math.round(py(y)) + 0.5);
      context.lineTo(width, Math.round(py(y)) + 0.5);
      context.stroke();
      context.textAlign = "right";
      context.fillText(general(Number(y.toPrecision(4))), left - 6, py(y) + 4);
    }
    context.textAlign = "center";
    data.labels.forEach((_, k) => data.labels.length <= 12 && context.fillText(general(data.x[k]), px(data.x[k]!), height - 6));
    if (values) {
      context.strokeStyle = css(positive);
      context.lineWidth = 2;
      context.beginPath();
      values.forEach((value, k) => context.lineTo(px(x0 + ((k + 0.5) / GRID) * (x1 - x0)), py(Math.max(low, Math.min(high, value)))));
      context.stroke();
    }
    context.fillStyle = css(ink);
    data.labels.forEach((label, k) => {
      context.beginPath();
      context.arc(px(data.x[k]!), py(label), 4, 0, 7);
      context.fill();
    });
  }
}
customElements.define("gs-fit-canvas", Fit);

/** What the network says all over its input, where the input has one or two numbers. */
class PlaneView extends LiveView {
  protected override clear(): void {
    points.value = outputs.value = undefined;
  }

  protected override refresh = readOutputs;

  override render() {
    const axes = store.session.value?.info.inputShape[0];
    return html`<section class="panel plane">
      <header><h2>${axes === 1 ? t("plane.lineTitle") : t("plane.title")}</h2><p>${axes === 1 ? t("plane.lineText") : t("plane.text")}</p></header>
      ${axes === 1 ? html`<gs-fit-canvas></gs-fit-canvas>` : html`<gs-plane-canvas></gs-plane-canvas>`}
    </section>`;
  }
}
customElements.define("gs-plane", PlaneView);
