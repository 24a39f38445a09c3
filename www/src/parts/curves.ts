import { effect } from "@preact/signals-core";
import { html } from "lit";
import { repeat } from "lit/directives/repeat.js";
import uPlot from "uplot";
import { fixed, general, percent } from "../lib/format.js";
import { framed } from "../lib/latest.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import type { History, Trace } from "../state/history.js";
import { built, history, isGame, session, target } from "../state/store.js";

interface Line {
  text: PlainKey;
  colour: "ink" | "validation" | "test";
  /** Measured once an epoch: drawn with dots. */
  dots?: boolean;
  trace: (of: History) => Trace;
}

interface Kind {
  title: PlainKey;
  lines: readonly Line[];
  format: (value: number) => string;
  /** Fixed ends of the vertical axis. */
  most?: number;
}

const KINDS = {
  loss: {
    title: "curves.loss",
    format: (value) => fixed(value, 4),
    lines: [
      { text: "split.train", colour: "ink", trace: (of) => of.loss },
      { text: "split.validation", colour: "validation", dots: true, trace: (of) => of.validationLoss },
      { text: "split.test", colour: "test", dots: true, trace: (of) => of.testLoss },
    ],
  },
  accuracy: {
    title: "curves.accuracy",
    format: (value) => percent(value),
    most: 1,
    lines: [
      { text: "split.train", colour: "ink", trace: (of) => of.accuracy },
      { text: "split.validation", colour: "validation", dots: true, trace: (of) => of.validationAccuracy },
      { text: "split.test", colour: "test", dots: true, trace: (of) => of.testAccuracy },
    ],
  },
  game: {
    title: "game.losses",
    format: (value) => fixed(value, 4),
    lines: [
      { text: "game.discriminator", colour: "ink", trace: (of) => of.loss },
      { text: "game.generator", colour: "validation", trace: (of) => of.generatorLoss },
    ],
  },
  answers: {
    title: "game.answers",
    format: (value) => percent(value),
    most: 1,
    lines: [
      { text: "game.real", colour: "ink", trace: (of) => of.real },
      { text: "game.fake", colour: "validation", trace: (of) => of.fake },
    ],
  },
  rate: { title: "curves.rate", format: general, lines: [{ text: "curves.rate", colour: "ink", trace: (of) => of.rate }] },
} as const satisfies Record<string, Kind>;

/** One chart. It redraws at most five times a second. */
class Curve extends HTMLElement {
  kind: keyof typeof KINDS = "loss";
  #plot: uPlot | undefined;
  #stops: (() => void)[] = [];
  #observer = new ResizeObserver(([entry]) => {
    const { width, height } = entry!.contentRect;
    if (width > 0) this.#plot?.setSize({ width, height });
  });

  #data(): uPlot.AlignedData {
    const lines: readonly Line[] = KINDS[this.kind].lines;
    const of = history.peek().of;
    return uPlot.join(lines.map((line) => {
      const { x, y } = line.trace(of);
      return [x, y] as unknown as uPlot.AlignedData;
    }));
  }

  readonly #redraw = framed(() => {
    if (this.#plot && this.isConnected) this.#plot.setData(this.#data());
  }, 200);

  #build(): void {
    this.#plot?.destroy();
    const kind: Kind = KINDS[this.kind];
    const colours = palette.value;
    const axis: uPlot.Axis = {
      stroke: css(colours.dim), font: "11px Inter, system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: css(colours.line), width: 1 }, gap: 4,
    };
    this.#plot = new uPlot({
      width: Math.max(80, this.clientWidth), height: Math.max(80, this.clientHeight),
      padding: [6, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 5 } },
      scales: {
        x: { time: false, range: (_, __, most) => [0, Math.max(most ?? 0, target.peek(), 1e-6) || 1] },
        y: { range: (_, least, most) => (kind.most ? [Math.min(least ?? 0, 0.9), kind.most] : [Math.min(0, least ?? 0), (most ?? 1) * 1.05 || 1]) },
      },
      axes: [
        { ...axis, size: 22 },
        { ...axis, size: 44, splits: undefined!, values: (_, splits) => splits.map((value) => (kind.most ? `${Math.round(value * 100)}` : general(value))) },
      ],
      series: [
        {},
        ...kind.lines.map((line): uPlot.Series => ({
          stroke: css(colours[line.colour]), width: line.dots ? 1.5 : 1.25, spanGaps: true, points: { show: line.dots ?? false, size: 5, fill: css(colours[line.colour]) },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#readOut(plot)] },
    }, this.#data(), this);
  }

  /** Writes the values under the cursor to the legend. */
  #readOut(plot: uPlot): void {
    const lines: readonly Line[] = KINDS[this.kind].lines;
    const at = plot.cursor.idx;
    this.parentElement?.querySelectorAll<HTMLElement>(".curve-value").forEach((slot, k) => {
      const { x, y } = lines[k]!.trace(history.peek().of);
      const position = at == null ? undefined : plot.data[0][at];
      let nearest = x.length - 1;
      if (position !== undefined) while (nearest > 0 && x[nearest]! > position) nearest--;
      const value = y[nearest];
      slot.textContent = value === undefined ? "" : KINDS[this.kind].format(value);
    });
  }

  connectedCallback(): void {
    this.#stops.push(
      effect(() => this.#build()),
      effect(() => {
        void history.value;
        void target.value;
        this.#redraw();
      }),
    );
    this.#observer.observe(this);
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    for (const stop of this.#stops.splice(0)) stop();
    this.#plot?.destroy();
    this.#plot = undefined;
  }
}
customElements.define("gs-curve", Curve);

/** Loss, accuracy and learning rate over the epochs. */
class Curves extends View {
  override render() {
    const { of } = history.value;
    const empty = of.loss.x.length === 0;
    const loss = built.value?.setup.loss;
    const ofItself = loss !== undefined && "target" in loss && loss.target === "input";
    const classified = of.accuracy.x.length > 0 || (!ofItself && (session.value?.info.classes.length ?? 0) > 0);
    const kinds: readonly (keyof typeof KINDS)[] = isGame.value ? ["game", "answers", "rate"] : classified ? ["loss", "accuracy", "rate"] : ["loss", "rate"];
    return html`<section class="curves" aria-label=${t("curves.title")}>
      ${repeat(kinds, (kind) => kind, (kind) => {
        const { title, lines, format }: Kind = KINDS[kind];
        return html`<figure class="curve ${kind}">
          <figcaption><b>${t(title)}</b>${lines.map((line) => {
            const last = line.trace(of).y.at(-1);
            const hidden = last === undefined && line.colour !== "ink";
            return html`<span class="key ${line.colour} ${hidden ? "gone" : ""}">${lines.length > 1 ? t(line.text) : ""} <span class="curve-value mono">${last === undefined ? "" : format(last)}</span></span>`;
          })}</figcaption>
          <div class="curve-box ${empty ? "hatch" : ""}">
            <gs-curve .kind=${kind} role="img" aria-label=${t("curves.label", { what: t(title), value: of.loss.y.length ? format(lines[0]!.trace(of).y.at(-1) ?? NaN) : t("cards.none") })}></gs-curve>
            ${empty ? html`<span class="card-none">${t("cards.none")}</span>` : ""}
          </div>
        </figure>`;
      })}
    </section>`;
  }
}
customElements.define("gs-curves", Curves);
