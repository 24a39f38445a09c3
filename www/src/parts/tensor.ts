import { signal } from "@preact/signals-core";
import { prepare } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general, shape } from "../lib/format.js";
import { drawCells, outlineCells } from "../lib/paint.js";
import { css, palette } from "../lib/palette.js";
import { cellAt, heightOf, placeOf, scaleOf, type Place } from "../lib/tensor.js";
import { t } from "../messages/index.js";
import { hovered, inspected, isGradient, label, layout, outlined, select, selected, shapeOf, togglePin, zoom, type Cell } from "../state/cell.js";
import { hidden } from "../state/predict.js";
import { valueOf } from "../state/values.js";
import { computedYet, nodes } from "../state/walk.js";

/** Scales that were locked, by the node's name, so that they survive another batch. */
export const locked = signal<ReadonlyMap<string, number> | undefined>(undefined);

/** What the strongest colour of a node stands for. */
export function scaleShown(node: number, data: Float32Array): number {
  const name = nodes.value[node]?.name ?? "";
  const now = locked.value;
  if (!now) return scaleOf(data);
  if (!now.has(name)) (now as Map<string, number>).set(name, scaleOf(data));
  return now.get(name)!;
}

/** A cell as it is spoken: its place in words, its value, and its gradient where that is known. */
export function spoken({ node, element }: Cell): string {
  const of = layout(node);
  const [k, row, column] = of.where(element);
  const name = label(node);
  const inputs = shapeOf(node).at(-2) ?? 1;
  const place =
    of.kind === "scalar" ? name
    : of.kind === "vector" ? t("speak.vector", { name, k })
    : of.kind === "matrix" ? t("speak.matrix", { name, row, column })
    : of.kind === "map" ? t("speak.map", { name, k, row, column })
    : t("speak.kernel", { name, input: k % inputs, output: Math.floor(k / inputs), row, column });
  if (hidden.value?.node === node) return t("speak.hidden", { place });
  const value = valueOf(node)?.[element];
  const gradient = nodes.value[node]?.gradient;
  const slope = gradient == null ? undefined : valueOf(gradient)?.[element];
  const said = value === undefined ? t("speak.none", { place }) : t("speak.value", { place, value: general(value) });
  return slope === undefined || gradient == null || hidden.value?.node === gradient ? said : t("speak.gradient", { said, value: general(slope) });
}

/** Milliseconds of a long press. */
const LONG = 500;

/** Single numbers that are shown at once. */
export const SINGLES = 1 << 14;

/** Pictures on a card: one large one, or several small windows; single numbers are all shown, as far as there is room. */
const onCard = (node: number): number => {
  const { rows, columns } = layout(node);
  return rows * columns === 1 ? SINGLES : rows * columns >= 49 ? 1 : 8;
};

/** The first picture of a node that is shown where there is room for `most`: that of the page of pictures that holds the cell that matters. */
export function firstShown(node: number, most = 0): number {
  const { count, rows, columns, where } = layout(node);
  const page = rows * columns === 1 ? SINGLES : most || onCard(node);
  if (count <= page) return 0;
  const { sources, consumers, chosen } = outlined(node);
  const element = chosen ?? (selected.value?.node === node ? selected.value.element : (sources[0] ?? consumers[0]));
  return element === undefined ? 0 : Math.floor(where(element)[0] / page) * page;
}

/** Which picture a card shows, where it shows but one of several. */
export const pictureShown = (node: number): number | undefined => {
  const { count, rows, columns } = layout(node);
  return count > 1 && rows * columns > 1 && onCard(node) === 1 ? firstShown(node) : undefined;
};

/**
 * The value of a node as pictures, hatched until it is computed: a canvas, and over it a grid of one cell that has the focus, is moved by
 * arrow keys, and speaks. The cell that is looked at, its sources and its consumers are outlined.
 */
export class TensorGrid extends Drawing {
  readonly #node = signal(-1);
  /** Pictures shown at most, by default as many as are large enough on a card; single numbers are all shown. */
  most = 0;
  /** Largest size of a cell on the screen. */
  largest = Infinity;
  /** Height that it takes at most, where it takes its height from its content. */
  grows = 0;
  #place: Place | undefined;
  #at = 0;
  /** The picture without its outlines, and what it was drawn from. */
  readonly #base = document.createElement("canvas");
  #drawn: readonly unknown[] = [];
  /** What the picture with its outlines shows. */
  #shown: readonly unknown[] = [];
  readonly #cell = document.createElement("div");

  get node(): number {
    return this.#node.value;
  }
  set node(node: number) {
    if (node !== this.#node.peek()) [this.#at, this.#node.value] = [0, node];
  }

  #placed(width: number, height: number): Place {
    const { count, rows, columns } = layout(this.node);
    const first = firstShown(this.node, this.most);
    const shown = Math.min(rows * columns === 1 ? SINGLES : this.most || onCard(this.node), count - first);
    return (this.#place = placeOf(layout(this.node), first, shown, width, height, this.largest));
  }

  protected override reads(): string {
    const { node } = this;
    const of = layout(node);
    void palette.value;
    void locked.value;
    void firstShown(node, this.most);
    const data = valueOf(node);
    const covered = hidden.value?.node === node;
    this.classList.toggle("hatch", !data || covered);
    this.classList.toggle("covered", covered && data !== undefined);
    this.classList.toggle("pending", computedYet(node) && !data);
    const own = inspected.value?.node === node ? inspected.value.element : this.#at;
    this.#at = own;
    const [k, row, column] = of.where(own);
    this.setAttribute("aria-rowcount", String(of.rows * of.count));
    this.setAttribute("aria-colcount", String(of.columns));
    this.#cell.parentElement!.setAttribute("aria-rowindex", String(k * of.rows + row + 1));
    this.#cell.setAttribute("aria-colindex", String(column + 1));
    const said = spoken({ node, element: own });
    // Text that is put anew is laid out anew, and there are many grids.
    if (this.#cell.textContent !== said) this.#cell.firstElementChild!.textContent = said;
    const name = label(node);
    this.setAttribute("aria-label", data && !covered
      ? t("tensor.label", { name, shape: shape(shapeOf(node)) || "1", scale: general(scaleShown(node, data)) }) : t("maps.none", { node: name }));
    return "";
  }

  /** A pointer that moves over one tensor leaves most others as they are. */
  protected override differs(): boolean {
    const { node } = this;
    const data = valueOf(node);
    const { sources, consumers, chosen } = outlined(node);
    const now = [node, data, palette.value, data && scaleShown(node, data), firstShown(node, this.most), hidden.value?.node === node, sources, consumers, chosen];
    const other = now.some((part, k) => part !== this.#shown[k]);
    this.#shown = now;
    return other;
  }

  override connectedCallback(): void {
    if (!this.#cell.isConnected) {
      const row = document.createElement("div");
      row.setAttribute("role", "row");
      this.#cell.setAttribute("role", "gridcell");
      this.#cell.className = "grid-cell";
      this.#cell.tabIndex = 0;
      const text = document.createElement("span");
      text.className = "spoken";
      text.setAttribute("aria-live", "polite");
      this.#cell.append(text);
      row.append(this.#cell);
      this.setAttribute("role", "grid");
      this.append(row);
      this.#listen();
    }
    super.connectedCallback();
    this.canvas.removeAttribute("aria-label");
    this.canvas.setAttribute("role", "presentation");
    this.canvas.setAttribute("aria-hidden", "true");
  }

  #under(event: PointerEvent | MouseEvent): Cell | undefined {
    const at = this.#place && valueOf(this.node) && cellAt(this.#place, layout(this.node), event.offsetX, event.offsetY);
    return at && { node: this.node, element: layout(this.node).at(...at) };
  }

  #listen(): void {
    const cell = this.#cell;
    cell.onpointermove = (event) => {
      if (event.pointerType !== "mouse") return;
      const now = this.#under(event);
      if (now?.element !== hovered.value?.element || now?.node !== hovered.value?.node) hovered.value = now;
    };
    cell.onpointerleave = () => (hovered.value = undefined);
    cell.onclick = (event) => {
      const now = this.#under(event);
      if (now) select(now);
    };
    // A long press is the pin of those who have no keyboard.
    let press: ReturnType<typeof setTimeout> | undefined;
    cell.onpointerdown = (event) => {
      if (event.pointerType === "mouse") return;
      const now = this.#under(event);
      press = setTimeout(() => {
        if (!now) return;
        select(now);
        togglePin();
      }, LONG);
    };
    cell.onpointerup = cell.onpointercancel = () => clearTimeout(press);
    cell.ondblclick = () => (zoom.value = "cell");
    cell.onkeydown = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const next = this.#moved(event.key);
      if (next === undefined) return;
      event.preventDefault();
      select({ node: this.node, element: next });
    };
  }

  /** The element that a key moves to. */
  #moved(key: string): number | undefined {
    const of = layout(this.node);
    const [k, row, column] = of.where(this.#at);
    const clamp = (value: number, size: number): number => Math.max(0, Math.min(size - 1, value));
    if (of.rows * of.columns === 1) {
      const across = this.#place?.across ?? 1;
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -k, End: of.count - 1 - k }[key];
      return by === undefined ? undefined : clamp(k + by, of.count);
    }
    switch (key) {
      case "ArrowLeft": return of.at(k, row, clamp(column - 1, of.columns));
      case "ArrowRight": return of.at(k, row, clamp(column + 1, of.columns));
      case "ArrowUp": return of.at(k, clamp(row - 1, of.rows), column);
      case "ArrowDown": return of.at(k, clamp(row + 1, of.rows), column);
      case "PageUp": return of.at(clamp(k - 1, of.count), row, column);
      case "PageDown": return of.at(clamp(k + 1, of.count), row, column);
      case "Home": return of.at(k, row, 0);
      case "End": return of.at(k, row, of.columns - 1);
      default: return undefined;
    }
  }

  protected override heightFor(width: number): number {
    if (!this.grows) return super.heightFor(width);
    const { rows, columns } = layout(this.node);
    const place = this.#placed(width, this.grows);
    return Math.max(28, rows * columns === 1 || place.shown > 1 || place.cellHeight > 2 ? heightOf(place) : this.grows);
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { node } = this;
    const data = valueOf(node);
    const of = layout(node);
    const place = this.#placed(width, height);
    if (!data || hidden.peek()?.node === node) return;
    // Outlines move with the pointer; the cells beneath them are drawn but once.
    const from = [data, palette.peek(), scaleShown(node, data), isGradient(node), place.first, place.shown, place.across, place.cellWidth, place.cellHeight, width, height];
    if (from.some((part, k) => part !== this.#drawn[k])) {
      this.#drawn = from;
      drawCells(prepare(this.#base, width, height), data, of, place, scaleShown(node, data), isGradient(node));
    }
    context.drawImage(this.#base, 0, 0, width, height);
    const { sources, consumers, chosen } = outlined(node);
    const colours = palette.peek();
    if (consumers.length) outlineCells(context, of, place, consumers, css(colours.dim), true);
    if (sources.length) outlineCells(context, of, place, sources, css(colours.ink));
    if (chosen !== undefined) outlineCells(context, of, place, [chosen], css(colours.ink));
  }
}
customElements.define("gs-tensor", TensorGrid);
