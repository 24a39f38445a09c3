import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import type { Cell } from "../state/cell.js";
import { hidden } from "../state/predict.js";
import { sitesOf, type Site } from "../state/site.js";
import { computedYet } from "../state/walk.js";

/** Each view is loaded when it is first wanted. */
const LOAD: Readonly<Record<Site["view"], () => Promise<unknown>>> = {
  conv: () => import("./conv-view.js"),
  pool: () => import("./conv-view.js"),
  crossEntropy: () => import("./conv-view.js"),
  norm: () => import("./conv-view.js"),
  dense: () => import("./conv-view.js"),
};

const loaded = signal<ReadonlySet<Site["view"]>>(new Set());

/** Whether a view is there; it is fetched where it is not, and whoever renders is told when it has come. */
function ready(view: Site["view"]): boolean {
  if (loaded.value.has(view)) return true;
  void LOAD[view]().then(() => loaded.peek().has(view) || (loaded.value = new Set([...loaded.peek(), view])));
  return false;
}

/** What a convolution's cell is drawn as in place of the plain cell and its sources; undefined for any other, and while the value is not there. */
export function windowed(cell: Cell): TemplateResult | undefined {
  const site = sitesOf(cell).find(({ view }) => view === "conv");
  if (site?.view !== "conv" || hidden.value || !computedYet(cell.node) || !computedYet(site.cell.node)) return undefined;
  return ready("conv") ? html`<gs-conv-view .site=${site} .shown=${cell.node}></gs-conv-view>` : html`<div class="window-rows waiting"></div>`;
}

/** The view of its own that an op has, beneath its tensor. */
export function special(_cell: Cell): TemplateResult | typeof nothing {
  return nothing;
}
