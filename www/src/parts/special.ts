import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { t } from "../messages/index.js";
import type { Cell } from "../state/cell.js";
import { hidden } from "../state/predict.js";
import { sitesOf, type Site } from "../state/site.js";
import { computedYet } from "../state/walk.js";

/** Each view is loaded when it is first wanted. */
const LOAD: Readonly<Record<Site["view"], () => Promise<unknown>>> = {
  conv: () => import("./conv-view.js"),
  pool: () => import("./pool-view.js"),
  crossEntropy: () => import("./cross-entropy-view.js"),
  attention: () => import("./attention-view.js"),
  norm: () => import("./norm-view.js"),
  dense: () => import("./dense-view.js"),
};

const loaded = signal<ReadonlySet<Site["view"]>>(new Set());

/** Whether a view is there; it is fetched where it is not, and whoever renders is told when it has come. */
function ready(view: Site["view"]): boolean {
  if (loaded.value.has(view)) return true;
  void LOAD[view]().then(() => loaded.peek().has(view) || (loaded.value = new Set([...loaded.peek(), view])));
  return false;
}

/** What a cell of a convolution or a max-pooling is drawn as in place of the plain cell and its sources; undefined for any other, and while the value is not there. */
export function windowed(cell: Cell): TemplateResult | undefined {
  const [site] = sitesOf(cell);
  if (hidden.value || !computedYet(cell.node) || (site?.view !== "conv" && site?.view !== "pool") || !computedYet(site.cell.node)) return undefined;
  if (!ready(site.view)) return html`<div class="window-rows coming"></div>`;
  return site.view === "conv" ? html`<gs-conv-view .site=${site} .shown=${cell.node}></gs-conv-view>` : html`<gs-pool-view .site=${site}></gs-pool-view>`;
}

/** The other views of its own that a cell's op has, beneath its tensor. They would give away what is to be predicted. */
export function special(cell: Cell): TemplateResult | typeof nothing {
  if (hidden.value) return nothing;
  const drawn = sitesOf(cell).flatMap((site): TemplateResult[] => {
    switch (site.view) {
      case "conv":
      case "pool": return [];
      case "crossEntropy": return computedYet(site.logits) && ready("crossEntropy") ? [html`<gs-cross-entropy-view .site=${site}></gs-cross-entropy-view>`] : [];
      case "attention": return computedYet(site.scores) && ready("attention") ? [html`<gs-attention-view .site=${site}></gs-attention-view>`] : [];
      case "norm": return ready("norm") ? [html`<gs-norm-view .site=${site}></gs-norm-view>`] : [];
      case "dense": return ready("dense") ? [html`<gs-dense-view .site=${site}></gs-dense-view>`] : [];
    }
  });
  return drawn.length ? html`<section class="panel special" aria-label=${t("special.title")}>${drawn}</section>` : nothing;
}
