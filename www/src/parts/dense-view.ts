import { signal } from "@preact/signals-core";
import { html, nothing, svg, type TemplateResult } from "lit";
import { general } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { errorText, t } from "../messages/index.js";
import { asking, edit, editProblem, elementLabel, label, nudge, nudged, same, select, shapeOf, type Cell } from "../state/cell.js";
import { onPlane, readUnits } from "../state/plane.js";
import { onward, type Site } from "../state/site.js";
import * as store from "../state/store.js";
import { valueOf } from "../state/values.js";
import { computedYet, info, nodes, state } from "../state/walk.js";
import "./unit.js";
import { nudgeTable } from "./walk-explain.js";
import "./special-style.js";

type Dense = Extract<Site, { view: "dense" }>;

/** A layer of at most so many links is drawn whole; of a larger one, so many of the chosen unit's. */
const WHOLE = 96;
const STRONGEST = 16;

/** Sizes of the drawing, in CSS pixels: the distance of two units and the side of a unit, with pictures over the plane and without. */
const SIZES = { plain: [28, 18], pictures: [40, 32] } as const;
const GUTTER = 84;
/** Room for the names of the two layers. */
const HEAD = 22;

/** A weight between two units. */
interface Link {
  from: number;
  to: number;
  weight: number;
}

/** The links between two layers of single numbers: as wide as the weight is large, in the colour of its sign. A link opens its weight. */
class DenseView extends View {
  readonly #site = signal<Dense | undefined>(undefined);
  /** The weight that is open, as an element of the kernel. */
  readonly #open = signal<number | undefined>(undefined);
  #width = 640;
  readonly #observer = new ResizeObserver(([entry]) => {
    const width = Math.round(entry!.contentRect.width);
    if (width > 0 && width !== this.#width) {
      this.#width = width;
      this.requestUpdate();
    }
  });
  #observed: Element | undefined;
  /** The unit that was looked at last: opening a link does not change it. */
  #unit = 0;

  set site(site: Dense) {
    const before = this.#site.peek();
    this.#site.value = site;
    if (before?.kernel !== site.kernel) {
      this.#unit = 0;
      this.#open.value = undefined;
    }
  }

  protected override updated(): void {
    if (onPlane.peek()) readUnits();
    const box = this.querySelector(".links-box") ?? undefined;
    if (box === this.#observed) return;
    this.#observer.disconnect();
    this.#observed = box;
    if (box) this.#observer.observe(box);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#observed = undefined;
  }

  /** The links that are drawn. */
  #links(site: Dense, weights: Float32Array): { links: Link[]; whole: boolean } {
    const [inputs = 1, units = 1] = shapeOf(site.kernel);
    const link = (from: number, to: number): Link => ({ from, to, weight: weights[from * units + to]! });
    if (inputs * units <= WHOLE) return { whole: true, links: Array.from(weights, (_, k) => link(Math.floor(k / units), k % units)) };
    // Of a unit the strongest that come in; of a source the strongest that go out.
    const one = site.unit === undefined && site.source !== undefined
      ? Array.from({ length: units }, (_, to) => link(site.source!, to)) : Array.from({ length: inputs }, (_, from) => link(from, this.#unit));
    const strongest = one.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, STRONGEST);
    return { whole: false, links: strongest.sort((a, b) => a.from - b.from || a.to - b.to) };
  }

  /** The layer whose units' pictures over the plane stand for a node; none where the network's input is no point of a plane. */
  #pictured(node: number): string | undefined {
    if (!onPlane.value) return undefined;
    return node === info.value!.x ? "x" : info.value!.layers.find(({ output }) => output === node)?.name;
  }

  /** A small square in the colour of a value, or with its picture over the plane, and the value beside it. */
  #unitMark(x: number, y: number, node: number, element: number, largest: number, left: boolean, on: boolean): TemplateResult {
    const layer = this.#pictured(node);
    const [, side] = onPlane.value ? SIZES.pictures : SIZES.plain;
    const value = computedYet(node) ? valueOf(node)?.[element] : undefined;
    const fill = value === undefined ? "var(--hatch)" : css(diverging(largest > 0 ? value / largest : 0, palette.value));
    const text = left ? x - side / 2 - 6 : x + side / 2 + 6;
    return svg`<g>${layer === undefined ? nothing : svg`<foreignObject x=${x - side / 2} y=${y - side / 2} width=${side} height=${side}>${html`<gs-unit .layer=${layer} .unit=${element}></gs-unit>`}</foreignObject>`}
      <rect x=${x - side / 2} y=${y - side / 2} width=${side} height=${side} rx="3" fill=${layer === undefined ? fill : "none"} stroke=${on ? "var(--ink)" : "var(--edge)"} stroke-width=${on ? 2 : 1}></rect>
      <text x=${text} y=${y - 1} text-anchor=${left ? "end" : "start"} class="unit-value">${value === undefined ? "–" : general(value)}</text>
      <text x=${text} y=${y + 10} text-anchor=${left ? "end" : "start"} class="unit-name">[${element}]</text></g>` as unknown as TemplateResult;
  }

  /** Opens a weight, or closes the one that is open. */
  #show(element: number | undefined): void {
    editProblem.value = undefined;
    this.#open.value = element;
    // Where it stands beneath the links it may be out of sight.
    if (element !== undefined) void this.updateComplete.then(() => this.querySelector(".weight-open")?.scrollIntoView({ block: "nearest" }));
  }

  #weight(site: Dense, element: number): TemplateResult {
    const cell: Cell = { node: site.kernel, element };
    const { gradient } = nodes.value[site.kernel]!;
    const [, units = 1] = shapeOf(site.kernel);
    const source = nodes.value[site.product]!.inputs[0]!;
    const from = Math.floor(element / units);
    const value = valueOf(site.kernel)?.[element];
    const problem = editProblem.value;
    const submit = (event: Event): void => {
      event.preventDefault();
      const text = ((event.target as HTMLFormElement).elements.namedItem("weight") as HTMLInputElement).value.trim().replace("−", "-");
      const number = Number(text);
      if (text === "" || !Number.isFinite(number)) editProblem.value = t("edit.notNumber", { typed: text || "–" });
      else void edit(number, cell);
    };
    const close = (event?: KeyboardEvent): void => {
      if (event && event.key !== "Escape") return;
      event?.preventDefault();
      this.#show(undefined);
      void this.updateComplete.then(() => this.querySelector<HTMLElement>(`[data-link="${element}"]`)?.focus());
    };
    const input = valueOf(source)?.[from];
    return html`<section class="weight-open" aria-label=${elementLabel(site.kernel, element)} @keydown=${close}>
      <header><h4 class="mono">${elementLabel(site.kernel, element)}</h4>
        <button class="small" @click=${() => close()}>${t("help.close")}</button></header>
      <dl class="fused mono"><dt>${t("slots.value")}</dt><dd><b>${general(value)}</b></dd>
        <dt>${`${label(source)}[${from}]`} × w</dt><dd>${computedYet(source) && input !== undefined && value !== undefined ? html`${general(input)} × ${general(value)} = ${general(input * value)}` : "–"}</dd>
        <dt>${t("slots.gradient")}</dt><dd>${gradient == null || !computedYet(gradient) ? html`<small>${t("cards.none")}</small>` : general(valueOf(gradient)?.[element])}</dd></dl>
      <form class="edit" @submit=${submit}><label><span>${t("edit.value")}</span><input name="weight" type="text" inputmode="decimal" autocomplete="off" aria-invalid=${problem ? "true" : "false"} aria-describedby="weight-problem" .value=${String(value ?? 0)}></label>
        <button class="primary" type="submit">${t("edit.set")}</button>
        <p id="weight-problem" role="alert">${problem ? (typeof problem === "string" ? problem : errorText(problem)) : ""}</p></form>
      <div class="buttons"><button title=${t("action.nudgeWhy")} ?disabled=${asking.value} @click=${() => void nudge(cell)}>${t("action.nudge")}</button>
        <button @click=${() => select(cell)}>${t("dense.show")}</button></div>
      ${nudged.value && same(nudged.value.cell, cell) ? html`<div role="status">${nudgeTable(nudged.value.nudge)}</div>` : nothing}
    </section>`;
  }

  override render() {
    const site = this.#site.value;
    const weights = site && valueOf(site.kernel);
    if (!site || !weights) return nothing;
    void state.value?.cursor;
    void store.weights.value;
    if (site.unit !== undefined) this.#unit = site.unit;
    const [inputs = 1, units = 1] = shapeOf(site.kernel);
    const source = nodes.value[site.product]!.inputs[0]!;
    let result = site.product;
    for (let at = onward(result); at; at = onward(result)) result = at.node;
    const { links, whole } = this.#links(site, weights);
    const outward = !whole && site.unit === undefined && site.source !== undefined;
    const lefts = whole ? Array.from({ length: inputs }, (_, k) => k) : [...new Set(links.map(({ from }) => from))];
    const rights = whole ? Array.from({ length: units }, (_, k) => k) : [...new Set(links.map(({ to }) => to))];
    const [row, side] = onPlane.value ? SIZES.pictures : SIZES.plain;
    const height = HEAD + Math.max(lefts.length, rights.length) * row;
    const width = Math.max(240, Math.min(560, this.#width));
    const place = (list: readonly number[], k: number): number => HEAD + ((height - HEAD) / list.length) * (list.indexOf(k) + 0.5);
    const gutter = Math.min(GUTTER, width * 0.27);
    const [x0, x1] = [gutter, width - gutter];
    const largest = Math.max(1e-30, ...links.map(({ weight }) => Math.abs(weight)).filter(Number.isFinite));
    const scale = (node: number): number => (valueOf(node) ?? new Float32Array()).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const [scaleLeft, scaleRight] = [scale(source), computedYet(result) ? scale(result) : 0];
    const open = this.#open.value;
    const colours = palette.value;
    const keys = (event: KeyboardEvent): void => {
      const target = event.target as SVGElement;
      const all = [...this.querySelectorAll<SVGElement>("[data-link]")];
      const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
      if (event.altKey || event.shiftKey || (!by && event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      if (by) all[(all.indexOf(target) + by + all.length) % all.length]?.focus();
      else this.#show(Number(target.dataset.link));
    };
    const first = open ?? (links[0] ? links[0].from * units + links[0].to : -1);
    return html`<div class="special-body dense"><h3>${t("dense.title")}</h3>
      <p class="caption">${whole ? t("dense.whole", { n: links.length }) : outward ? t("dense.out", { n: links.length, k: site.source! }) : t("dense.strongest", { n: links.length, all: inputs, k: this.#unit })}
        <span class="legend"><span class="mono">−</span><i class="ramp"></i><span class="mono">+</span></span></p>
      <div class="dense-grid"><div class="links-box"><svg class="links" viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="group" aria-label=${t("dense.label", { from: label(source), to: label(result) })} @keydown=${keys}>
        ${[...links].sort((a, b) => Math.abs(a.weight) - Math.abs(b.weight)).map(({ from, to, weight }) => {
          const element = from * units + to;
          const [y0, y1] = [place(lefts, from), place(rights, to)];
          const middle = (x0 + x1) / 2;
          const path = `M${x0 + side / 2} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1 - side / 2} ${y1}`;
          const wide = Number.isFinite(weight) ? Math.max(0.6, (Math.abs(weight) / largest) * 9) : 9;
          const dim = whole && open === undefined && site.unit !== undefined && nodes.value[site.product]!.layer && to !== site.unit && units > 1;
          return svg`<g class="link-line ${open === element ? "open" : ""} ${dim ? "other" : ""}" data-link=${element} role="button" tabindex=${element === first ? 0 : -1}
            aria-expanded=${open === element} aria-label=${t("dense.link", { from, to, value: general(weight) })} @click=${() => this.#show(open === element ? undefined : element)}>
            <title>${elementLabel(site.kernel, element)} = ${general(weight)}</title>
            <path d=${path} class="reach"></path><path d=${path} stroke=${css(diverging(Math.sign(weight) * Math.max(0.35, Math.abs(weight) / largest), colours))} stroke-width=${wide}></path></g>`;
        })}
        <g aria-hidden="true">${lefts.map((k) => this.#unitMark(x0, place(lefts, k), source, k, scaleLeft, true, site.source === k))}
        ${rights.map((k) => this.#unitMark(x1, place(rights, k), result, k, scaleRight, false, site.unit === k))}</g>
        <g aria-hidden="true"><text x=${x0 + side / 2} y="10" text-anchor="end" class="unit-name">${label(source)}</text><text x=${x1 - side / 2} y="10" text-anchor="start" class="unit-name">${label(result)}</text></g>
      </svg></div>
      ${open === undefined ? html`<p class="why">${t("dense.hint")}</p>` : this.#weight(site, open)}</div></div>`;
  }
}
customElements.define("gs-dense-view", DenseView);
