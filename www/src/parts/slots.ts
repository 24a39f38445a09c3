import { effect, signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import { count, fitted, general, shape } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { layoutOf } from "../lib/tensor.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import { select, selected } from "../state/cell.js";
import { failWalking } from "../state/engine.js";
import { generation, gradientOf, info, nodes, state, walk } from "../state/walk.js";

type Table = Awaited<ReturnType<import("gradscope").Walk["optimizer"]>>;

/** Rows of a page. */
const PAGE = 16;

const chosen = signal<string | undefined>(undefined);
const page = signal(0);
const table = signal<Table | undefined>(undefined);

const HEADS: Readonly<Record<string, PlainKey>> = {
  value: "slots.value", gradient: "slots.gradient", update: "slots.update", next: "slots.next",
};

/** Columns in the order in which they are read: the value, what is done to it and the outcome before what the optimizer keeps. */
const order = (names: readonly string[]): number[] => {
  const first = ["value", "gradient", "update", "next"].map((name) => names.indexOf(name)).filter((k) => k >= 0);
  return [...first, ...names.map((_, k) => k).filter((k) => !first.includes(k))];
};

const heading = (column: string): string =>
  HEADS[column] ? t(HEADS[column]!) : column.startsWith("next ") ? t("slots.nextOf", { name: column.slice(5) }) : column;

/** The parameters of the walk, by name. */
const parameters = (): { name: string; node: number }[] =>
  nodes.value.flatMap(({ role, variable }, node) => (role === "parameter" && variable != null ? [{ name: variable, node }] : []));

/** The parameter of the chosen cell, if it is one or the gradient of one. */
function ofSelection(): { node: number; element: number } | undefined {
  const cell = selected.value;
  if (!cell) return undefined;
  const of = [cell.node, ...(gradientOf.value.get(cell.node) ?? [])].find((node) => nodes.value[node]?.role === "parameter");
  return of === undefined ? undefined : { node: of, element: cell.element };
}

const refresh = latest(async () => {
  const [open, name] = [walk.peek(), chosen.peek()];
  if (!open || !name) return;
  try {
    const now = await open.optimizer(name);
    if (walk.peek() === open && chosen.peek() === name) table.value = now;
  } catch (error) {
    if (walk.peek() === open) failWalking(error);
  }
});

/** What the optimizer does to each element of a parameter: value, gradient, its own slots, the update, the next value. */
class Slots extends View {
  #stops: (() => void)[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    let before = "";
    this.#stops.push(
      effect(() => {
        const of = ofSelection();
        const name = of && nodes.value[of.node]?.variable;
        if (!of || name == null) return;
        chosen.value = name;
        page.value = Math.floor(of.element / PAGE);
      }),
      effect(() => {
        if (!parameters().some(({ name }) => name === chosen.value)) chosen.value = parameters()[0]?.name;
        // The gradient comes with the backward pass, the rest with the update.
        const [at, of] = [state.value?.cursor ?? 0, info.value];
        const stage = of && at === of.ops.length ? "updated" : of && at >= of.backwardEnd ? "backward" : "";
        const key = `${chosen.value} ${generation.value} ${stage}`;
        if (key !== before && walk.value) refresh();
        before = key;
      }),
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops.splice(0)) stop();
  }

  override render() {
    const now = table.value;
    const all = parameters();
    const parameter = all.find(({ name }) => name === chosen.value);
    if (!parameter) return html`<p class="none">${t("slots.none")}</p>`;
    const size = now?.parameter === parameter.name ? now.shape.reduce((a, b) => a * b, 1) : 0;
    const pages = Math.max(1, Math.ceil(size / PAGE));
    const from = Math.min(page.value, pages - 1) * PAGE;
    const { index } = layoutOf(now?.shape ?? []);
    const mine = ofSelection();
    const columns = order(now?.columns ?? []);
    return html`<section class="slots"><h3>${t("slots.title")}</h3>
      <label class="inline"><span>${t("slots.parameter")}</span><select @change=${(event: Event) => {
        chosen.value = (event.target as HTMLSelectElement).value;
        page.value = 0;
      }}>${all.map(({ name }) => html`<option ?selected=${name === chosen.value}>${name}</option>`)}</select></label>
      ${now && size > 0
        ? html`<p class="hint">${now.kind} · ${t("hyper.rate")} ${general(now.learningRate)} · ${shape(now.shape) || "1"}</p>
          <div class="scroll-x" tabindex="0" role="region" aria-label=${t("slots.title")}><table class="numbers"><thead><tr><th scope="col">${t("slots.element")}</th>${columns.map((k) => html`<th scope="col">${heading(now.columns[k]!)}</th>`)}</tr></thead>
          <tbody>${Array.from({ length: Math.min(PAGE, size - from) }, (_, k) => {
            const element = from + k;
            return html`<tr class=${mine?.element === element ? "on" : ""}><th scope="row"><button class="link mono" @click=${() => select({ node: parameter.node, element })}>[${index(element).join(",")}]</button></th>
              ${columns.map((k) => html`<td>${fitted(now.data[k]?.[element] ?? NaN, 8)}</td>`)}</tr>`;
          })}</tbody></table></div>
          ${pages > 1 ? html`<div class="pages"><button class="small" ?disabled=${from === 0} @click=${() => (page.value = Math.max(0, page.value - 1))}>${t("slots.before")}</button>
            <span>${t("slots.page", { from: count(from + 1), to: count(Math.min(size, from + PAGE)), all: count(size) })}</span>
            <button class="small" ?disabled=${from + PAGE >= size} @click=${() => (page.value = page.value + 1)}>${t("slots.after")}</button></div>` : nothing}
          <p class="hint">${t("slots.text")}</p>`
        : nothing}
    </section>`;
  }
}
customElements.define("gs-slots", Slots);
