import { computed, signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import type { Hit } from "gradscope";
import { count, duration, fixed, general } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { cellOf, label, select, zoom } from "../state/cell.js";
import { predicting, score, togglePredict } from "../state/predict.js";
import * as store from "../state/store.js";
import { play } from "../state/training.js";
import {
  batches, breakpoints, cancelTravel, current, cursor, furthest, go, headway, info, leave, nodes, runTo, setBreakpoint, state, step, stepsPerEpoch, toggleBreakpoint, travelling,
} from "../state/walk.js";
import { icons } from "./icons.js";

/** The op under the pointer. */
const under = signal<number | undefined>(undefined);

/** From so many ops on a tick is too narrow for gaps, which would push it from its place. */
const MANY = 150;

/** Ticks that the track has room for: of more ops, as of a text's recurrent layer, several share one. */
const MOST_TICKS = 300;

const LANES = ["forward", "backward", "update"] as const;

/** The ops `from` to `to` that each tick stands for, of one lane; whether it begins a layer. */
const ticks = computed(() => {
  const of = info.value;
  const found: { from: number; to: number; edge: boolean }[] = [];
  if (!of) return found;
  const each = Math.ceil(of.ops.length / MOST_TICKS);
  const layer = (k: number): string | undefined => nodes.value[of.ops[k] ?? -1]?.layer;
  let from = 0;
  for (const end of [of.forwardEnd, of.backwardEnd, of.ops.length]) {
    for (; from < end; from = Math.min(end, from + each)) found.push({ from, to: Math.min(end, from + each), edge: from > 0 && layer(from) !== layer(from - 1) });
  }
  return found;
});

/** Why a run stopped before its end. */
function hitText({ breakpoint, node, value }: Hit): string {
  const point = breakpoints.value[breakpoint];
  const name = label(node);
  switch (point?.type) {
    case "lossAbove": return t("hit.loss", { value: general(value), factor: general(point.factor) });
    case "deadUnits": return t("hit.dead", { name, share: `${Math.round(value * 100)} %` });
    case "op": return t("hit.op", { name });
    default: return t("hit.notFinite", { name, value: Number.isNaN(value) ? "NaN" : general(value) });
  }
}

/** The bottom of the page while a walk is open: the ops of the step in two lanes, the batches below, and every way to move. */
class Timeline extends View {
  #ticks: HTMLElement | null = null;

  /** The op under a pointer. */
  #opAt(event: PointerEvent): number | undefined {
    const box = this.#ticks?.getBoundingClientRect();
    const length = info.peek()?.ops.length ?? 0;
    return box && length ? Math.max(0, Math.min(length - 1, Math.floor(((event.clientX - box.left) / box.width) * length))) : undefined;
  }

  #drag = (event: PointerEvent): void => {
    const at = this.#opAt(event);
    under.value = at;
    if (at !== undefined && event.buttons & 1) go(at + 1);
  };

  #slider = (event: KeyboardEvent): void => {
    const of = info.peek();
    const to = { Home: 0, End: of?.ops.length ?? 0 }[event.key];
    const by = { PageUp: 1, PageDown: -1 }[event.key] as 1 | -1 | undefined;
    if (event.altKey || (to === undefined && by === undefined)) return;
    event.preventDefault();
    if (to !== undefined) go(to);
    else step("layer", by!);
  };

  /** What the caption says: the op under the pointer, or the one done last, or what comes next. */
  #caption() {
    const of = info.value!;
    const hit = state.value?.hit;
    if (hit && under.value === undefined) {
      const show = (): void => {
        select(hit.element == null ? { node: hit.node, element: 0 } : cellOf(hit.node, hit.element));
        zoom.value = "layer";
      };
      return html`<span class="hit" role="status">${icons.warn}${hitText(hit)} <button class="plain small" @click=${show}>${t("hit.show")}</button></span>`;
    }
    const at = under.value ?? cursor.value - 1;
    const node = nodes.value[of.ops[at] ?? -1];
    const next = nodes.value[of.ops[cursor.value] ?? -1];
    return html`<span class="op-name">${node
        ? html`<b>${t(`lane.${node.lane}`)}</b> <span class="mono">${at + 1}/${of.ops.length} ${label(of.ops[at]!)}</span> <small>${node.op}</small>`
        : html`<b>${t("walk.start")}</b>`}</span>
      <span class="op-next">${next && under.value === undefined ? html`${t("walk.next")} <span class="mono">${label(of.ops[cursor.value]!)}</span>` : nothing}</span>`;
  }

  #lanes() {
    const of = info.value!;
    const at = cursor.value;
    const length = of.ops.length;
    const stops = breakpoints.value.flatMap((point) => (point.type === "op" ? [of.ops.indexOf(point.node)] : []));
    const loss = of.ops.indexOf(of.loss);
    const ends = { forward: of.forwardEnd, backward: of.backwardEnd, update: length };
    const node = nodes.value[of.ops[at - 1] ?? -1];
    let begin = 0;
    return html`<div class="ops ${length > MANY ? "many-ops" : ""}" role="slider" tabindex="0" aria-label=${t("walk.timeline")} aria-valuemin="0" aria-valuemax=${length} aria-valuenow=${at}
        aria-valuetext=${node ? t("walk.valueText", { done: at, all: length, lane: t(`lane.${node.lane}`), name: label(of.ops[at - 1]!) }) : t("walk.start")}
        @keydown=${this.#slider} @pointerdown=${(event: PointerEvent) => {
          (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
          this.#drag(event);
        }} @pointermove=${this.#drag} @pointerleave=${() => (under.value = undefined)}>
      ${ticks.value.map(({ from, to, edge }) => {
        const { lane } = nodes.value[of.ops[from]!]!;
        const has = (k: number | undefined): boolean => k !== undefined && from <= k && k < to;
        return html`<i class="tick ${lane} ${to <= at ? "done" : ""} ${has(at - 1) ? "now" : ""} ${has(under.value) ? "under" : ""} ${edge ? "edge" : ""} ${stops.some(has) ? "stop" : ""} ${has(loss) ? "loss" : ""}" style="flex-grow:${to - from}"></i>`;
      })}
      ${LANES.map((lane) => {
        const [from, to] = [begin, ends[lane]];
        begin = to;
        // In the lane that the pass leaves free.
        return to > from ? html`<span class="lane-name ${lane}" style="left:${(from / length) * 100}%;width:${((to - from) / length) * 100}%">${t(`lane.${lane}`)}</span>` : nothing;
      })}
    </div>`;
  }

  #batchSlider(steps: number) {
    const now = state.value!.step;
    const perEpoch = stepsPerEpoch.value;
    const place = (at: number): string => `${(Math.min(at, steps) / steps) * 100}%`;
    const pick = (event: PointerEvent): void => {
      const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
      const to = Math.round(((event.clientX - box.left) / box.width) * steps);
      // Back is a replay; forward is training, so a press beyond what was seen goes to the furthest step.
      const by = Math.min(to, furthest.peek()) - now;
      if (by !== 0) batches(by);
    };
    return html`<div class="batches" role="slider" tabindex="0" aria-label=${t("walk.batches")} aria-valuemin="0" aria-valuemax=${steps} aria-valuenow=${now}
      aria-valuetext=${this.#where(perEpoch)} @pointerdown=${pick} @keydown=${(event: KeyboardEvent) => {
        const by = { PageUp: 10, PageDown: -10, Home: -now }[event.key];
        if (by === undefined || event.altKey) return;
        event.preventDefault();
        if (by > 0 || now > 0) batches(Math.max(-now, by));
      }}>
      <span class="seen" style="width:${place(furthest.value)}"></span>
      ${state.value!.snapshots.map((at) => html`<i class="snapshot" style="left:${place(at)}"></i>`)}
      <i class="here" style="left:${place(headway.value?.step ?? now)}"></i>
    </div>`;
  }

  #where(perEpoch: number): string {
    const now = state.value!;
    return t("walk.where", { epoch: Math.floor(now.step / perEpoch) + 1, batch: (now.step % perEpoch) + 1, batches: perEpoch });
  }

  /** What stands beside the batch: how far the way is, or what there is to go back to. */
  #snapshots() {
    const { snapshots, thinned } = state.value!;
    const at = headway.value;
    if (at) return html`<small role="status">${t("walk.headway", { step: at.step, to: at.to })} · ${t("stat.left")} ${duration(at.secondsLeft)}</small>`;
    if (travelling.value) return html`<small>${t("walk.replaying")}</small>`;
    const n = snapshots.length;
    return thinned
      ? html`<small title=${t("walk.thinnedWhy")}>${t("walk.thinned", { n })}</small>`
      : html`<small title=${t("walk.snapshotsWhy")}>${t("walk.snapshots", { n })}</small>`;
  }

  #outer() {
    const now = state.value!;
    const perEpoch = stepsPerEpoch.value;
    const steps = Math.max(furthest.value, Math.ceil((now.step + 1) / perEpoch) * perEpoch, 10);
    const button = (unit: "batch" | "epoch", by: 1 | -1) => html`<button class="small" ?disabled=${travelling.value || (by < 0 && now.step === 0)} title=${`${t(`step.${unit}.${by > 0 ? "on" : "back"}`)}${unit === "batch" ? ` (Alt ${by > 0 ? "→" : "←"})` : ""}`}
      aria-label=${t(`step.${unit}.${by > 0 ? "on" : "back"}`)} @click=${() => step(unit, by)}>${by < 0 ? icons.previous : nothing}${t(`unit.${unit}`)}${by > 0 ? icons.next : nothing}</button>`;
    return html`<div class="outer">
      <span class="pair-of">${button("epoch", -1)}${button("batch", -1)}</span>
      <div class="outer-track"><span class="outer-text"><b>${this.#where(perEpoch)}</b>${this.#snapshots()}</span>
        ${this.#batchSlider(steps)}</div>
      <span class="pair-of ${headway.value ? "going" : ""}">${button("batch", 1)}${button("epoch", 1)}${headway.value
        ? html`<button class="small cancel" title=${t("walk.cancelWhy")} @click=${cancelTravel}>${t("loading.cancel")}</button>`
        : nothing}</span>
    </div>`;
  }

  #breakpoints() {
    const points = breakpoints.value;
    const dead = points.find((point) => point.type === "deadUnits");
    const above = points.find((point) => point.type === "lossAbove");
    const check = (on: boolean, text: string, set: (on: boolean) => void) => html`<label><input type="checkbox" .checked=${on} @change=${(event: Event) => set((event.target as HTMLInputElement).checked)}>${text}</label>`;
    const ops = points.flatMap((point) => (point.type === "op" ? [point.node] : []));
    return html`<details class="menu"><summary title=${t("break.hint")}>${t("break.title")} <b>${points.length}</b></summary><div class="menu-body">
      ${check(points.some(({ type }) => type === "notFinite"), t("break.notFinite"), (on) => setBreakpoint({ type: "notFinite" }, on))}
      ${check(above !== undefined, t("break.loss"), (on) => setBreakpoint({ type: "lossAbove", factor: 3 }, on))}
      ${check(dead !== undefined, t("break.dead"), (on) => setBreakpoint({ type: "deadUnits", share: 0.9 }, on))}
      ${ops.map((node) => check(true, label(node), () => toggleBreakpoint(node)))}
      <button class="small" ?disabled=${current.value === undefined} @click=${() => toggleBreakpoint()}>${t("break.here")} <kbd>.</kbd></button>
    </div></details>`;
  }

  protected override updated(): void {
    this.#ticks = this.querySelector(".ops");
  }

  override render() {
    const of = info.value;
    const now = state.value;
    if (!of || !now) return nothing;
    const at = cursor.value;
    const move = (unit: "op" | "layer", by: 1 | -1) => html`<button ?disabled=${by > 0 ? at >= of.ops.length : at <= 0} title=${`${t(`step.${unit}.${by > 0 ? "on" : "back"}`)} (${unit === "layer" ? "Shift " : ""}${by > 0 ? "→" : "←"})`}
      aria-label=${t(`step.${unit}.${by > 0 ? "on" : "back"}`)} class=${unit === "op" && by > 0 ? "primary" : ""} @click=${() => step(unit, by)}>${by < 0 ? (unit === "layer" ? icons.back2 : icons.previous) : nothing}${t(`unit.${unit}`)}${by > 0 ? (unit === "layer" ? icons.on2 : icons.next) : nothing}</button>`;
    const run = (lane: (typeof LANES)[number], end: number, key: string) => html`<button ?disabled=${at >= end} title=${t(`run.${lane}`)} @click=${() => runTo(lane)}>${t(`lane.${lane}`)} <kbd>${key}</kbd></button>`;
    const welcome = store.isWelcome.value;
    return html`<footer class="transport walking">
      <div class="walk-buttons">
        <div>${move("layer", -1)}${move("op", -1)}${move("op", 1)}${move("layer", 1)}</div>
        <div>${run("forward", of.forwardEnd, "F")}${run("backward", of.backwardEnd, "B")}${run("update", of.ops.length, "U")}</div>
      </div>
      <div class="walk-tracks">
        <p class="caption-row">${this.#caption()}</p>
        ${store.dirty.value && !store.scratchOpen.value ? html`<p class="caption-row stale" role="status">${t("walk.built")}</p>` : nothing}
        ${this.#lanes()}
        ${welcome ? nothing : this.#outer()}
      </div>
      <div class="walk-side">
        <dl class="stats one"><div><dt>${t("stat.loss")}</dt><dd>${fixed(now.loss)}</dd></div><div><dt>${t("walk.step")}</dt><dd>${count(now.step)}</dd></div>
        ${predicting.value ? html`<div><dt>${t("predict.score")}</dt><dd>${score.value.right}/${score.value.asked}</dd></div>` : nothing}</dl>
        <div class="buttons">
          ${this.#breakpoints()}
          <button class="small" aria-pressed=${predicting.value} title=${t("keys.predict")} @click=${togglePredict}>${t("predict.title")} <kbd>H</kbd></button>
          ${welcome || store.scratchOpen.value ? nothing : html`<button class="small" title=${t("keys.play")} @click=${() => play()}>${icons.play}${t("transport.play")}</button>`}
          <button class="small" @click=${() => leave()}>${icons.remove}${t("walk.leave")}</button>
        </div>
      </div>
    </footer>`;
  }
}
customElements.define("gs-timeline", Timeline);
