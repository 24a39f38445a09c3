import { signal } from "@preact/signals-core";
import type { TraceNode } from "gradscope";
import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { count, general, shape } from "../lib/format.js";
import { anyLong } from "../lib/text.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { counterpart, isGradient, label, layout, seek, selected, shapeOf, toggleGradient, zoom, type Cell } from "../state/cell.js";
import * as store from "../state/store.js";
import { valueOf } from "../state/values.js";
import { computedYet, current, example, gradientOf, info, nextSample, nodes, ofBatch, setSubject, state } from "../state/walk.js";
import { icons } from "./icons.js";
import { tensorCard } from "./chain.js";
import { special } from "./special.js";
import { SINGLES, firstShown, locked, scaleShown } from "./tensor.js";
import "./cell-panel.js";

/** A node's name without that of its layer. */
function nameInLayer(node: number): string {
  const { name, layer, role } = nodes.value[node]!;
  return name.replace(`${layer}${role === "op" ? "/" : "."}`, "");
}

/** Pictures of one tensor that are shown at once. */
const MULTIPLES = 256;

/** So few pictures are shown larger. */
const FEW = 8;

/** The time step that is shown of an unrolled layer, while no tensor of one of them is looked at. */
const shownStep = signal(0);

/** Looks at the tensor of another time step that stands where the one does that is looked at, or at the state after that step. */
function seekStep(layer: string, now: number, to: number): void {
  shownStep.value = to;
  const name = nodes.peek()[selected.peek()?.node ?? -1]?.name ?? "";
  const find = (wanted: string): number => nodes.peek().findIndex((of) => of.name === wanted);
  const same = find(name.replace(`${layer}/t${now}/`, `${layer}/t${to}/`));
  const node = nodes.peek()[same]?.timeStep === to ? same : find(`${layer}/t${to}/h`);
  if (node >= 0) seek(node);
}

/** Where a cell lies in its tensor. */
const placeIn = ({ node, element }: Cell): string => {
  const { kind, index } = layout(node);
  return kind === "scalar" ? t("zoom.scalar") : `[${index(element).join(", ")}]`;
};

/** The centre while a walk is open: three zoom levels over one selection. */
class Stepper extends View {
  /** What is walked through: the batch or one sample; and which example of the batch is shown. */
  #subject() {
    const of = info.value!;
    const batch = of.subject.type === "batch";
    const row = of.rows[example.value];
    return html`<div class="subject" role="group" aria-label=${t("walk.subject")}>
      <span class="segmented">
        <button aria-pressed=${ofBatch.value} @click=${() => setSubject(true)}>${t("walk.batch", { n: store.built.value?.setup.batchSize ?? of.batch })}</button>
        <button aria-pressed=${!ofBatch.value} ?disabled=${!store.pinned.value} @click=${() => setSubject(false)}>${t("walk.sample")}</button>
      </span>
      ${batch
        ? html`<span class="which">
            <button class="plain small" ?disabled=${of.batch < 2} aria-label=${t("walk.previousExample")} title=${t("walk.previousExample")} @click=${() => nextSample(-1)}>${icons.previous}</button>
            <span>${t("walk.example", { k: example.value + 1, n: of.batch })}${row === undefined ? nothing : html` <small>${t("walk.row", { row: count(row) })}</small>`}</span>
            <button class="plain small" ?disabled=${of.batch < 2} aria-label=${t("walk.nextExample")} title=${t("walk.nextExample")} @click=${() => nextSample(1)}>${icons.next}</button>
          </span>`
        : html`<span class="which"><small>${t("walk.oneSample")}</small></span>`}
    </div>`;
  }

  #crumb() {
    const of = info.value!;
    const cell = selected.value;
    const facts = nodes.value[cell?.node ?? -1];
    const done = state.value?.cursor ?? 0;
    const now = nodes.value[current.value ?? -1];
    const lane = now ? t(`lane.${now.lane}`) : "";
    const level = (name: typeof zoom.value, text: string) => html`<button class="plain" aria-current=${zoom.value === name ? "true" : nothing} @click=${() => (zoom.value = name)}>${text}</button>`;
    return html`<nav class="crumbs" aria-label=${t("walk.zoom")}>
        ${level("network", t("zoom.network"))}<span aria-hidden="true">›</span>
        ${level("layer", facts ? label(cell!.node) : t("zoom.layer"))}<span aria-hidden="true">›</span>
        ${level("cell", cell ? placeIn(cell) : t("zoom.cell"))}
      </nav>
      <p class="position" aria-live="polite">${now
        ? html`${t("walk.position", { lane, done, all: of.ops.length })} <b class="mono">${label(current.value!)}</b>`
        : html`${t("walk.begin", { all: of.ops.length })}`}</p>`;
  }

  /** Every tensor of the layer that is looked at: parameters, what the layer computes, and the steps on the way back. */
  #network() {
    const of = info.value!;
    const cell = selected.value;
    const facts = nodes.value[cell?.node ?? -1];
    if (!cell || !facts) return nothing;
    // The input is shown with the layer that reads it.
    const input = nodes.value[of.x]!;
    const reader = nodes.value.find(({ inputs, layer }) => layer !== "" && inputs.includes(of.x))?.layer;
    const layer = cell.node === of.x || cell.node === input.gradient ? (reader ?? "") : facts.layer;
    let shown: number[];
    let steps = 0;
    let step = facts.timeStep ?? shownStep.value;
    if (facts.lane === "update") shown = [...new Set([...facts.inputs, cell.node])];
    else {
      const mine = nodes.value.flatMap(({ layer: own, lane, role }, k) => (own === layer && k !== of.x && lane !== "update" && role !== "constant" && role !== "scalar" ? [k] : []));
      steps = mine.reduce((most, k) => Math.max(most, (nodes.value[k]!.timeStep ?? -1) + 1), 0);
      step = Math.min(step, steps - 1);
      // Of an unrolled layer, what belongs to one time step, or to none; that one first which is looked at.
      const [ofStep, ofNone] = [mine.filter((k) => nodes.value[k]!.timeStep === step), mine.filter((k) => nodes.value[k]!.timeStep == null)];
      const here = facts.timeStep == null ? [...ofNone, ...ofStep] : [...ofStep, ...ofNone];
      const forward = here.filter((k) => nodes.value[k]!.lane === "forward");
      const between = here.filter((k) => nodes.value[k]!.lane === "backward" && !gradientOf.value.has(k));
      // What is read comes first, where another layer made it, or the time step before.
      const read = ({ layer: own, timeStep, role }: TraceNode): boolean => (own !== layer || (timeStep != null && timeStep === step - 1)) && role !== "constant" && role !== "scalar";
      const reads = [...new Set(forward.flatMap((k) => nodes.value[k]!.inputs))].filter((k) => read(nodes.value[k]!));
      shown = [...new Set([...reads, ...forward, ...between])];
    }
    const title = layer || t("walk.loss");
    const kind = of.layers.find(({ name }) => name === layer)?.kind;
    const heading = facts.lane === "update" ? t("walk.opTensors") : t("walk.tensors", { layer: title });
    return html`<section class="panel tensors" aria-label=${heading}>
      <header><h2>${heading}</h2>${kind ? html`<p>${kind}</p>` : nothing}${steps > 1 ? this.#steps(layer, step, steps) : nothing}${this.#legend()}</header>
      <ol class="tensor-cards ${anyLong(shown.map(nameInLayer), 112, 1) ? "long-names" : ""}">${repeat(shown, (k) => k, (k) => {
        const node = nodes.value[k]!;
        const between = node.lane === "backward" || node.lane === "update";
        const own = cell.node === k || (node.gradient != null && cell.node === node.gradient);
        const done = current.value === k || (node.gradient != null && current.value === node.gradient);
        return tensorCard(k, nameInLayer(k), { gradient: between || node.role === "target" ? false : (node.gradient ?? undefined), on: own, now: done });
      })}</ol>
    </section>`;
  }

  /** Which time step of an unrolled layer is shown. */
  #steps(layer: string, step: number, steps: number) {
    const to = (at: number) => () => seekStep(layer, step, at);
    return html`<span class="which time-steps" role="group" aria-label=${t("time.label")}>
      <button class="plain small" ?disabled=${step === 0} aria-label=${t("time.previous")} title=${t("time.previous")} @click=${to(step - 1)}>${icons.previous}</button>
      <label><span>${t("time.step", { t: step, n: steps })}</span><input type="range" min="0" max=${steps - 1} .value=${String(step)} @input=${(event: Event) => to(Number((event.target as HTMLInputElement).value))()}></label>
      <button class="plain small" ?disabled=${step === steps - 1} aria-label=${t("time.next")} title=${t("time.next")} @click=${to(step + 1)}>${icons.next}</button>
    </span>`;
  }

  #legend() {
    return html`<span class="legends">
      <span class="legend"><span>${t("legend.value")}</span><span class="mono">−</span><i class="ramp"></i><span class="mono">+</span></span>
      <span class="legend"><span>${t("legend.gradient")}</span><span class="mono">−</span><i class="ramp gradient"></i><span class="mono">+</span></span>
      <label class="lock"><input type="checkbox" .checked=${locked.value !== undefined} @change=${(event: Event) => (locked.value = (event.target as HTMLInputElement).checked ? new Map() : undefined)}>${t("walk.lock")}</label>
    </span>`;
  }

  /** Every channel, filter or unit of one tensor. */
  #layer() {
    const cell = selected.value;
    if (!cell) return nothing;
    const { count: pictures, rows, columns } = layout(cell.node);
    const data = valueOf(cell.node);
    const gradient = isGradient(cell.node);
    const other = counterpart(cell.node);
    const single = rows * columns === 1;
    const page = single ? SINGLES : MULTIPLES;
    const first = firstShown(cell.node, page);
    return html`<section class="panel layer-view" aria-label=${label(cell.node)}>
      <header><h2 class="mono-name">${label(cell.node)}</h2>
        <p>${pictures > 1 && !single ? t("layer.maps", { n: pictures, size: shape([rows, columns]) }) : shape(shapeOf(cell.node)) || "1"}
          ${pictures > page ? html` <span>${t("layer.part", { from: count(first), to: count(Math.min(pictures, first + page) - 1), n: count(pictures) })}</span>` : nothing}
          ${data ? html` <span class="mono scale">±${general(scaleShown(cell.node, data))}</span>` : nothing}</p>
        <span class="segmented">
          <button aria-pressed=${!gradient} ?disabled=${gradient && other === undefined} @click=${() => gradient && toggleGradient()}>${t("legend.value")}</button>
          <button aria-pressed=${gradient} ?disabled=${!gradient && other === undefined} @click=${() => !gradient && toggleGradient()}>${t("legend.gradient")}</button>
        </span></header>
      ${computedYet(cell.node)
        ? html`<gs-tensor class="multiples" .node=${cell.node} .most=${MULTIPLES} .grows=${420} .largest=${single ? 30 : Math.max(1, Math.round((pictures <= FEW ? 168 : 80) / columns))}></gs-tensor>`
        : html`<div class="multiples hatch not-yet"><span>${t("cards.none")}</span></div>`}
    </section>`;
  }

  override render() {
    if (!info.value) return nothing;
    return html`
      <div class="walk-head">${this.#crumb()}${store.scratchOpen.value ? nothing : this.#subject()}</div>
      <gs-chain></gs-chain>
      ${zoom.value === "network" ? this.#network() : zoom.value === "layer" ? this.#layer() : html`<gs-cell-panel></gs-cell-panel>`}
      ${zoom.value === "network" || !selected.value ? nothing : special(selected.value)}`;
  }
}
customElements.define("gs-stepper", Stepper);
