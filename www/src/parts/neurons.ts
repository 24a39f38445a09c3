import { signal } from "@preact/signals-core";
import { html, nothing, svg } from "lit";
import { general } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, diverging, palette } from "../lib/palette.js";
import { shortName } from "../lib/text.js";
import { t } from "../messages/index.js";
import { lookAt } from "../state/cell.js";
import { kernelOf } from "../state/pictures.js";
import { readUnits, units } from "../state/plane.js";
import * as store from "../state/store.js";
import { LiveView } from "./live.js";
import "./unit.js";

/** Units of a layer that are drawn. */
const SHOWN = 12;

/** Sizes of the drawing, in CSS pixels: the distance of two units, the side of a picture, room for the layers' names. */
const STEP = 44;
const SIDE = 36;
const HEAD = 24;

const kernels = signal<ReadonlyMap<string, Float32Array>>(new Map());

const readKernels = latest(async () => {
  const [session, built] = [store.session.peek(), store.built.peek()];
  if (!session || !built) return;
  const names = built.parameters.filter(({ name, shape }) => name.endsWith(".kernel") && shape.length === 2).map(({ name }) => name);
  try {
    const read = await Promise.all(names.map((name) => session.getParameter(name)));
    if (store.session.peek() === session) kernels.value = new Map(names.map((name, k) => [name, read[k]!]));
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});

/** A network over the plane: every unit as a picture of what it says there, every weight as a link as wide as it is large. */
class Neurons extends LiveView {
  protected override clear(): void {
    kernels.value = units.value = new Map();
  }

  protected override refresh(): void {
    readUnits();
    readKernels();
  }

  override render() {
    const built = store.built.value;
    if (!built) return nothing;
    const colours = palette.value;
    const columns = [{ name: "x", count: 2 }, ...built.description.layers.map(({ name, outputShape }) => ({ name, count: outputShape?.[0] ?? 1 }))];
    const most = Math.min(SHOWN, Math.max(...columns.map(({ count }) => count)));
    const height = HEAD + most * STEP + (columns.some(({ count }) => count > SHOWN) ? 16 : 0);
    /** Middle of a column, in percent of the width, and of a unit, in pixels. */
    const x = (column: number): number => ((column + 0.5) / columns.length) * 100;
    const y = (count: number, k: number): number => HEAD + (most * STEP * (k + 0.5)) / Math.min(SHOWN, count);
    const links = columns.slice(1).flatMap(({ name, count }, before) => {
      const kernel = kernels.value.get(kernelOf(name));
      const from = columns[before]!.count;
      if (kernel?.length !== from * count) return [];
      const largest = kernel.reduce((most, weight) => Math.max(most, Math.abs(weight)), 1e-30);
      return Array.from(kernel, (weight, k) => ({ from: Math.floor(k / count), to: k % count, weight }))
        .filter((link) => link.from < SHOWN && link.to < SHOWN)
        .map((link) => svg`<line x1="${x(before)}%" y1=${y(from, link.from)} x2="${x(before + 1)}%" y2=${y(count, link.to)} stroke=${css(diverging(Math.sign(link.weight) * Math.max(0.35, Math.abs(link.weight) / largest), colours))}
          stroke-width=${Math.max(0.5, (Math.abs(link.weight) / largest) * 6)}><title>${kernelOf(name)}[${link.from}, ${link.to}] = ${general(link.weight)}</title></line>`);
    });
    return html`<section class="panel neurons"><header><h2>${t("neurons.title")}</h2><p>${t("neurons.text")}</p></header>
      <div class="neuron-box" style="height:${height}px;min-width:${columns.length * (SIDE + 20)}px">
        <svg width="100%" height=${height} aria-hidden="true">${links}</svg>
        ${columns.map(({ name, count }, column) => html`<p class="neuron-layer" style="left:${x(column)}%">${column ? shortName(name) : t("cards.x")}</p>
          ${Array.from({ length: Math.min(SHOWN, count) }, (_, k) => {
            const place = `left:calc(${x(column)}% - ${SIDE / 2}px);top:${y(count, k) - SIDE / 2}px`;
            const unit = html`<gs-unit .layer=${name} .unit=${k}></gs-unit>`;
            return column
              ? html`<button class="neuron ${store.selected.value === name ? "on" : ""}" style=${place} @click=${() => lookAt(name)}>${unit}</button>`
              : html`<span class="neuron" style=${place}>${unit}</span>`;
          })}
          ${count > SHOWN ? html`<p class="neuron-more" style="left:${x(column)}%">${t("terms.more", { n: count - SHOWN })}</p>` : nothing}`)}
      </div></section>`;
  }
}
customElements.define("gs-neurons", Neurons);
