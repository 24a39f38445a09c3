import { effect } from "@preact/signals-core";
import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import uPlot from "uplot";
import { fixed, general, percent } from "../lib/format.js";
import { framed } from "../lib/latest.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import { compare, comparisons, forgetComparison } from "../state/comparisons.js";
import type { Line as Curved, Lines } from "../state/history.js";
import { built, dataset, history, isGame, session, target } from "../state/store.js";
import { icons } from "./icons.js";

interface Line {
  text: PlainKey;
  colour: "ink" | "validation" | "test";
  /** Measured once an epoch: drawn with dots. */
  dots?: boolean;
  trace: (of: Lines) => Curved;
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
  exact: {
    title: "curves.exact",
    format: (value) => percent(value),
    most: 1,
    lines: [
      { text: "split.train", colour: "ink", trace: (of) => of.exact },
      { text: "split.validation", colour: "validation", dots: true, trace: (of) => of.validationExact },
      { text: "split.test", colour: "test", dots: true, trace: (of) => of.testExact },
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

/** How the lines of the runs that are compared with are broken, by their order. */
const DASHES = [[7, 4], [2, 3], [9, 3, 2, 3]] as const;

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
    const runs = [history.peek().of, ...comparisons.peek().map(({ of }) => of)];
    return uPlot.join(runs.flatMap((of) => lines.map((line) => {
      const { x, y } = line.trace(of);
      return [x, y] as unknown as uPlot.AlignedData;
    })));
  }

  readonly #redraw = framed(() => {
    if (this.#plot && this.isConnected) this.#plot.setData(this.#data());
  }, 200);

  #build(): void {
    this.#plot?.destroy();
    const kind: Kind = KINDS[this.kind];
    const colours = palette.value;
    const ghosts = comparisons.value;
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
        ...ghosts.flatMap((_, k) => kind.lines.map((line): uPlot.Series => ({
          stroke: css(colours[line.colour], 0.55), width: 1.25, dash: [...DASHES[k]!], spanGaps: true, points: { show: false },
        }))),
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
  /** The runs that are compared with, by name, and what puts this one beside them. */
  #comparisons(empty: boolean) {
    const ghosts = comparisons.value;
    return html`<div class="comparisons">
      ${ghosts.map(({ name }, k) => html`<span class="ghost"><svg width="28" height="8" aria-hidden="true"><line x1="0" y1="4" x2="28" y2="4" stroke="currentColor" stroke-width="1.5" stroke-dasharray=${DASHES[k]!.join(" ")}></line></svg>${name}
        <button class="plain small" aria-label=${t("compare.remove", { name })} title=${t("compare.remove", { name })} @click=${() => forgetComparison(k)}>${icons.remove}</button></span>`)}
      ${empty ? nothing : html`<button class="small" ?disabled=${ghosts.length >= DASHES.length} title=${t("compare.keepWhy")} @click=${compare}>${t("compare.keep")}</button>`}
    </div>`;
  }

  override render() {
    const { of } = history.value;
    const empty = of.loss.x.length === 0;
    const loss = built.value?.setup.loss;
    const ofItself = loss !== undefined && "target" in loss && loss.target === "input";
    const classified = of.accuracy.x.length > 0 || (!ofItself && (session.value?.info.classes.length ?? 0) > 0);
    const shown: Partial<Record<keyof typeof KINDS, boolean>> = {
      loss: !isGame.value, game: isGame.value, answers: isGame.value, accuracy: classified && !isGame.value, exact: of.exact.x.length > 0 || dataset.value?.kind === "pairs",
    };
    const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter((kind) => shown[kind] ?? true);
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
    </section>
    ${this.#comparisons(empty)}`;
  }
}
customElements.define("gs-curves", Curves);
