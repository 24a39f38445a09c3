import { effect, signal } from "@preact/signals-core";
import { html } from "lit";
import style from "../../styles/latent.css";
import { drawImage } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, palette } from "../lib/palette.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { examplesIn } from "../state/pictures.js";
import * as store from "../state/store.js";
import { bottleneck } from "../state/latent.js";
import { CLASSES } from "./classes.js";

adopt(style);

/** Examples that are shown as points, and milliseconds between two looks while training. */
const POINTS = 1000;
const EVERY = 1000;
/** How far an arrow key moves the chosen point, as a share of the plane. */
const STEP = 0.02;

interface Codes {
  at: Float32Array;
  labels: readonly number[];
  /** [least, most] along both axes. */
  bounds: readonly [readonly [number, number], readonly [number, number]];
}

const codes = signal<Codes | undefined>(undefined);
/** The point that is decoded, and what comes of it. */
const point = signal<readonly [number, number] | undefined>(undefined);
const decoded = signal<Float32Array | undefined>(undefined);

let examples: { of: unknown; x: Float32Array; labels: readonly number[] } | undefined;

/** Where the examples lie now. */
const readCodes = latest(async () => {
  const [session, layer] = [store.session.peek(), bottleneck.peek()];
  if (!session || !layer) return;
  try {
    if (examples?.of !== session) {
      const split = examplesIn("test") > 0 ? "test" : "train";
      const n = Math.min(POINTS, examplesIn(split));
      examples = { of: session, ...(await session.examples(split, Array.from({ length: n }, (_, k) => k))) };
    }
    const [at] = await session.activations([layer], examples.x);
    if (store.session.peek() !== session || !at) return;
    const along = (axis: number): readonly [number, number] => {
      // A few outliers must not squeeze the others into a corner.
      const sorted = at.filter((_, k) => k % 2 === axis).sort();
      const [least, most] = [sorted[Math.floor(sorted.length * 0.005)]!, sorted[Math.ceil(sorted.length * 0.995) - 1]!];
      const margin = (most - least || 1) * 0.08;
      return [least - margin, most + margin];
    };
    codes.value = { at, labels: examples.labels, bounds: [along(0), along(1)] };
    readImage();
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});

/** What the layers behind the bottleneck draw for the chosen point. */
const readImage = latest(async () => {
  const [session, built, layer, of] = [store.session.peek(), store.built.peek(), bottleneck.peek(), codes.peek()];
  if (!session || !built || !layer || !of) return;
  const [[x0, x1], [y0, y1]] = of.bounds;
  const at = (point.value ??= [(x0 + x1) / 2, (y0 + y1) / 2]);
  try {
    const [image] = await session.activations([built.description.layers.at(-1)!.name], Float32Array.from(at), { from: layer });
    if (store.session.peek() === session) decoded.value = image;
  } catch {
    // The same.
  }
});

/** The plane: each example a point in its class's colour, and a cross at the point that is decoded. */
class LatentPlane extends Drawing {
  protected override reads(): string {
    void palette.value;
    void point.value;
    this.classList.toggle("hatch", !codes.value);
    return t("latent.label", { n: codes.value?.labels.length ?? 0 });
  }
  protected override heightFor(width: number): number {
    return width;
  }

  #choose(x: number, y: number): void {
    const of = codes.peek();
    if (!of) return;
    const [[x0, x1], [y0, y1]] = of.bounds;
    const within = (share: number): number => Math.max(0, Math.min(1, share));
    point.value = [x0 + within(x) * (x1 - x0), y1 - within(y) * (y1 - y0)];
    readImage();
  }

  readonly #pointed = (event: PointerEvent): void => {
    const box = this.getBoundingClientRect();
    this.#choose((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };

  readonly #keys = (event: KeyboardEvent): void => {
    const way = ({ ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] } as Record<string, readonly [number, number]>)[event.key];
    const [of, now] = [codes.peek(), point.peek()];
    if (!way || !of || !now || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [[x0, x1], [y0, y1]] = of.bounds;
    this.#choose((now[0] - x0) / (x1 - x0) + way[0], (y1 - now[1]) / (y1 - y0) + way[1]);
  };

  override connectedCallback(): void {
    super.connectedCallback();
    this.tabIndex = 0;
    this.addEventListener("pointermove", this.#pointed);
    this.addEventListener("pointerdown", this.#pointed);
    this.addEventListener("keydown", this.#keys);
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = codes.peek();
    if (!of) return;
    const [[x0, x1], [y0, y1]] = of.bounds;
    const px = (x: number): number => ((x - x0) / (x1 - x0)) * width;
    const py = (y: number): number => ((y1 - y) / (y1 - y0)) * height;
    of.labels.forEach((label, k) => {
      context.fillStyle = css(CLASSES[label % CLASSES.length]!, 0.75);
      context.beginPath();
      context.arc(px(of.at[2 * k]!), py(of.at[2 * k + 1]!), 2.5, 0, 7);
      context.fill();
    });
    const at = point.peek();
    if (!at) return;
    const [x, y] = [px(at[0]), py(at[1])];
    context.strokeStyle = css(palette.peek().ink);
    context.lineWidth = 1.5;
    context.beginPath();
    for (const [dx, dy] of [[8, 0], [0, 8]] as const) {
      context.moveTo(x - dx, y - dy);
      context.lineTo(x + dx, y + dy);
    }
    context.stroke();
  }
}
customElements.define("gs-latent-plane", LatentPlane);

class LatentImage extends Drawing {
  protected override reads(): string {
    const at = point.value;
    this.classList.toggle("hatch", !decoded.value);
    return at ? t("latent.image", { x: general(at[0]), y: general(at[1]) }) : t("cards.none");
  }
  protected override heightFor(width: number): number {
    return width;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const image = decoded.peek();
    if (image) drawImage(context, image, store.session.peek()?.info.inputShape ?? [], width, height);
  }
}
customElements.define("gs-latent-image", LatentImage);

/** Where examples lie in the two numbers that they have to pass through, and what any point of that plane stands for. */
class Latent extends View {
  #stops: (() => void)[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    let last = -Infinity;
    let timer: ReturnType<typeof setTimeout> | undefined;
    this.#stops.push(
      effect(() => {
        for (const of of [store.session, store.weights, store.status, store.history, bottleneck]) void of.value;
        clearTimeout(timer);
        const wait = store.status.value === "training" ? Math.max(0, last + EVERY - performance.now()) : 0;
        timer = setTimeout(() => {
          last = performance.now();
          readCodes();
        }, wait);
      }),
      () => clearTimeout(timer),
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops.splice(0)) stop();
    codes.value = point.value = decoded.value = examples = undefined;
  }

  override render() {
    const at = point.value;
    return html`<section class="panel latent" aria-label=${t("latent.title")}>
      <header><h2>${t("latent.title")}</h2><p>${bottleneck.value ?? ""}</p></header>
      <div class="latent-body"><gs-latent-plane></gs-latent-plane>
        <div><gs-latent-image></gs-latent-image>
          <p class="mono">${at ? `(${general(at[0])}, ${general(at[1])})` : ""}</p>
          <ol class="latent-key" aria-label=${t("latent.classes")}>${store.classes.value.map((name, k) => html`<li><i style="background:${css(CLASSES[k % CLASSES.length]!)}"></i>${name}</li>`)}</ol>
          <p class="caption">${t("latent.text")}</p></div></div>
    </section>`;
  }
}
customElements.define("gs-latent", Latent);
