import { effect, signal } from "@preact/signals-core";
import type { Session } from "gradscope";
import { html } from "lit";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { examplesIn } from "../state/pictures.js";
import * as store from "../state/store.js";

/** Cells of the picture along each side, and most points shown. */
const GRID = 56;
const POINTS = 600;

interface Points {
  x: Float32Array;
  labels: readonly number[];
  /** [least, most] along each axis, with a margin. */
  bounds: readonly (readonly [number, number])[];
}

const points = signal<Points | undefined>(undefined);
const outputs = signal<Float32Array | undefined>(undefined);

function boundsOf(x: Float32Array, axes: number): (readonly [number, number])[] {
  return Array.from({ length: axes }, (_, axis) => {
    let [least, most] = [Infinity, -Infinity];
    for (let k = axis; k < x.length; k += axes) [least, most] = [Math.min(least, x[k]!), Math.max(most, x[k]!)];
    const margin = (most - least || 1) * 0.15;
    return [least - margin, most + margin] as const;
  });
}

let fetched: Session | undefined;

/** Fetches the points once a session, and the network's output over the plane (or along the line) whenever it changed. */
const refresh = latest(async () => {
  const session = store.session.peek();
  if (!session) return;
  const axes = session.info.inputShape[0]!;
  try {
    if (fetched !== session || !points.peek()) {
      const n = Math.min(POINTS, examplesIn("train"));
      const { x, labels } = await session.examples("train", Array.from({ length: n }, (_, k) => k));
      fetched = session;
      points.value = { x, labels, bounds: boundsOf(x, axes) };
    }
    const [[x0, x1], [y0, y1]] = [points.peek()!.bounds[0]!, points.peek()!.bounds[1] ?? [0, 0]];
    const at = (k: number, from: number, to: number): number => from + ((k + 0.5) / GRID) * (to - from);
    const grid = axes === 1
      ? Float32Array.from({ length: GRID }, (_, k) => at(k, x0, x1))
      : Float32Array.from({ length: GRID * GRID * 2 }, (_, k) => (k % 2 ? at(Math.floor(k / 2 / GRID), y1, y0) : at((k / 2) % GRID, x0, x1)));
    outputs.value = await session.predict(grid);
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});

/** Colours of classes where there are more than two. */
const CLASSES = [[33, 102, 197], [217, 95, 14], [13, 128, 118], [168, 50, 130], [150, 120, 20], [90, 90, 200], [120, 60, 30], [60, 140, 60], [200, 60, 80], [100, 110, 120]] as const;

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
      context.fillStyle = classes > 2 ? css(CLASSES[label % CLASSES.length]!) : css(label > 0.5 ? positive : negative);
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
class PlaneView extends View {
  #unwatch: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    points.value = outputs.value = undefined;
    this.#unwatch = effect(() => {
      void store.session.value;
      void store.progress.value;
      void store.frame.value;
      refresh();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
  }

  override render() {
    const axes = store.session.value?.info.inputShape[0];
    return html`<section class="panel plane">
      <header><h2>${axes === 1 ? t("plane.lineTitle") : t("plane.title")}</h2><p>${axes === 1 ? t("plane.lineText") : t("plane.text")}</p></header>
      ${axes === 1 ? html`<gs-fit-canvas></gs-fit-canvas>` : html`<gs-plane-canvas></gs-plane-canvas>`}
    </section>`;
  }
}
customElements.define("gs-plane", PlaneView);
