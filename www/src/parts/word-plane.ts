import { signal } from "@preact/signals-core";
import { Drawing } from "../lib/drawing.js";
import { css, diverging, palette } from "../lib/palette.js";
import { say } from "../messages/inside.js";
import { layout, type Layout } from "../state/projection.js";
import { chosen, nameOf, vocabulary } from "../state/vocabulary.js";

/** How near a pointer must come to a point, in pixels, and how many names are drawn at most. */
const REACH = 16;
const NAMES = 160;
const FONT = '11px Inter, "Noto Sans", system-ui, sans-serif';

/** Rows that are marked beside the chosen one: its nearest neighbours. */
export const neighbours = signal<readonly number[]>([]);

/** The tokens in the plane: the more frequent the deeper, with as many names as there is room for. */
class WordPlane extends Drawing {
  protected override reads(): string {
    void [palette.value, chosen.value, neighbours.value];
    const of = layout.value;
    this.classList.toggle("hatch", !of);
    return say("words.label", { n: of?.tokens.length ?? 0, chosen: chosen.value === undefined ? "–" : nameOf(chosen.value) });
  }

  protected override heightFor(width: number): number {
    return Math.min(460, width);
  }

  /** Where each point is, in pixels. */
  #places({ at }: Layout, width: number, height: number): Float32Array {
    const ranges = [0, 1].map((axis) => {
      let [least, most] = [Infinity, -Infinity];
      for (let k = axis; k < at.length; k += 2) [least, most] = [Math.min(least, at[k]!), Math.max(most, at[k]!)];
      return [least, most - least || 1] as const;
    });
    return at.map((value, k) => {
      const [least, range] = ranges[k % 2]!;
      const share = 0.04 + (0.92 * (value - least)) / range;
      return k % 2 ? (1 - share) * height : share * width;
    });
  }

  readonly #pointed = (event: PointerEvent): void => {
    const of = layout.peek();
    if (!of) return;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const places = this.#places(of, box.width, box.height);
    let [best, least] = [-1, event.type === "pointermove" ? REACH : Infinity];
    of.tokens.forEach((_, k) => {
      const far = Math.hypot(places[2 * k]! - x, places[2 * k + 1]! - y);
      if (far < least) [best, least] = [k, far];
    });
    if (best >= 0) chosen.value = of.tokens[best];
  };

  /** To the point that is nearest in the direction of an arrow. */
  readonly #keys = (event: KeyboardEvent): void => {
    const way = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, readonly [number, number]>)[event.key];
    const of = layout.peek();
    if (!way || !of || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const places = this.#places(of, this.clientWidth, this.canvas.clientHeight);
    const from = of.tokens.indexOf(chosen.peek() ?? -1);
    if (from < 0) return void (chosen.value = of.tokens[0]);
    let [best, least] = [from, Infinity];
    of.tokens.forEach((_, k) => {
      const [dx, dy] = [places[2 * k]! - places[2 * from]!, places[2 * k + 1]! - places[2 * from + 1]!];
      const along = dx * way[0] + dy * way[1];
      const aside = Math.abs(dx * way[1] + dy * way[0]);
      if (along > 0 && along >= aside && along + aside < least) [best, least] = [k, along + aside];
    });
    chosen.value = of.tokens[best];
  };

  override connectedCallback(): void {
    super.connectedCallback();
    this.tabIndex = 0;
    this.canvas.addEventListener("pointermove", this.#pointed);
    this.canvas.addEventListener("pointerdown", this.#pointed);
    this.addEventListener("keydown", this.#keys);
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = layout.peek();
    const counts = vocabulary.peek()?.counts;
    if (!of || !counts) return;
    const { ink, zero, dim } = palette.peek();
    const places = this.#places(of, width, height);
    const most = Math.log1p(of.tokens.reduce((most, token) => Math.max(most, counts[token]!), 1));
    context.font = FONT;
    context.textBaseline = "middle";
    // The rarest first, so that the frequent lie above them.
    for (let k = of.tokens.length - 1; k >= 0; k--) {
      context.fillStyle = css(diverging(0.15 + (0.85 * Math.log1p(counts[of.tokens[k]!]!)) / most));
      context.beginPath();
      context.arc(places[2 * k]!, places[2 * k + 1]!, 3, 0, 7);
      context.fill();
    }
    const marked = [chosen.peek(), ...neighbours.peek()];
    const taken: (readonly [number, number, number])[] = [];
    const name = (k: number, colour: string, always: boolean): void => {
      const text = nameOf(of.tokens[k]!);
      const [x, y, wide] = [places[2 * k]! + 5, places[2 * k + 1]!, context.measureText(text).width];
      const at = x + wide > width ? x - wide - 10 : x;
      if (!always && taken.some(([left, up, across]) => Math.abs(up - y) < 12 && at < left + across + 3 && left < at + wide + 3)) return;
      taken.push([at, y, wide]);
      context.lineWidth = 3;
      context.strokeStyle = css(zero, 0.8);
      context.strokeText(text, at, y);
      context.fillStyle = colour;
      context.fillText(text, at, y);
    };
    const [own, ...near] = marked.map((token) => (token === undefined ? -1 : of.tokens.indexOf(token)));
    near.forEach((k) => {
      if (k < 0 || own === undefined || own < 0) return;
      context.strokeStyle = css(ink, 0.35);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(places[2 * own]!, places[2 * own + 1]!);
      context.lineTo(places[2 * k]!, places[2 * k + 1]!);
      context.stroke();
    });
    if (own !== undefined && own >= 0) {
      context.strokeStyle = css(ink);
      context.lineWidth = 2;
      context.beginPath();
      context.arc(places[2 * own]!, places[2 * own + 1]!, 6, 0, 7);
      context.stroke();
      name(own, css(ink), true);
    }
    near.forEach((k) => k >= 0 && name(k, css(ink), false));
    for (let k = 0; k < of.tokens.length && taken.length < NAMES; k++) if (!marked.includes(of.tokens[k])) name(k, css(dim), false);
  }
}
customElements.define("gs-word-plane", WordPlane);
