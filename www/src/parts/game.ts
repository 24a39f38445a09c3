import { effect, signal } from "@preact/signals-core";
import { html } from "lit";
import style from "../../styles/game.css";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { count } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { points, pointsOf } from "../state/plane.js";
import * as store from "../state/store.js";

adopt(style);

/** Pictures of a grid along each side, and points of a plane. */
const SIDE = 8;
const POINTS = 400;
/** Of the noise: the same in every grid, so that each place of it can be followed over time. */
const SEED = 1;
/** Milliseconds between two grids at least, and the share of the time that they may take. */
const GAP_MS = 300;
const SHARE = 0.06;
/** Memory of all grids, in bytes; beyond it every second of the older half goes. */
const BUDGET = 8e6;

/** What the generator made of the noise at a step: bytes of pictures, coordinates of points. */
interface Grid {
  step: number;
  values: Uint8Array | Float32Array;
}

const grids = signal<readonly Grid[]>([]);
/** The step whose grid is looked at; the newest if none is chosen. */
const chosen = signal<number | undefined>(undefined);
const isImage = (): boolean => store.session.value?.info.inputShape.length === 3;

const shown = (): Grid | undefined => {
  const all = grids.value;
  return chosen.value === undefined ? all.at(-1) : (all.filter(({ step }) => step <= chosen.value!).at(-1) ?? all[0]);
};

/** Asks for the grid of this moment; returns the milliseconds that it took. */
async function sample(): Promise<number> {
  const session = store.session.peek();
  const of = store.history.peek().of;
  const step = store.progress.peek()?.step ?? 0;
  if (!session) return 0;
  const begun = performance.now();
  try {
    const image = isImage();
    if (!image) await pointsOf(session);
    const values = await session.sample(image ? SIDE * SIDE : POINTS, SEED);
    if (store.session.peek() !== session || store.history.peek().of !== of) return 0;
    const kept = image ? Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.round(255 * value)))) : values;
    const before = grids.peek().filter((grid) => grid.step < step);
    const half = (before.length + 1) * kept.byteLength > BUDGET ? before.length >> 1 : 0;
    grids.value = [...before.filter((_, k) => k >= half || k % 2 === 0), { step, values: kept }];
  } catch (error) {
    // A session that ended, a lost GPU and a dead worker say so themselves.
    if (store.session.peek() === session && store.status.peek() === "idle") fail(error);
  }
  return performance.now() - begun;
}

/** The grid: pictures side by side, or points over those of the data. */
class GameGrid extends Drawing {
  protected override reads(): string {
    void palette.value;
    void points.value;
    const of = shown();
    this.classList.toggle("hatch", !of);
    return of ? t("game.label", { step: of.step }) : t("cards.none");
  }
  protected override heightFor(width: number): number {
    const [rows = 1, columns = 1] = isImage() ? store.session.peek()!.info.inputShape : [];
    return (width * rows) / columns;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = shown();
    if (!of) return;
    if (of.values instanceof Uint8Array) this.#pictures(context, of.values, width, height);
    else this.#points(context, of.values, width, height);
  }

  #pictures(context: CanvasRenderingContext2D, values: Uint8Array, width: number, height: number): void {
    const [rows = 1, columns = 1, channels = 1] = store.session.peek()?.info.inputShape ?? [];
    const colours = new Uint32Array(rows * columns * SIDE * SIDE);
    for (let k = 0; k < colours.length; k++) {
      const at = (c: number): number => values[k * channels + Math.min(c, channels - 1)] ?? 0;
      const [example, row, column] = [Math.floor(k / (rows * columns)), Math.floor(k / columns) % rows, k % columns];
      colours[(Math.floor(example / SIDE) * rows + row) * SIDE * columns + (example % SIDE) * columns + column] = (255 << 24) | (at(2) << 16) | (at(1) << 8) | at(0);
    }
    context.drawImage(picture(colours, SIDE * columns, SIDE * rows), 0, 0, width, height);
  }

  #points(context: CanvasRenderingContext2D, values: Float32Array, width: number, height: number): void {
    const data = points.peek();
    if (!data || data.bounds.length < 2) return;
    const [[x0, x1], [y0, y1]] = [data.bounds[0]!, data.bounds[1]!];
    const { dim, positive } = palette.peek();
    const dots = (of: Float32Array, colour: string, radius: number): void => {
      context.fillStyle = colour;
      for (let k = 0; k + 1 < of.length; k += 2) {
        context.beginPath();
        context.arc(((of[k]! - x0) / (x1 - x0)) * width, ((y1 - of[k + 1]!) / (y1 - y0)) * height, radius, 0, 7);
        context.fill();
      }
    };
    dots(data.x, css(dim, 0.35), 2);
    dots(values, css(positive, 0.8), 2.5);
  }
}
customElements.define("gs-game-grid", GameGrid);

/** What a generator makes of the same noise while it learns, and a way back to what it made before. */
class Game extends View {
  #stops: (() => void)[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [open, busy] = [true, false];
    const turn = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      clearTimeout(timer);
      timer = undefined;
      const spent = await sample();
      busy = false;
      if (open && store.status.peek() === "training") timer = setTimeout(turn, Math.max(GAP_MS, spent / SHARE));
    };
    let run: unknown;
    this.#stops.push(
      effect(() => {
        const { of } = store.history.value;
        if (of !== run) {
          run = of;
          grids.value = [];
          chosen.value = undefined;
        }
        void store.weights.value;
        if (store.session.value && (store.status.value === "training" ? timer === undefined : store.status.value === "idle")) queueMicrotask(() => void turn());
      }),
      () => {
        open = false;
        clearTimeout(timer);
      },
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops.splice(0)) stop();
  }

  override render() {
    const all = grids.value;
    const of = shown();
    const last = Math.max(0, all.length - 1);
    const at = of ? all.indexOf(of) : last;
    const choose = (event: Event): void => {
      const k = Number((event.target as HTMLInputElement).value);
      chosen.value = k >= last ? undefined : all[k]?.step;
    };
    return html`<section class="panel game" aria-label=${t("game.title")}>
      <header><h2>${t("game.title")}</h2><p>${of ? t("game.step", { step: count(of.step) }) : t("cards.none")}</p></header>
      <div class="game-body"><gs-game-grid class=${isImage() ? "" : "plane"}></gs-game-grid>
        <div><label class="slider"><span>${t("game.time")}</span><output>${of ? count(of.step) : ""}</output>
          <input type="range" min="0" max=${last} step="1" .value=${String(at)} ?disabled=${all.length < 2} aria-valuetext=${of ? t("game.step", { step: count(of.step) }) : ""} @input=${choose}></label>
          <p class="caption">${t(isImage() ? "game.images" : "game.points")}</p></div></div>
    </section>`;
  }
}
customElements.define("gs-game", Game);
