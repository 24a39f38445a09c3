import { html, nothing } from "lit";
import { count, duration } from "../lib/format.js";
import { View } from "../lib/view.js";
import { lesson, phrase, t } from "../messages/index.js";
import { ownSetup } from "../state/dropped.js";
import { expected } from "../state/pace.js";
import * as store from "../state/store.js";

/** How long training takes on this device. */
function time() {
  const of = expected.value;
  if (!of) return nothing;
  const [epochs, steps] = [count(of.epochs), count(of.steps)];
  if (of.seconds === undefined) return html`<p class="caption">${t("explain.timeUnknown", { epochs, steps })}</p>`;
  return html`<p class="caption">${of.epochs === 1 ? t("explain.timeOne", { steps, time: duration(of.seconds) }) : t("explain.time", { epochs, steps, time: duration(of.seconds) })}</p>`;
}

/** What the model is, what its article claims and what is true, and what to do next. */
class Explain extends View {
  override render() {
    const name = store.setup.value?.preset ?? "welcome";
    const taught = lesson(name);
    const set = store.wantedDataset.value;
    return html`
      ${taught
        ? html`<section class="lesson"><h2>${taught.title}</h2>
            ${taught.text.map((paragraph) => html`<p>${paragraph}</p>`)}
            ${taught.claims
              ? html`<table class="claims"><thead><tr><th scope="col">${t("explain.what")}</th><th scope="col">${t("explain.article")}</th><th scope="col">${t("explain.truth")}</th></tr></thead>
                  <tbody>${taught.claims.map(({ what, article, truth }) => html`<tr><th scope="row">${what}</th><td>${article}</td><td>${truth}</td></tr>`)}</tbody></table>`
              : nothing}${time()}</section>
            <section><h3>${t("explain.next")}</h3><ol class="next">${taught.next.map(({ text, address }) => html`<li>${address ? html`<a href=${address}>${text}</a>` : text}</li>`)}</ol></section>`
        : ownSetup(name)
          ? (void import("./own-facts.js"), html`<gs-own-facts .name=${name}></gs-own-facts>`)
          : html`<section class="lesson"><h2>${name}</h2><p>${t("explain.untaught")}</p></section>`}
      ${set
        ? html`<section><h3>${t("explain.data")}</h3><dl class="facts">
            <dt>${t("data.name")}</dt><dd>${phrase(set.title)}</dd>
            <dt>${t(set.kind === "text" ? "data.characters" : "data.examples")}</dt><dd class="mono">${set.test ? t("data.counts", { train: set.train, test: set.test }) : count(set.train)}</dd>
            ${set.source ? html`<dt>${t("data.source")}</dt><dd>${phrase(set.source)}</dd>` : nothing}
            ${set.licence ? html`<dt>${t("data.licence")}</dt><dd>${set.licence}</dd>` : nothing}</dl></section>`
        : nothing}`;
  }
}
customElements.define("gs-explain", Explain);
