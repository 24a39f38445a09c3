import { effect } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import type { Generated } from "gradscope";
import style from "../../styles/writing.css";
import { count, percent } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { adopt } from "../lib/style.js";
import { visible } from "../lib/text.js";
import { View } from "../lib/view.js";
import { errorText, t } from "../messages/index.js";
import { answer, answering, cancelAnswer, change, followSession, lengths, pinnedSource, refused, settings, texts, translate, type Answer } from "../state/pairs.js";
import * as store from "../state/store.js";
import "./token-map.js";

adopt(style);

/** Milliseconds between two answers to the same source while the network trains. */
const EVERY = 4_000;

/** What a visitor types, and what the network answers: token by token, each with what the model thought of it, and what it looked at. */
class Translating extends View {
  #chosen: number | undefined;
  #head: number | undefined;
  #stops: (() => void)[] = [];
  #last = -Infinity;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stops = [followSession(), effect(() => {
      const due = store.status.value === "training" && (store.progress.value?.step ?? 0) > 0 && !answering.peek() && performance.now() - this.#last > EVERY;
      if (!due) return;
      this.#last = performance.now();
      void translate();
    })];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops) stop();
    cancelAnswer();
  }

  #keys = (event: KeyboardEvent): void => {
    const length = answer.value?.tokens.length ?? 0;
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || event.altKey || length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.#choose(Math.min(length - 1, Math.max(0, (this.#chosen ?? -1) + by)));
  };

  #choose(k: number | undefined): void {
    this.#chosen = k;
    this.requestUpdate();
  }

  /** The likeliest tokens in the place of one that came. */
  #candidates(of: Generated): TemplateResult {
    return html`<ol class="bars candidates" aria-label=${t("writing.candidates")}>${of.candidates.map(({ token, text, probability }) => html`
      <li class=${token === of.token ? "best" : ""}><span class="name mono">${visible(text ?? undefined)}</span>
        <span class="bar"><i style="width:${probability * 100}%"></i></span><span class="value">${percent(probability, true)}</span></li>`)}</ol>`;
  }

  /** Where each token of the answer looked in the source: one head, or the mean of all. */
  #map({ source, tokens }: Answer, { layer, heads, shares }: Answer["maps"][number]): TemplateResult {
    const [longest, target] = lengths();
    const head = this.#head !== undefined && this.#head < heads ? this.#head : undefined;
    const of = (k: number, row: number, column: number): number => shares[(k * target + row) * longest + column] ?? NaN;
    const at = (row: number, column: number): number =>
      head === undefined ? Array.from({ length: heads }, (_, k) => of(k, row, column)).reduce((a, b) => a + b, 0) / heads : of(head, row, column);
    const columns = [...source].map(visible);
    const pick = (k: number | undefined, text: string) => html`<button aria-pressed=${k === head} @click=${() => {
      this.#head = k;
      this.requestUpdate();
    }}>${text}</button>`;
    return html`<h3>${t("pairs.map", { layer })}</h3>
      <p class="segmented heads" role="group" aria-label=${t("attention.heads")}>${pick(undefined, t("pairs.mean"))}${Array.from({ length: heads }, (_, k) => pick(k, t("attention.head", { k: k + 1 })))}</p>
      <gs-token-map .of=${{
        label: t("pairs.mapLabel", { rows: tokens.length, columns: columns.length }), rows: tokens.map(({ text }) => visible(text ?? undefined)), columns, at,
        chosen: this.#chosen === undefined ? undefined : [this.#chosen, undefined] as const, choose: (row: number) => this.#choose(row),
      }}></gs-token-map><p class="caption">${t("pairs.mapText")}</p>`;
  }

  override render() {
    const now = answer.value;
    const tokens = now?.tokens ?? [];
    const chosen = this.#chosen === undefined ? undefined : tokens[this.#chosen];
    const error = refused.value;
    const [longest] = lengths();
    void palette.value;
    return html`<section class="panel writing" aria-label=${t("pairs.title")}>
      <header><h2>${t("pairs.title")}</h2><p>${now ? t("writing.step", { step: count(now.step) }) : t("pairs.text")}</p></header>
      <form class="writing-form" @submit=${(event: Event) => {
        event.preventDefault();
        this.#chosen = undefined;
        if (answering.value) cancelAnswer();
        else void translate();
      }}>
        <label class="prompt">${t("pairs.source", { n: longest })}<input type="text" maxlength="200" autocapitalize="off" autocomplete="off" spellcheck="false" .value=${settings.value.source} placeholder=${pinnedSource()}
          aria-invalid=${error ? "true" : "false"} @input=${(event: Event) => change({ source: (event.target as HTMLInputElement).value })}></label>
        <label>${t("writing.temperature")}<input type="number" inputmode="decimal" min="0" max="3" step="0.1" .value=${String(settings.value.temperature)}
          @change=${(event: Event) => change({ temperature: Math.min(3, Math.max(0, Number((event.target as HTMLInputElement).value) || 0)) })}></label>
        <button class="primary" type="submit" ?disabled=${!store.session.value}>${answering.value ? t("writing.stop") : t("pairs.answer")}</button>
      </form>
      ${error ? html`<p class="refused" role="alert">${errorText(error)}</p>` : nothing}
      ${now
        ? html`<p class="written short mono" tabindex="0" role="group" aria-label=${t("writing.result")} @keydown=${this.#keys}><span class="given">${now.source} → </span>${tokens.map((of, k) =>
            html`<span class=${k === this.#chosen ? "on" : ""} style="background:${css(palette.peek().positive, (1 - of.probability) * 0.4)}" title="${visible(of.text ?? undefined)} ${percent(of.probability, true)}"
              @click=${() => this.#choose(k === this.#chosen ? undefined : k)}>${of.text}</span>`)}</p>
          <p class="caption">${t("writing.shade")} ${t("pairs.signs")}</p>
          ${chosen ? html`<div aria-live="polite"><h3>${t("writing.place", { k: (this.#chosen ?? 0) + 1 })}</h3>${this.#candidates(chosen)}</div>` : nothing}
          ${now.maps.map((map) => this.#map(now, map))}`
        : nothing}
    </section>`;
  }
}
customElements.define("gs-translating", Translating);

/** The pinned pair, and what the network says at each position of its target when it reads the right one so far. */
class PairSample extends View {
  override render() {
    const pinned = store.pinned.value;
    const names = store.session.value?.info.classes ?? [];
    if (!pinned) return html`<div class="hatch text-sample"></div>`;
    const [longest] = lengths();
    const source = texts(pinned.x.subarray(0, longest));
    const target = texts(pinned.target);
    const output = store.frame.value?.output;
    const says = (position: number): number | undefined => {
      const row = output?.subarray(position * names.length, (position + 1) * names.length);
      return row?.length ? row.indexOf(Math.max(...row)) : undefined;
    };
    return html`<dl class="pair mono" aria-label=${t("sample.pair")}>
      <dt>${t("pairs.given")}</dt><dd>${source.join("")}</dd>
      <dt>${t("pairs.wanted")}</dt><dd>${target.join("")}</dd>
      <dt>${t("pairs.said")}</dt><dd>${target.map((_, k) => {
        const token = says(k);
        return token === undefined ? "–" : html`<span class=${token === pinned.target[k] ? "" : "wrong"}>${visible(names[token])}</span>`;
      })}</dd></dl>
      <p class="caption">${t("pairs.signs")}</p>`;
  }
}
customElements.define("gs-pair-sample", PairSample);
