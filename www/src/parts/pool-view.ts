import { signal } from "@preact/signals-core";
import { html, noChange, nothing, type TemplateResult } from "lit";
import { general, narrow } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { cellOf, elementLabel, label, layout, select, wholeElement, type Cell, type Explained } from "../state/cell.js";
import type { Site } from "../state/site.js";
import { EVERY, Explaining } from "../state/terms.js";
import { valueOf } from "../state/values.js";
import { nodes } from "../state/walk.js";
import { winnersOf } from "../state/winners.js";
import type { Mark } from "./marked.js";
import { pictureName } from "./pictures.js";
import "./marked.js";
import "./tensor.js";
import "./special-style.js";

type Pool = Extract<Site, { view: "pool" }>;

/** A max-pooling: which pixel of each window won, forward, and where its gradient goes, backward. */
class PoolView extends View {
  readonly #site = signal<Pool | undefined>(undefined);
  readonly #explaining = new Explaining();
  #shown = false;

  set site(site: Pool) {
    this.#site.value = site;
  }

  /** The windows that the chosen cell is about: its own, or all that saw the pixel; each with its pixels and its winner. */
  #windows(now: Explained, { forward, backward, cell }: Pool, winners: ReadonlyMap<number, number>): { window: number; winner: number | undefined }[] {
    if (!backward) return [{ window: cell.element, winner: winners.get(cell.element) }];
    const gradient = nodes.value[now.node]!.inputs[1]!;
    const k = now.sources.findIndex(({ node }) => node === gradient);
    // The gradients from above stand where the windows' results stood.
    return [...(now.sourceElements[k] ?? [])].map((whole) => {
      const window = cellOf(forward, whole).element;
      return { window, winner: winners.get(window) };
    });
  }

  #link(node: number, element: number, name?: string): TemplateResult {
    const whole = wholeElement({ node, element });
    return html`<button class="link mono" @click=${() => select({ node, element })}>${elementLabel(node, whole, name)}</button> <b class="mono">${general(valueOf(node)?.[element])}</b>`;
  }

  #sentences(site: Pool, input: number, windows: readonly { window: number; winner: number | undefined }[], pixels: readonly number[]): TemplateResult {
    if (!site.backward) {
      const winner = windows[0]?.winner;
      if (winner === undefined) return html`<p>${t("walk.computing")}</p>`;
      const second = pixels.filter((pixel) => pixel !== winner).map((pixel) => valueOf(input)?.[pixel] ?? NaN).sort((a, b) => b - a)[0];
      return html`<p>${t("pool.won")} ${this.#link(input, winner)}${second === undefined ? nothing : html`; ${t("pool.second")} <b class="mono">${general(second)}</b>`}.</p>
        <p class="why">${t("teach.maxPool")}</p>`;
    }
    const gradient = nodes.value[site.cell.node]!.inputs[1]!;
    return html`${windows.map(({ window, winner }) => winner === undefined ? nothing : html`<p>${winner === site.cell.element ? t("pool.isWinner") : t("pool.isLoser")}
        ${winner === site.cell.element ? this.#link(gradient, window, "δ") : this.#link(input, winner)}.</p>`)}
      <p class="why">${t("teach.maxPoolGrad")}</p>`;
  }

  /** The window's pixels where they lie, the winner outlined. */
  #numbers(input: number, pixels: readonly number[], won: readonly number[]): TemplateResult {
    const data = valueOf(input);
    const places = pixels.map((pixel) => layout(input).where(pixel));
    const sorted = (values: number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
    const [rows, columns] = [sorted(places.map(([, row]) => row)), sorted(places.map(([, , column]) => column))];
    const largest = Math.max(1e-30, ...pixels.map((pixel) => Math.abs(data?.[pixel] ?? 0)));
    return html`<figure><figcaption>${t("pool.window")}</figcaption><div class="products" style="grid-template-columns:repeat(${columns.length},minmax(0,1fr))">
      ${pixels.map((pixel, k) => html`<div class="product ${won.includes(pixel) ? "last" : ""}" title=${elementLabel(input, wholeElement({ node: input, element: pixel }))}
        style="grid-area:${rows.indexOf(places[k]![1]) + 1}/${columns.indexOf(places[k]![2]) + 1};background:${css(diverging((data?.[pixel] ?? 0) / largest, palette.value), 0.45)}"><b>${narrow(data?.[pixel])}</b></div>`)}</div></figure>`;
  }

  override render() {
    const site = this.#site.value;
    if (!site) return nothing;
    const cell: Cell = site.cell;
    const now = this.#explaining.of(cell, EVERY);
    const input = nodes.value[site.forward]!.inputs[0]!;
    const [picture] = layout(cell.node).where(cell.element);
    const winners = winnersOf(site.forward, picture);
    // What stands there stays meanwhile: a grid that went away would take the keyboard's focus with it.
    if (!now || !this.#explaining.isCurrent) return this.#shown ? noChange : html`<div class="window-rows coming" role="status">${t("walk.computing")}</div>`;
    this.#shown = true;
    const windows = this.#windows(now, site, winners?.of ?? new Map());
    const k = now.sources.findIndex(({ node }) => node === input);
    const pixels = [...(now.sourceElements[k] ?? [])].map((whole) => cellOf(input, whole).element);
    const places = pixels.map((pixel) => layout(input).where(pixel));
    const marks: Mark[] = [...(winners?.of.values() ?? [])].map((element) => {
      const [, row, column] = layout(input).where(element);
      return { kind: "winner", row, column };
    });
    if (places.length) {
      const [rows, columns] = [places.map(([, row]) => row), places.map(([, , column]) => column)];
      const [top, left] = [Math.min(...rows), Math.min(...columns)];
      marks.push({ kind: "frame", row: top, column: left, rows: Math.max(...rows) - top + 1, columns: Math.max(...columns) - left + 1 });
    }
    const won = windows.flatMap(({ winner }) => (winner === undefined ? [] : [winner]));
    const about = site.backward ? [cell.element] : won;
    for (const element of about) {
      const [, row, column] = layout(input).where(element);
      marks.push({ kind: "cell", row, column });
    }
    const gradient = site.backward ? nodes.value[cell.node]!.inputs[1]! : undefined;
    const resultMarks: Mark[] = windows.map(({ window }) => {
      const [, row, column] = layout(site.forward).where(window);
      return { kind: "cell", row, column };
    });
    const distinct = new Set(winners?.of.values()).size;
    return html`<div class="window-rows pool">
      <div class="window-grid three">
        <figure><figcaption><b class="mono">${label(input)}</b> ${pictureName(input, picture)} · ${winners ? t("pool.winners", { n: distinct }) : t("walk.computing")}</figcaption>
          <gs-marked .of=${{ node: input, picture, marks, text: t("pool.pictureLabel", { name: label(input), picture: pictureName(input, picture), n: distinct }) }}></gs-marked></figure>
        ${gradient === undefined ? this.#numbers(input, pixels, won)
          : html`<figure><figcaption><b class="mono">${label(gradient)}</b> ${pictureName(gradient, picture)}</figcaption>
          <gs-marked .of=${{ node: gradient, picture, marks: resultMarks, text: `${label(gradient)}, ${pictureName(gradient, picture)}` }}></gs-marked></figure>`}
        <figure><figcaption><b class="mono">${label(cell.node)}</b> ${t("pool.choose")}</figcaption>
          <gs-tensor .node=${cell.node} .most=${1} .grows=${224} .largest=${44}></gs-tensor></figure>
      </div>
      <div class="pool-text">${this.#sentences(site, input, windows, pixels)}</div></div>`;
  }
}
customElements.define("gs-pool-view", PoolView);
