import { html, nothing } from "lit";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { count, duration, fixed, general, percent } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { cancelLandscape, landscape, outdated, placeOf, REACH, seed, walk, walking, type Landscape } from "../state/landscape.js";
import * as store from "../state/store.js";

const finite = (losses: readonly number[]): number[] => losses.filter(Number.isFinite);

/** A loss's place between the least and the largest, by logarithms: steep walls would hide the valley. */
function heightOf(losses: readonly number[]): (loss: number) => number {
  const known = finite(losses);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const log = (loss: number): number => Math.log(loss - low + 0.01 * (high - low) + 1e-12);
  return (loss) => (log(loss) - log(low)) / (log(high) - log(low) || 1);
}

/** The loss along the line, or over the plane. */
class Picture extends Drawing {
  protected override reads(): string {
    void palette.value;
    const of = landscape.value;
    const known = finite(of?.losses ?? []);
    this.classList.toggle("hatch", known.length === 0);
    if (!of || !known.length) return t("cards.none");
    return t(of.kind === "line" ? "landscape.line.label" : "landscape.plane.label", { least: fixed(Math.min(...known)), most: fixed(Math.max(...known)) });
  }
  protected override heightFor(width: number): number {
    return landscape.peek()?.kind === "plane" ? Math.min(width, 300) : 132;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = landscape.peek();
    if (!of || !finite(of.losses).length) return;
    if (of.kind === "line") this.#line(context, of, width, height);
    else this.#plane(context, of, width, height);
  }

  #line(context: CanvasRenderingContext2D, of: Landscape, width: number, height: number): void {
    const { ink, dim, line } = palette.peek();
    const known = finite(of.losses);
    const [low, high] = [Math.min(0, ...known), Math.max(...known)];
    const left = 44;
    const x = (k: number): number => left + 4 + (k / (of.side - 1)) * (width - left - 10);
    const y = (loss: number): number => 8 + (1 - (loss - low) / (high - low || 1)) * (height - 28);
    context.font = "11px Inter, system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const loss of [low, (low + high) / 2, high]) {
      context.fillStyle = css(line);
      context.fillRect(left, Math.round(y(loss)), width - left, 1);
      context.fillStyle = css(dim);
      context.fillText(general(Number(loss.toPrecision(3))), left - 6, y(loss));
    }
    context.textAlign = "center";
    for (const at of [-REACH, 0, REACH]) {
      const k = ((at / REACH + 1) / 2) * (of.side - 1);
      context.textAlign = at < 0 ? "left" : at > 0 ? "right" : "center";
      context.fillText(String(at).replace("-", "−"), x(k), height - 8);
    }
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    context.beginPath();
    of.losses.forEach((loss, k) => Number.isFinite(loss) && context.lineTo(x(k), y(loss)));
    context.stroke();
    const middle = (of.side - 1) / 2;
    if (of.losses.length > middle) {
      context.fillStyle = css(ink);
      context.beginPath();
      context.arc(x(middle), y(of.losses[middle]!), 4, 0, 7);
      context.fill();
    }
  }

  #plane(context: CanvasRenderingContext2D, of: Landscape, width: number, height: number): void {
    const { zero, positive, nan, ink } = palette.peek();
    const rise = heightOf(of.losses);
    const rows = Math.ceil(of.losses.length / of.side);
    const colours = Uint32Array.from({ length: rows * of.side }, (_, k) => {
      const loss = of.losses[k];
      const [r, g, b] = loss === undefined ? zero : !Number.isFinite(loss) ? nan : zero.map((from, c) => Math.round(from + (positive[c]! - from) * rise(loss)));
      return ((255 << 24) | (b! << 16) | (g! << 8) | r!) >>> 0;
    });
    const left = (width - height) / 2;
    const cell = height / of.side;
    context.drawImage(picture(colours, of.side, rows), left, 0, height, rows * cell);
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    const middle = height / 2;
    context.beginPath();
    context.moveTo(left + middle - 5, middle);
    context.lineTo(left + middle + 5, middle);
    context.moveTo(left + middle, middle - 5);
    context.lineTo(left + middle, middle + 5);
    context.stroke();
    const least = of.losses.indexOf(Math.min(...finite(of.losses)));
    context.beginPath();
    context.arc(left + ((least % of.side) + 0.5) * cell, (Math.floor(least / of.side) + 0.5) * cell, 4, 0, 7);
    context.stroke();
  }
}
customElements.define("gs-landscape-picture", Picture);

/** The loss around the present weights, on request. */
class LossLandscape extends View {
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    cancelLandscape();
  }

  #facts(of: Landscape) {
    const known = finite(of.losses);
    if (!known.length) return nothing;
    const middle = (of.points - 1) / 2;
    const least = of.losses.indexOf(Math.min(...known));
    const at = placeOf(of.kind, of.side, least).slice(0, of.kind === "line" ? 1 : 2).map((along) => general(Number(along.toFixed(2))));
    const here = of.losses[middle];
    return html`<dl class="facts"><dt>${t("landscape.here")} ${of.kind === "line" ? "●" : "+"}</dt><dd class="mono">${here === undefined ? t("cards.none") : fixed(here)}</dd>
      <dt>${t("landscape.least")} ${of.kind === "line" ? "" : "○"}</dt><dd class="mono">${fixed(known.reduce((a, b) => Math.min(a, b)))} @ ${at.join(", ")}</dd>
      <dt>${t("landscape.most")}</dt><dd class="mono">${fixed(known.reduce((a, b) => Math.max(a, b)))}</dd></dl>
      ${outdated(of) ? html`<p class="caption" role="status">${t("landscape.old", { step: count(of.step) })}</p>` : nothing}`;
  }

  override render() {
    const info = store.session.value?.info;
    if (!info || store.isWelcome.value) return nothing;
    const [of, at] = [landscape.value, walking.value];
    const share = of ? of.losses.length / of.points : 0;
    const idle = store.status.value === "idle";
    return html`<section class="landscape"><h3>${t("landscape.title")}</h3>
      <p class="caption">${t("landscape.text")}</p>
      <div class="buttons">
        ${at
          ? html`<button @click=${cancelLandscape}>${t("loading.cancel")}</button>`
          : html`<button ?disabled=${!idle} @click=${() => void walk("line")}>${t("landscape.line")}</button>
              <button ?disabled=${!idle} @click=${() => void walk("plane")}>${t("landscape.plane")}</button>
              <label class="inline small"><span>${t("optimizer.seed")}</span><input type="number" min="0" step="1" .value=${String(seed.value)} @change=${(event: Event) => {
                const value = Math.round(Number((event.target as HTMLInputElement).value));
                seed.value = value >= 0 && value < 2 ** 32 ? value : 0;
                (event.target as HTMLInputElement).value = String(seed.value);
              }}></label>`}
      </div>
      ${at ? html`<div class="walk" role="status"><span class="segment-bar"><i style="width:${100 * share}%"></i></span><small>${percent(share)} · ${t("stat.left")} ${duration(at.secondsLeft)}</small></div>` : nothing}
      ${of ? html`<gs-landscape-picture></gs-landscape-picture>${this.#facts(of)}` : nothing}</section>`;
  }
}
customElements.define("gs-landscape", LossLandscape);
