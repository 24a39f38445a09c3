import { html, nothing } from "lit";
import type { Nudge, Reason } from "gradscope";
import { count, fixed, general } from "../lib/format.js";
import { View } from "../lib/view.js";
import { errorText, t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import {
  asking, askWhyZero, cellLabel, cellOf, edit, editable, editing, editProblem, explanation, inspected, isGradient, most, nudge, nudged, pins, reasons,
  same, select, selected, togglePin, wholeElement, zoom, type Cell,
} from "../state/cell.js";
import { hidden, predict, question, togglePredict } from "../state/predict.js";
import { sitesOf, type Site } from "../state/site.js";
import { pane } from "../state/store.js";
import { valueOf } from "../state/values.js";
import { computedYet, nodes, state } from "../state/walk.js";
import { line, list, sumIn } from "./term.js";
import { teachings } from "./teaching.js";

const CAUSES: Readonly<Record<Reason["cause"], PlainKey>> = {
  notZero: "cause.notZero", upstreamZero: "cause.upstreamZero", factorZero: "cause.factorZero", negative: "cause.negative", lostMax: "cause.lostMax",
  masked: "cause.masked", cancelled: "cause.cancelled", leaf: "cause.leaf", notComputed: "cause.notComputed",
};

/** How well the engine's value and the one that was added up again agree. */
export function agreement(value: number, again: number) {
  if (!Number.isFinite(value) || !Number.isFinite(again)) {
    return html`<span class="check bad">${t("check.notFinite")}</span>`;
  }
  const difference = Math.abs(value - again);
  if (Math.fround(again) === value) return html`<span class="check good">${t("check.same")}</span>`;
  const close = difference <= 1e-5 * Math.max(Math.abs(again), 1e-2);
  return html`<span class="check ${close ? "good" : "bad"}">${close ? t("check.close", { value: general(difference) }) : t("check.far", { value: general(again) })}</span>`;
}

/** What a nudge found: the loss on both sides, its slope, and the gradient beside it. */
export function nudgeTable({ gradient, slope, epsilon, below, at, above, kink }: Nudge) {
  const off = gradient == null ? undefined : Math.abs(gradient - slope) / Math.max(Math.abs(slope), 1e-12);
  return html`<table class="numbers"><tbody>
      <tr><th scope="row">${t("nudge.below", { epsilon: general(epsilon) })}</th><td>${fixed(below, 8)}</td></tr>
      <tr><th scope="row">${t("nudge.at")}</th><td>${fixed(at, 8)}</td></tr>
      <tr><th scope="row">${t("nudge.above", { epsilon: general(epsilon) })}</th><td>${fixed(above, 8)}</td></tr>
      <tr class="sum"><th scope="row">${t("nudge.slope")}</th><td>${general(slope)}</td></tr>
      <tr class="sum"><th scope="row">${t("nudge.gradient")}</th><td>${gradient == null ? t("cards.none") : general(gradient)}</td></tr>
    </tbody></table>
    <p>${kink ? t("nudge.kink") : off === undefined ? t("nudge.unknown") : off < 0.01 || Math.abs((gradient ?? 0) - slope) < 1e-7 ? t("nudge.agree") : t("nudge.differ", { share: `${(100 * off).toFixed(1)} %` })}</p>`;
}

const link = (cell: Cell & { example?: number | undefined }) =>
  html`<button class="link mono" @click=${() => select(cell)}>${cellLabel(cell)}</button>`;

const typed = (event: Event): string => ((event.target as HTMLElement).closest("form")!.elements.namedItem("value") as HTMLInputElement).value.trim().replace("−", "-");

/** Zooms in to where an op's own view is: windows stand in the cell's place, the others beneath the layer. */
function showSite(view: Site["view"]): void {
  zoom.value = view === "conv" || view === "pool" ? "cell" : "layer";
  pane.value = "network";
}

/** The Explain tab while a walk is open: the cell that is looked at, in symbols, in numbers, and what can be done with it. */
class WalkExplain extends View {
  protected override updated(): void {
    if (editing.value && !this.contains(document.activeElement)) this.querySelector<HTMLInputElement>(".edit input")?.select();
  }

  #edit(cell: Cell) {
    const problem = editProblem.value;
    const submit = (event: Event): void => {
      event.preventDefault();
      const text = typed(event);
      const number = Number(text);
      if (text === "" || !Number.isFinite(number)) editProblem.value = t("edit.notNumber", { typed: text || "–" });
      else void edit(number);
    };
    return html`<form class="edit" @submit=${submit} @keydown=${(event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      editing.value = false;
    }}>
      <label><span>${t("edit.value")}</span><input name="value" type="text" inputmode="decimal" autocomplete="off" aria-invalid=${problem ? "true" : "false"} aria-describedby="edit-problem" .value=${String(valueOf(cell.node)?.[cell.element] ?? 0)}></label>
      <button class="primary" type="submit">${t("edit.set")}</button>
      <p id="edit-problem" role="alert">${problem ? (typeof problem === "string" ? problem : errorText(problem)) : ""}</p>
      <p class="hint">${/parameter|frozen/.test(nodes.value[cell.node]?.role ?? "") ? t("edit.parameter") : t("edit.other")}</p>
    </form>`;
  }

  #nudged(cell: Cell) {
    const now = nudged.value;
    if (!now || !same(now.cell, cell)) return nothing;
    return html`<section class="nudge" role="status"><h3>${t("nudge.title")}</h3>${nudgeTable(now.nudge)}</section>`;
  }

  #why(cell: Cell) {
    const now = reasons.value;
    if (!now || !same(now.cell, cell)) return nothing;
    return html`<section class="why-zero" role="status"><h3>${t("why.title")}</h3><ol>${now.chain.map(({ node, element, cause }) =>
      html`<li>${link(cellOf(node, element))} ${t(CAUSES[cause])}</li>`)}</ol></section>`;
  }

  #predict() {
    const now = question.value;
    if (!now) return nothing;
    const cell = selected.value;
    if (now.answer) {
      return html`<p class="predicted ${now.answer.right ? "good" : "bad"}" role="status">${now.answer.right ? t("predict.right") : t("predict.wrong")}</p>`;
    }
    if (cell?.node !== now.node) return nothing;
    const number = (event: Event): void => {
      event.preventDefault();
      const value = Number(typed(event));
      if (typed(event) !== "" && Number.isFinite(value)) predict({ kind: "number", number: value });
    };
    return html`<div class="predict" role="group" aria-label=${t("predict.title")}><h3>${t("predict.ask", { cell: cellLabel(cell) })}</h3>
      <div class="buttons"><button @click=${() => predict({ kind: "sign", sign: -1 })}>${t("predict.negative")}</button>
        <button @click=${() => predict({ kind: "sign", sign: 0 })}>${t("predict.zero")}</button>
        <button @click=${() => predict({ kind: "sign", sign: 1 })}>${t("predict.positive")}</button></div>
      ${now.reference === undefined ? nothing : html`<div class="buttons"><button @click=${() => predict({ kind: "than", larger: true })}>${t("predict.larger", { value: general(now.reference) })}</button>
        <button @click=${() => predict({ kind: "than", larger: false })}>${t("predict.smaller", { value: general(now.reference) })}</button></div>`}
      <form @submit=${number}><label><span>${t("predict.number")}</span><input name="value" type="text" inputmode="decimal" autocomplete="off"></label><button type="submit">${t("predict.say")}</button></form>
      <button class="plain small" @click=${togglePredict}>${t("predict.stop")}</button></div>`;
  }

  #pins() {
    if (pins.value.length === 0) return nothing;
    return html`<section><h3>${t("pins.title")}</h3><dl class="facts pins">${pins.value.map((pin) => {
      const covered = hidden.value?.node === pin.node;
      const value = covered ? undefined : valueOf(pin.node)?.[pin.element];
      return html`<dt>${link(pin)}</dt><dd class="mono">${computedYet(pin.node) && !covered ? general(value) : html`<small>${covered ? "?" : t("cards.none")}</small>`}</dd>`;
    })}</dl></section>`;
  }

  override render() {
    const cell = inspected.value;
    if (!cell) return html`<p class="none">${t("walk.choose")}</p>`;
    const node = nodes.value[cell.node];
    if (!node) return nothing;
    const now = explanation.value && same(explanation.value.cell, cell) ? explanation.value : undefined;
    const covered = hidden.value?.node === cell.node;
    const gradient = isGradient(cell.node);
    const there = computedYet(cell.node);
    const leaf = node.role !== "op";
    const sum = now && sumIn(now.term);
    const partner = node.gradient;
    const slope = partner == null ? undefined : valueOf(partner)?.[cell.element];
    const shownValue = now?.value ?? valueOf(cell.node)?.[cell.element];
    const edited = state.value?.edited.includes(cell.node);
    const sites = sitesOf(selected.value ?? cell);
    return html`
      <section class="cell-head ${gradient ? "gradient" : ""}">
        <h2 class="mono-name">${cellLabel(cell)}</h2>
        <p class="what">${leaf ? t(`role.${node.role}`) : html`${t(`lane.${node.lane}`)} · <b>${node.op}</b>`}${node.layer ? html` · ${node.layer}` : nothing}${edited ? html` · <b>${t("edit.edited")}</b>` : nothing}</p>
        ${!there ? html`<p class="hatch not-yet-line">${t("cards.none")}</p>` : nothing}
        ${there && !leaf
          ? html`<div class="equations mono" aria-busy=${now ? "false" : "true"}>
              <p><span class="eq">=</span><span>${now ? line(now.term, "symbols") : ""}</span></p>
              <p><span class="eq">=</span><span>${now ? line(now.term, "numbers") : ""}</span></p>
              <p class="result-line"><span class="eq">=</span><b class="result">${covered ? "?" : general(shownValue)}</b>${now && !covered ? agreement(now.value, now.recomputed) : nothing}</p></div>`
          : nothing}
        ${there && leaf ? html`<p class="result-line mono"><span class="eq">=</span><b class="result">${general(shownValue)}</b></p>` : nothing}
        ${partner == null ? nothing : html`<p class="partner">${t("walk.itsGradient")} <button class="link mono" @click=${() => select({ node: partner, element: cell.element })}>${computedYet(partner) ? (hidden.value?.node === partner ? "?" : general(slope)) : t("cards.none")}</button></p>`}
        ${this.#predict()}
      </section>
      <section class="actions"><div class="buttons">
          <button aria-pressed=${pins.value.some((pin) => same(pin, selected.value))} @click=${togglePin}>${t("action.pin")} <kbd>P</kbd></button>
          <button ?disabled=${node.lane !== "forward" || !there} title=${t("action.nudgeWhy")} @click=${() => void nudge()}>${t("action.nudge")} <kbd>N</kbd></button>
          <button ?disabled=${!editable(cell.node)} aria-expanded=${editing.value} @click=${() => (editing.value = !editing.value)}>${t("action.edit")} <kbd>E</kbd></button>
          ${sites.length && zoom.value === "network" ? html`<button @click=${() => showSite(sites[0]!.view)}>${t("special.title")}</button>` : nothing}
          <button ?disabled=${!there || !(Math.abs(shownValue ?? NaN) <= 1e-12) || covered} @click=${() => void askWhyZero()}>${t("action.why")}</button>
        </div>${asking.value ? html`<p class="hint" role="status">${t("walk.computing")}</p>` : nothing}${editing.value && same(cell, selected.value) ? this.#edit(cell) : nothing}</section>
      ${this.#nudged(cell)}
      ${this.#why(cell)}
      ${now && !leaf && !covered && now.term.type !== "element"
        ? html`<section><h3>${now.term.type === "sum" && now.term.count > 1
              ? gradient ? t("terms.paths", { n: now.term.count }) : t("terms.title", { n: now.term.count }) : t("terms.parts")}</h3>
            ${list(now.term, gradient)}
            ${sum && sum.count > sum.terms.length ? html`<button class="small" @click=${() => (most.value = Math.min(400, most.peek() * 4))}>${t("terms.show", { n: Math.min(sum.count, most.value * 4, 400) })}</button>` : nothing}</section>`
        : nothing}
      ${this.#pins()}
      ${now && !covered ? html`<section class="teaching">${teachings(now).map((key) => html`<p>${t(key)}</p>`)}
          ${now.consumers.length ? html`<p class="hint">${t("walk.goesInto", { n: now.consumers.reduce((all, { count }) => all + count, 0), names: now.consumers.map(({ node }) => nodes.value[node]!.name).join(", ") })}</p>` : nothing}
          ${nodes.value[cell.node]?.batched ? nothing : html`<p class="hint">${t("walk.element", { k: count(wholeElement(cell)) })}</p>`}</section>` : nothing}`;
  }
}
customElements.define("gs-walk-explain", WalkExplain);
