import { html, nothing } from "lit";
import type { Split } from "gradscope";
import { count, fixed, percent } from "../lib/format.js";
import { meanScore, scoresOf, type Score } from "../lib/scores.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { chosen, part } from "../state/confusion.js";
import { examplesIn } from "../state/pictures.js";
import * as store from "../state/store.js";
import { cancelEvaluation, evaluate } from "../state/training.js";
import { isText } from "../state/writing.js";
import { evaluatingText } from "./transport.js";
import "./attribution.js";
import "./examples.js";
import "./landscape.js";
import "./looking-style.js";

/** Accuracy, confusion matrix with its examples, what an answer rests on, and the loss around the weights. */
class Evaluate extends View {
  #matrix(confusion: readonly (readonly number[])[], names: readonly string[]) {
    const name = (k: number): string => names[k] ?? String(k);
    const totals = confusion.map((row) => row.reduce((a, b) => a + b, 0));
    const most = Math.max(1, ...confusion.flatMap((row, truth) => row.filter((_, guess) => guess !== truth)));
    const cell = chosen.value;
    return html`<div class="scroll-x"><table class="confusion"><caption>${t("evaluate.matrix")}</caption>
      <thead><tr><td></td>${confusion.map((_, k) => html`<th scope="col">${name(k)}</th>`)}</tr></thead>
      <tbody>${confusion.map((row, truth) => html`<tr><th scope="row">${name(truth)}</th>${row.map((n, guess) => {
        if (n === 0) return html`<td><span class="dot">·</span></td>`;
        const right = truth === guess;
        const strength = right ? n / Math.max(1, totals[truth]!) : n / most;
        const on = cell?.truth === truth && cell.prediction === guess;
        const style = `background:color-mix(in srgb, var(${right ? "--soft-ink" : "--positive"}) ${Math.round((right ? 30 : 70) * strength)}%, transparent)`;
        const label = right ? t("evaluate.rightCell", { n, truth: name(truth) }) : t("evaluate.cell", { n, truth: name(truth), prediction: name(guess) });
        return html`<td class=${on ? "on" : ""} style=${style}><button aria-pressed=${on} aria-label=${label}
            @click=${() => (chosen.value = on ? undefined : { truth, prediction: guess })}>${n}</button></td>`;
      })}</tr>`)}</tbody></table></div>`;
  }

  #perClass(confusion: readonly (readonly number[])[], names: readonly string[]) {
    const scores = scoresOf(confusion);
    const row = (name: string, { precision, recall, f1, support }: Score) => html`<tr><th scope="row">${name}</th><td>${percent(precision)}</td><td>${percent(recall)}</td><td>${percent(f1)}</td><td>${count(support)}</td></tr>`;
    return html`<details><summary>${t("evaluate.perClass")}</summary><div class="scroll-x"><table class="numbers"><thead><tr><td></td><th scope="col">${t("evaluate.precision")}</th><th scope="col">${t("evaluate.recall")}</th><th scope="col">F1</th><th scope="col">${t("evaluate.support")}</th></tr></thead>
      <tbody>${scores.map((score, k) => row(names[k] ?? String(k), score))}</tbody>
      <tfoot>${row(t("evaluate.mean"), meanScore(scores, false))}${row(t("evaluate.weighted"), meanScore(scores, true))}</tfoot></table></div></details>`;
  }

  #evaluated(split: Split) {
    const of = store.evaluations.value[split];
    if (!of) return html`<section><p class="none">${t("evaluate.not")}</p></section>`;
    return html`<section><dl class="big">
        ${of.accuracy == null ? nothing : html`<div><dt>${t("stat.accuracy")}</dt><dd>${percent(of.accuracy, true)}</dd></div>`}
        ${of.exact == null ? nothing : html`<div><dt title=${t("evaluate.exact")}>${t("stat.exact")}</dt><dd>${percent(of.exact, true)}</dd></div>`}
        <div><dt>${t("stat.loss")}</dt><dd>${fixed(of.loss)}</dd></div>
        ${isText()
          ? html`<div title=${t("evaluate.perplexityWhy")}><dt>${t("evaluate.perplexity")}</dt><dd>${fixed(Math.exp(of.loss))}</dd></div>
            <div title=${t("evaluate.bitsWhy")}><dt>${t("evaluate.bits")}</dt><dd>${fixed(of.loss / Math.LN2 / (of.charactersPerToken ?? 1))}</dd></div>`
          : nothing}</dl></section>
      ${of.confusion
        ? html`<section>${this.#matrix(of.confusion, store.classes.value)}${this.#perClass(of.confusion, store.classes.value)}</section>
            <gs-examples></gs-examples>`
        : nothing}`;
  }

  #parts() {
    const parts = (["test", "validation", "train"] as const).filter((split) => examplesIn(split) > 0);
    const split = parts.includes(part.value as never) ? part.value : (parts[0] ?? "train");
    if (split !== part.value) queueMicrotask(() => (part.value = split));
    const of = store.evaluations.value[split];
    return html`
      <section class="evaluate-head">
        <label class="inline"><span>${t("evaluate.part")}</span><select @change=${(event: Event) => {
          part.value = (event.target as HTMLSelectElement).value as Split;
          chosen.value = undefined;
        }}>${parts.map((name) => html`<option value=${name} ?selected=${name === split}>${t(`split.${name}`)} (${count(examplesIn(name))})</option>`)}</select></label>
        ${store.status.value === "evaluating"
          ? html`<span class="segment-bar ${store.evaluating.value ? "" : "unknown"}"><i style="width:${100 * (store.evaluating.value ? store.evaluating.value.done / store.evaluating.value.total : 0)}%"></i></span>
            <span>${evaluatingText()}</span><span class="unseen" role="status">${t("transport.evaluating")}</span><button @click=${cancelEvaluation}>${t("loading.cancel")}</button>`
          : html`<button class=${of ? "" : "primary"} ?disabled=${store.status.value !== "idle"} @click=${() => evaluate(split)}>${t("evaluate.now")}</button>`}
      </section>
      ${this.#evaluated(split)}`;
  }

  override render() {
    if (!store.session.value) return html`<p class="none">${t("evaluate.none")}</p>`;
    return html`${store.isWelcome.value ? nothing : this.#parts()}
      <gs-attribution></gs-attribution>
      <gs-landscape></gs-landscape>`;
  }
}
customElements.define("gs-evaluate", Evaluate);
