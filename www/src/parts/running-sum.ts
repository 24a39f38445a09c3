import { signal } from "@preact/signals-core";
import { html, type TemplateResult } from "lit";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import { icons } from "./icons.js";

/** Milliseconds that a whole sum takes to add up, and the slowest and quickest pace of its terms. */
const WHOLE = 9000;
const PACE = { slowest: 260, quickest: 16 };

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Terms that drop into a sum one after the other: how many are in, and the clock that adds the next. */
export class Run {
  readonly #state = signal<{ key: string; at: number } | undefined>(undefined);
  readonly playing = signal(false);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `waits` says whether the clock stands still for the moment: while the pointer is on a picture. */
  constructor(private readonly waits: () => boolean) {}

  /** Terms that are in, of the `n` of a sum that goes by `key`; a new sum is whole. */
  at(key: string, n: number): number {
    const now = this.#state.value;
    return now?.key === key ? Math.min(n, now.at) : n;
  }

  set(key: string, at: number): void {
    this.#state.value = { key, at };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.playing.value = false;
  }

  /** Begins to add, from the first term where all are in, or holds. Without motion the sum is whole at once. */
  toggle(key: string, n: number): void {
    if (this.playing.peek()) return this.stop();
    if (still.matches) return this.set(key, n);
    if (this.at(key, n) >= n) this.set(key, 0);
    this.playing.value = true;
    this.#timer = setInterval(() => {
      if (this.waits()) return;
      // Another cell was chosen meanwhile.
      if (this.#state.peek()?.key !== key) return this.stop();
      const next = this.at(key, n) + 1;
      this.set(key, next);
      if (next >= n) this.stop();
    }, Math.max(PACE.quickest, Math.min(PACE.slowest, WHOLE / n)));
  }
}

/** The sum after each term, as a line from left to right. */
class RunLine extends Drawing {
  readonly #of = signal<{ terms: readonly number[]; at: number; gradient: boolean } | undefined>(undefined);
  set of(of: { terms: readonly number[]; at: number; gradient: boolean }) {
    this.#of.value = of;
  }

  protected override reads(): string {
    void palette.value;
    const of = this.#of.value;
    return t("run.line", { n: of?.terms.length ?? 0 });
  }

  protected override heightFor(): number {
    return 44;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = this.#of.peek();
    if (!of) return;
    const sums = [0];
    for (const term of of.terms) sums.push(sums.at(-1)! + term);
    const finite = sums.filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    // The thumb of the slider beneath is as wide as it leaves at its ends.
    const x = (k: number): number => 8 + (k / Math.max(1, of.terms.length)) * (width - 16);
    const y = (sum: number): number => 5 + ((high - sum) / (high - low || 1)) * (height - 10);
    const { ink, dim, line, rise, fall, positive, negative } = palette.peek();
    context.lineWidth = 1;
    context.strokeStyle = css(line);
    context.beginPath();
    context.moveTo(0, Math.round(y(0)) + 0.5);
    context.lineTo(width, Math.round(y(0)) + 0.5);
    context.stroke();
    const path = (from: number, to: number): void => {
      context.beginPath();
      for (let k = from; k <= to; k++) {
        if (k > from) context.lineTo(x(k), y(sums[k - 1]!));
        context.lineTo(x(k), y(sums[k]!));
      }
      context.stroke();
    };
    context.globalAlpha = 0.35;
    context.strokeStyle = css(dim);
    path(of.at, of.terms.length);
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeStyle = css(ink);
    path(0, of.at);
    const sum = sums[of.at]!;
    context.beginPath();
    context.arc(x(of.at), y(sum), 4, 0, 7);
    context.fillStyle = css(sum < 0 ? (of.gradient ? fall : negative) : of.gradient ? rise : positive);
    context.fill();
    context.strokeStyle = css(ink);
    context.stroke();
  }
}
customElements.define("gs-run-line", RunLine);

/** What `runPanel` draws: the values of the terms in their order, and how the one that came last is written. */
export interface Summed {
  run: Run;
  key: string;
  terms: readonly number[];
  gradient: boolean;
  last: (k: number) => TemplateResult | string;
}

/** The sum of the terms that are in, added in double precision. */
export const sumOf = (terms: readonly number[], at: number): number => {
  let sum = 0;
  for (let k = 0; k < at; k++) sum += terms[k]!;
  return sum;
};

/** A running sum with its controls: a button, the line of the sum, a slider over its terms; the last term and the sum so far in numbers. */
export function runPanel({ run, key, terms, gradient, last }: Summed): TemplateResult {
  const n = terms.length;
  const at = run.at(key, n);
  const sum = sumOf(terms, at);
  const playing = run.playing.value;
  const slide = (event: Event): void => {
    run.stop();
    run.set(key, Number((event.target as HTMLInputElement).value));
  };
  return html`<div class="run" role="group" aria-label=${t("run.title")}>
    <button aria-pressed=${playing} @click=${() => run.toggle(key, n)}>${playing ? icons.pause : icons.play}${playing ? t("run.hold") : t("run.add")}</button>
    <div class="run-track"><gs-run-line .of=${{ terms, at, gradient }}></gs-run-line>
      <input type="range" min="0" max=${n} step="1" .value=${String(at)} aria-label=${t("run.terms")} aria-valuetext=${t("run.spoken", { at, n, sum: general(sum) })} @input=${slide}></div>
    <p class="run-sum mono"><small>${t("run.count", { at, n })}</small><b>${general(sum)}</b></p>
    <p class="run-last mono">${at > 0 ? html`+ ${last(at - 1)}` : "\u00a0"}</p>
  </div>`;
}

/** Keys of a view with a running sum: space adds or holds, arrows go term by term where nothing else takes them. */
export function runKeys(event: KeyboardEvent, run: Run, key: string, n: number): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  const target = event.target as HTMLElement;
  const slider = target instanceof HTMLInputElement && target.type === "range";
  if (event.key === " ") {
    if (target.closest("button, select, summary, a") || (target instanceof HTMLInputElement && !slider)) return;
    event.preventDefault();
    run.toggle(key, n);
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && target.closest(".run button")) {
    event.preventDefault();
    run.stop();
    run.set(key, Math.max(0, Math.min(n, run.at(key, n) + (event.key === "ArrowRight" ? 1 : -1))));
  }
}
