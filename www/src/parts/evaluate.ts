import { effect, signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import type { Evaluation, Misclassified, Split } from "gradscope";
import { drawImage } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { count, fixed, percent } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { examplesIn, pinExample } from "../state/pictures.js";
import * as store from "../state/store.js";
import { evaluate } from "../state/training.js";

/** Most misclassified examples shown. */
const MISTAKES = 24;

const part = signal<Split>("test");
/** A cell of the confusion matrix whose mistakes alone are shown: truth, prediction. */
const only = signal<readonly [number, number] | undefined>(undefined);

class Thumbnail extends Drawing {
  pixels: Float32Array | undefined;
  label = "";
  protected override reads(): string {
    return this.label;
  }
  protected override heightFor(width: number): number {
    return width;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    if (this.pixels) drawImage(context, this.pixels, store.session.peek()?.info.inputShape ?? [], width, height);
  }
}
customElements.define("gs-thumbnail", Thumbnail);

/** Accuracy, confusion matrix, and what was got wrong. */
class Evaluate extends View {
  readonly #pictures = signal<ReadonlyMap<number, Float32Array>>(new Map());
  #unwatch: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unwatch = effect(() => {
      void this.#fetch(part.value, store.evaluations.value[part.value]?.misclassified ?? [], only.value).catch(fail);
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
  }

  #shown(mistakes: readonly Misclassified[], cell = only.value): readonly Misclassified[] {
    return mistakes.filter(({ truth, prediction }) => !cell || (truth === cell[0] && prediction === cell[1])).slice(0, MISTAKES);
  }

  async #fetch(split: Split, mistakes: readonly Misclassified[], cell: readonly [number, number] | undefined): Promise<void> {
    const session = store.session.peek();
    const shown = this.#shown(mistakes, cell);
    if (!session || session.info.inputShape.length !== 3 || !shown.length) return;
    const { x } = await session.examples(split, shown.map(({ index }) => index));
    const size = x.length / shown.length;
    this.#pictures.value = new Map(shown.map(({ index }, k) => [index, x.subarray(k * size, (k + 1) * size)]));
  }

  #matrix(confusion: readonly (readonly number[])[], names: readonly string[]) {
    const name = (k: number): string => names[k] ?? String(k);
    const totals = confusion.map((row) => row.reduce((a, b) => a + b, 0));
    const most = Math.max(1, ...confusion.flatMap((row, truth) => row.filter((_, guess) => guess !== truth)));
    const chosen = only.value;
    return html`<div class="scroll-x"><table class="confusion"><caption>${t("evaluate.matrix")}</caption>
      <thead><tr><td></td>${confusion.map((_, k) => html`<th scope="col">${name(k)}</th>`)}</tr></thead>
      <tbody>${confusion.map((row, truth) => html`<tr><th scope="row">${name(truth)}</th>${row.map((n, guess) => {
        const right = truth === guess;
        const strength = right ? n / Math.max(1, totals[truth]!) : n / most;
        const on = chosen?.[0] === truth && chosen[1] === guess;
        const style = n === 0 ? "" : `background:color-mix(in srgb, var(${right ? "--soft-ink" : "--positive"}) ${Math.round((right ? 30 : 70) * strength)}%, transparent)`;
        return right || n === 0
          ? html`<td style=${style}>${n === 0 ? html`<span class="dot">·</span>` : n}</td>`
          : html`<td class=${on ? "on" : ""} style=${style}><button aria-pressed=${on} aria-label=${t("evaluate.cell", { n, truth: name(truth), prediction: name(guess) })}
              @click=${() => (only.value = on ? undefined : [truth, guess])}>${n}</button></td>`;
      })}</tr>`)}</tbody></table></div>`;
  }

  #perClass(confusion: readonly (readonly number[])[], names: readonly string[]) {
    const rows = confusion.map((row, k) => {
      const hits = row[k]!;
      const truths = row.reduce((a, b) => a + b, 0);
      const guesses = confusion.reduce((sum, other) => sum + other[k]!, 0);
      const [precision, recall] = [guesses ? hits / guesses : undefined, truths ? hits / truths : undefined];
      const f1 = precision !== undefined && recall !== undefined && precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : undefined;
      return { precision, recall, f1 };
    });
    return html`<details><summary>${t("evaluate.perClass")}</summary><table class="numbers"><thead><tr><td></td><th scope="col">${t("evaluate.precision")}</th><th scope="col">${t("evaluate.recall")}</th><th scope="col">F1</th></tr></thead>
      <tbody>${rows.map((row, k) => html`<tr><th scope="row">${names[k] ?? k}</th><td>${percent(row.precision)}</td><td>${percent(row.recall)}</td><td>${percent(row.f1)}</td></tr>`)}</tbody></table></details>`;
  }

  #mistakes(of: Evaluation, names: readonly string[]) {
    const shown = this.#shown(of.misclassified);
    const images = store.session.value?.info.inputShape.length === 3;
    if (!images || !of.misclassified.length) return nothing;
    const name = (k: number): string => names[k] ?? String(k);
    return html`<section><h3>${only.value ? t("evaluate.mistakesOf", { truth: name(only.value[0]), prediction: name(only.value[1]) }) : t("evaluate.mistakes")}</h3>
      ${shown.length
        ? html`<ul class="mistakes">${shown.map(({ index, truth, prediction, probability }) => {
            const label = t("evaluate.mistake", { truth: name(truth), prediction: name(prediction), probability: percent(probability) });
            const pixels = this.#pictures.value.get(index);
            return html`<li><button title=${label} @click=${() => pinExample(part.value, index).catch(fail)}>
              ${pixels ? html`<gs-thumbnail .pixels=${pixels} .label=${label}></gs-thumbnail>` : html`<span class="hatch square"></span>`}
              <span class="mono">${name(truth)}→<b>${name(prediction)}</b></span></button></li>`;
          })}</ul>`
        : html`<p class="none">${t("evaluate.notListed")}</p>`}</section>`;
  }

  override render() {
    const info = store.session.value?.info;
    if (!info || store.isWelcome.value) return html`<p class="none">${t("evaluate.none")}</p>`;
    const parts = (["test", "validation", "train"] as const).filter((split) => examplesIn(split) > 0);
    const split = parts.includes(part.value as never) ? part.value : (parts[0] ?? "train");
    if (split !== part.value) queueMicrotask(() => (part.value = split));
    const of = store.evaluations.value[split];
    return html`
      <section class="evaluate-head">
        <label class="inline"><span>${t("evaluate.part")}</span><select @change=${(event: Event) => {
          part.value = (event.target as HTMLSelectElement).value as Split;
          only.value = undefined;
        }}>${parts.map((name) => html`<option value=${name} ?selected=${name === split}>${t(`split.${name}`)} (${count(examplesIn(name))})</option>`)}</select></label>
        <button class=${of ? "" : "primary"} ?disabled=${store.status.value !== "idle"} @click=${() => evaluate(split)}>${store.status.value === "evaluating" ? t("transport.evaluating") : t("evaluate.now")}</button>
      </section>
      ${of
        ? html`<section><dl class="big">
              ${of.accuracy == null ? nothing : html`<div><dt>${t("stat.accuracy")}</dt><dd>${percent(of.accuracy, true)}</dd></div>`}
              <div><dt>${t("stat.loss")}</dt><dd>${fixed(of.loss)}</dd></div></dl></section>
            ${of.confusion ? html`<section>${this.#matrix(of.confusion, info.classes)}${this.#perClass(of.confusion, info.classes)}</section>` : nothing}
            ${this.#mistakes(of, info.classes)}`
        : html`<section><p class="none">${t("evaluate.not")}</p></section>`}`;
  }
}
customElements.define("gs-evaluate", Evaluate);
