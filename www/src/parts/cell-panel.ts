import { signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import { Drawing } from "../lib/drawing.js";
import { fitted, general, shape } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { scaleOf } from "../lib/tensor.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { cellLabel, cellOf, explanation, hovered, isGradient, label, layout, looked, select, selected } from "../state/cell.js";
import { hidden } from "../state/predict.js";
import { valueOf } from "../state/values.js";
import { computedYet, example } from "../state/walk.js";
import { pictureName } from "./pictures.js";
import { windowed } from "./special.js";
import { elementsIn } from "./term.js";
import "./tensor.js";

/** A patch is at most so many cells wide and high. */
const SIDE = 7;

/** Some elements of a node that stand together in one picture, as rows of elements. */
interface Patch {
  picture: number;
  rows: (number | undefined)[][];
  /** Elements that are left out. */
  rest: number;
}

/** The elements in patches, one a picture; single numbers stand in a column. */
function patchesOf(node: number, elements: readonly number[], most: number): Patch[] {
  const of = layout(node);
  const wanted = new Set(elements);
  if (of.rows * of.columns === 1) {
    const shown = elements.slice(0, SIDE);
    return [{ picture: 0, rows: shown.map((element) => [element]), rest: elements.length - shown.length }];
  }
  const boxes = new Map<number, [number, number, number, number, number]>();
  for (const element of elements) {
    const [k, row, column] = of.where(element);
    const box = boxes.get(k);
    boxes.set(k, box ? [Math.min(box[0], row), Math.min(box[1], column), Math.max(box[2], row), Math.max(box[3], column), box[4] + 1] : [row, column, row, column, 1]);
  }
  return [...boxes].slice(0, most).map(([picture, [top, left, bottom, right, n]]) => {
    const [height, width] = [Math.min(SIDE, bottom - top + 1), Math.min(SIDE, right - left + 1)];
    const rows = Array.from({ length: height }, (_, r) => Array.from({ length: width }, (_, c) => {
      const element = of.at(picture, top + r, left + c);
      return wanted.has(element) ? element : undefined;
    }));
    const shown = rows.flat().filter((element) => element !== undefined).length;
    return { picture, rows, rest: n - shown };
  });
}

/** A patch with its numbers. */
class PatchGrid extends Drawing {
  readonly #of = signal<{ node: number; patch: Patch } | undefined>(undefined);
  set of(of: { node: number; patch: Patch }) {
    this.#of.value = of;
  }

  protected override reads(): string {
    const of = this.#of.value;
    void palette.value;
    const data = of && valueOf(of.node);
    return of ? of.patch.rows.flat().flatMap((element) => (element === undefined ? [] : [general(data?.[element])])).join(", ") : "";
  }

  protected override heightFor(): number {
    return (this.#of.peek()?.patch.rows.length ?? 0) * 24;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number): void {
    const of = this.#of.peek();
    const data = of && valueOf(of.node);
    if (!of || !data) return;
    const colours = palette.peek();
    const gradient = isGradient(of.node);
    const scale = scaleOf(data) || 1;
    const across = of.patch.rows[0]?.length ?? 1;
    const cell = Math.min(52, width / across);
    context.font = "10px ui-monospace, Menlo, Consolas, \"DejaVu Sans Mono\", monospace";
    context.textAlign = "center";
    context.textBaseline = "middle";
    of.patch.rows.forEach((row, r) => row.forEach((element, c) => {
      if (element === undefined) return;
      const value = data[element]!;
      context.fillStyle = css(diverging(value / scale, colours, gradient), Number.isFinite(value) ? 0.4 : 1);
      context.fillRect(c * cell, r * 24, cell - 1, 23);
      context.fillStyle = Number.isFinite(value) ? css(colours.ink) : "#fff";
      context.fillText(fitted(value, Math.floor((cell - 2) / 6.1)), c * cell + (cell - 1) / 2, r * 24 + 12);
    }));
  }
}
customElements.define("gs-patch", PatchGrid);

/** Pictures of one source that are shown with their numbers. */
const PATCHES = 4;

/** The cell among its neighbours, and the numbers that it was made from. */
class CellPanel extends View {
  #timer: ReturnType<typeof setInterval> | undefined;
  #table = false;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Moves the chosen cell on through its picture, as a window slides; it waits while the pointer is on something. */
  readonly #sweep = (): void => {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = this.#timer ? undefined : setInterval(() => {
      const cell = selected.peek();
      if (!cell || this.querySelector("gs-tensor:hover, gs-marked:hover, .products:hover")) return;
      const of = layout(cell.node);
      const [k, row, column] = of.where(cell.element);
      const single = of.rows * of.columns === 1;
      const next = single ? (k + 1) % of.count : (row * of.columns + column + 1) % (of.rows * of.columns);
      select({ node: cell.node, element: single ? of.at(next, 0, 0) : of.at(k, Math.floor(next / of.columns), next % of.columns) });
    }, 220);
    this.requestUpdate();
  };

  #sources() {
    const now = explanation.value;
    if (!now || now.cell.node !== selected.value?.node || hidden.value?.node === now.node) return nothing;
    return now.sources.map(({ node, count }, k) => {
      // The largest terms' elements come first, so that their pictures are those that are shown.
      const largest = elementsIn(now.term).filter(({ input }) => input === node).map(({ element }) => element);
      const mine = [...new Set([...largest, ...now.sourceElements[k]!])].map((whole) => cellOf(node, whole)).filter((cell) => cell.example === undefined || cell.example === example.value);
      const { count: pictures, rows, columns } = layout(node);
      const single = rows * columns === 1;
      const elements = mine.map(({ element }) => element);
      const patches = patchesOf(node, elements, PATCHES);
      return html`<figure class="source">
        <figcaption><b class="mono">${label(node)}</b> ${count === 1 ? t("cell.source") : t("cell.sources", { n: count })}</figcaption>
        <div class="patches">${patches.map((patch) => html`<div class="patch" style="flex-basis:${Math.max(1, patch.rows[0]?.length ?? 1) * 46}px">
          ${pictures > 1 && !single ? html`<small>${pictureName(node, patch.picture)}</small>` : nothing}
          <gs-patch .of=${{ node, patch }}></gs-patch>
          ${patch.rest > 0 ? html`<small>${t("terms.more", { n: patch.rest })}</small>` : nothing}</div>`)}</div>
      </figure>`;
    });
  }

  /** The same picture as a table, for those who read rather than look. */
  #numbers(node: number, picture: number) {
    const of = layout(node);
    const data = valueOf(node);
    if (!data || hidden.value?.node === node) return nothing;
    const single = of.rows * of.columns === 1;
    const columns = Math.min(single ? Math.min(of.count, 8) : of.columns, 64);
    const rows = Math.min(single ? Math.ceil(of.count / columns) : of.rows, 64);
    const element = (row: number, column: number): number => (single ? of.at(row * columns + column, 0, 0) : of.at(picture, row, column));
    return html`<div class="scroll-x" tabindex="0" role="region" aria-label=${t("cell.table")}><table class="numbers cells"><thead><tr><td></td>${Array.from({ length: columns }, (_, c) => html`<th scope="col">${c}</th>`)}</tr></thead>
      <tbody>${Array.from({ length: rows }, (_, r) => html`<tr><th scope="row">${single ? r * columns : r}</th>${Array.from({ length: columns }, (_, c) =>
        html`<td>${element(r, c) < data.length ? general(data[element(r, c)]) : ""}</td>`)}</tr>`)}</tbody></table></div>`;
  }

  override render() {
    // A pointer over another tensor does not turn the panel over.
    const cell = hovered.value?.node === selected.value?.node ? looked.value : selected.value;
    if (!cell) return nothing;
    const of = layout(cell.node);
    const [picture] = of.where(cell.element);
    const single = of.rows * of.columns === 1;
    const kind = of.kind === "map" || of.kind === "kernel";
    return html`<section class="panel cell-view" aria-label=${t("zoom.cell")}>
      <header><h2 class="mono-name">${cellLabel(cell)}</h2><p>${kind ? `${pictureName(cell.node, picture)}, ${shape([of.rows, of.columns])}` : ""}</p>
        <button aria-pressed=${this.#timer !== undefined} ?disabled=${!computedYet(cell.node)} @click=${this.#sweep}>${this.#timer ? t("window.stop") : t("cell.sweep")}</button></header>
      ${windowed(cell) ?? html`<div class="cell-body">
        <figure>${computedYet(cell.node)
          ? html`<gs-tensor .node=${cell.node} .most=${single ? 4096 : 1} .grows=${380} .largest=${single ? 32 : 64}></gs-tensor>`
          : html`<div class="multiples hatch not-yet"><span>${t("cards.none")}</span></div>`}</figure>
        <div class="cell-sources"><h3>${t("cell.from")}</h3>${this.#sources()}</div>
      </div>`}
      <details class="as-table" @toggle=${(event: Event) => {
        this.#table = (event.target as HTMLDetailsElement).open;
        this.requestUpdate();
      }}><summary>${t("cell.table")}</summary>${this.#table ? this.#numbers(cell.node, picture) : nothing}</details>
    </section>`;
  }
}
customElements.define("gs-cell-panel", CellPanel);
