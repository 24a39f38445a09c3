import { signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import { fixed, shape } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, diverging, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import * as store from "../state/store.js";
import { LiveView } from "./live.js";

const values = signal<ReadonlyMap<string, Float32Array>>(new Map());

const refresh = latest(async () => {
  const session = store.session.peek();
  const built = store.built.peek();
  if (!session || !built) return;
  try {
    const read = await Promise.all(built.parameters.map(async ({ name }) => [name, await session.getParameter(name)] as const));
    if (store.session.peek() === session) values.value = new Map(read);
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});

/** Every weight of a small network, as numbers. */
class Weights extends LiveView {
  protected override clear(): void {
    values.value = new Map();
  }

  protected override refresh = refresh;

  override render() {
    const built = store.built.value;
    if (!built) return nothing;
    void palette.value;
    const all = [...values.value.values()].flatMap((of) => [...of]);
    const largest = Math.max(1e-9, ...all.map(Math.abs).filter(Number.isFinite));
    return html`<section class="panel weights">
      <header><h2>${t("weights.title")}</h2><p>${t("weights.text")}</p></header>
      <div class="weight-tables">
        ${built.parameters.map(({ name, shape: sizes }) => {
          const columns = sizes.at(-1) ?? 1;
          const of = values.value.get(name);
          const rows = Math.max(1, sizes.reduce((a, b) => a * b, 1) / columns);
          return html`<table class="grid-numbers"><caption>${name} <small>${shape(sizes)}</small></caption><tbody>
            ${Array.from({ length: rows }, (_, row) => html`<tr>${Array.from({ length: columns }, (_, column) => {
              const value = of?.[row * columns + column];
              return html`<td class=${value === undefined ? "hatch" : ""} style=${value === undefined ? "" : `background:${css(diverging(value / largest), 0.45)}`}>${value === undefined ? "" : fixed(value)}</td>`;
            })}</tr>`)}</tbody></table>`;
        })}
      </div>
    </section>`;
  }
}
customElements.define("gs-weights", Weights);
