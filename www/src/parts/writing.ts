import { effect } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import type { Generated } from "gradscope";
import style from "../../styles/writing.css";
import { count, percent } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { adopt } from "../lib/style.js";
import { visible } from "../lib/text.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import * as store from "../state/store.js";
import { cancel, change, settings, whileTraining, write, writing, written } from "../state/writing.js";
import { pieces } from "./pieces.js";

adopt(style);

/** Milliseconds between two samples while the network trains. */
const EVERY = 20_000;

/** What a language model writes: token by token, each with what the model thought of it. */
class Writing extends View {
  #chosen: number | undefined;
  #unwatch: (() => void) | undefined;
  #last = -Infinity;

  override connectedCallback(): void {
    super.connectedCallback();
    // A sample now and then while training; the first one once there is something to see.
    this.#unwatch = effect(() => {
      const step = store.progress.value?.step ?? 0;
      const due = store.status.value === "training" && whileTraining.value && step > 0 && !writing.peek() && performance.now() - this.#last > EVERY;
      if (!due) return;
      this.#last = performance.now();
      void write();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
    cancel();
  }

  #number(key: "tokens" | "temperature" | "topK" | "topP", least: number, most: number, step: number): TemplateResult {
    return html`<label>${t(`writing.${key}`)}<input type="number" inputmode="decimal" min=${least} max=${most} step=${step} .value=${String(settings.value[key])}
      @change=${(event: Event) => {
        const typed = Number((event.target as HTMLInputElement).value);
        change({ [key]: Math.min(most, Math.max(least, Number.isFinite(typed) ? typed : least)) });
      }}></label>`;
  }

  /** The likeliest tokens in the place of one that came. */
  #candidates(of: Generated): TemplateResult {
    return html`<ol class="bars candidates" aria-label=${t("writing.candidates")}>${of.candidates.map(({ token, text, probability }) => html`
      <li class=${token === of.token ? "best" : ""}><span class="name mono">${visible(text ?? undefined)}</span>
        <span class="bar"><i style="width:${probability * 100}%"></i></span><span class="value">${percent(probability, true)}</span></li>`)}</ol>`;
  }

  #keys = (event: KeyboardEvent): void => {
    const length = written.value?.tokens.length ?? 0;
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || event.altKey || length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.#chosen = Math.min(length - 1, Math.max(0, (this.#chosen ?? -1) + by));
    this.requestUpdate();
  };

  override render() {
    const now = written.value;
    const tokens = now?.tokens ?? [];
    const chosen = this.#chosen === undefined ? undefined : tokens[this.#chosen];
    void palette.value;
    const shade = (of: Generated): string => css(palette.peek().positive, (1 - of.probability) * 0.4);
    return html`<section class="panel writing" aria-label=${t("writing.title")}>
      <header><h2>${t("writing.title")}</h2><p>${now ? t("writing.step", { step: count(now.step) }) : t("writing.text")}</p></header>
      <form class="writing-form" @submit=${(event: Event) => {
        event.preventDefault();
        this.#chosen = undefined;
        if (writing.value) cancel();
        else void write();
      }}>
        <label class="prompt">${t("writing.prompt")}<input type="text" maxlength="200" .value=${settings.value.prompt} placeholder=${t("writing.nothing")}
          @change=${(event: Event) => change({ prompt: (event.target as HTMLInputElement).value })}></label>
        ${this.#number("tokens", 1, 2000, 1)}${this.#number("temperature", 0, 3, 0.1)}${this.#number("topK", 0, 1000, 1)}${this.#number("topP", 0.05, 1, 0.05)}
        <button class="primary" type="submit" ?disabled=${!store.session.value}>${writing.value ? t("writing.stop") : t("writing.write")}</button>
      </form>
      <label class="flag"><input type="checkbox" .checked=${whileTraining.value} @change=${(event: Event) => (whileTraining.value = (event.target as HTMLInputElement).checked)}>${t("writing.whileTraining")}</label>
      ${now
        ? html`<p class="written mono" tabindex="0" role="group" aria-label=${t("writing.result")} @keydown=${this.#keys}><span class="given">${now.prompt}</span>${tokens.map((of, k) =>
            html`<span class=${k === this.#chosen ? "on" : ""} style="background:${shade(of)}" title="${visible(of.text ?? undefined)} ${percent(of.probability, true)}"
              @click=${() => {
                this.#chosen = k === this.#chosen ? undefined : k;
                this.requestUpdate();
              }}>${of.text === "\n" ? html`<i aria-hidden="true">⏎</i>\n` : of.text}</span>`)}</p>
          <p class="caption">${t("writing.shade")}</p>
          ${chosen ? html`<div aria-live="polite"><h3>${t("writing.place", { k: (this.#chosen ?? 0) + 1 })}</h3>${this.#candidates(chosen)}</div>` : nothing}`
        : nothing}
    </section>`;
  }
}
customElements.define("gs-writing", Writing);

/** The pinned window of the text, and what the network expects next. */
class TextSample extends View {
  override render() {
    const pinned = store.pinned.value;
    const names = store.session.value?.info.classes ?? [];
    const cut = (store.built.value?.setup.documents?.tokenizer ?? "character") !== "character";
    if (!pinned) return html`<div class="hatch text-sample"></div>`;
    const output = store.frame.value?.output;
    const logits = output && output.length >= names.length ? output.slice(output.length - names.length) : undefined;
    const most = logits ? Math.max(...logits) : 0;
    const powers = logits ? [...logits].map((logit) => Math.exp(logit - most)) : [];
    const total = powers.reduce((a, b) => a + b, 0);
    const best = powers.map((power, k) => [power / total, k] as const).sort((a, b) => b[0] - a[0]).slice(0, 6);
    const truth = pinned.target.at(-1);
    return html`<p class="text-sample mono" tabindex="0" role="group" aria-label=${t("sample.text")}>${cut ? pieces(pinned.x, names) : [...pinned.x].map((token) => names[token] ?? "?").join("")}<b class="to-come" title=${t("sample.truth")}>${truth === undefined ? "" : visible(names[truth])}</b></p>
      <ol class="bars" aria-label=${t("sample.prediction")}>${best.map(([share, k]) => html`<li class=${k === truth ? "truth" : ""}>
        <span class="name mono">${visible(names[k])}</span><span class="bar"><i style="width:${share * 100}%"></i></span><span class="value">${percent(share)}</span></li>`)}</ol>`;
  }
}
customElements.define("gs-text-sample", TextSample);
