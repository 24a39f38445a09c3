import { html, nothing } from "lit";
import { count, duration, fixed, general, percent } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import * as store from "../state/store.js";
import { open, walk } from "../state/walk.js";
import { oneBatch, play, reset } from "../state/training.js";
import { icons } from "./icons.js";
import "./timeline.js";

/** More epochs than this share one bar. */
const MOST_SEGMENTS = 24;

/** How far the evaluation has come that is under way. */
export function evaluatingText(): string {
  const at = store.evaluating.value;
  return at ? t("transport.evaluated", { done: count(at.done), total: count(at.total), left: duration(at.secondsLeft) }) : t("transport.evaluating");
}

class Transport extends View {
  #where(): string {
    const progress = store.progress.value;
    if (!progress) return store.session.value ? t("transport.untrained") : "";
    const done = Math.floor(progress.epoch + 1e-6);
    const batch = progress.step - done * progress.stepsPerEpoch;
    const all = Math.max(store.target.value, done);
    if (batch <= 0 && done > 0) return t("transport.epochsDone", { done, all });
    return t("transport.where", { epoch: done + 1, batch, batches: progress.stepsPerEpoch });
  }

  #what(): string {
    switch (store.status.value) {
      case "training": return store.evaluating.value ? evaluatingText() : t("transport.training");
      case "evaluating": return evaluatingText();
      case "loading": return t("transport.loading");
      case "starting": return t("transport.starting");
      case "dead": return t("transport.dead");
      case "idle":
        if (store.impossible.value) return t("layers.impossible");
        if (store.dirty.value) return t("transport.pending");
        return store.progress.value ? t("transport.paused") : t("transport.ready");
    }
  }

  /** The outer track: one segment an epoch, with the accuracy that it reached; of sequences, the share that was right as a whole. */
  #track() {
    const epoch = store.progress.value?.epoch ?? 0;
    const all = Math.max(store.target.value, store.setup.value?.epochs ?? 1, Math.ceil(epoch));
    const history = store.history.value.of;
    const segments = all <= MOST_SEGMENTS ? all : 1;
    const reached = new Map(history.epochs.map(({ epoch, test, validation }) => [epoch, test?.exact ?? test?.accuracy ?? validation?.exact ?? validation?.accuracy]));
    return html`<div class="track" role="progressbar" aria-label=${t("transport.track")} aria-valuemin="0" aria-valuemax=${all} aria-valuenow=${Math.round(epoch * 100) / 100}
      aria-valuetext=${t("transport.epochsDone", { done: Math.floor(epoch), all })}>
      ${Array.from({ length: segments }, (_, k) => {
        const share = segments === 1 ? epoch / all : Math.max(0, Math.min(1, epoch - k));
        const accuracy = reached.get(k + 1);
        return html`<div class="segment"><span class="segment-label">${all > segments ? t("transport.epochs", { n: all }) : k + 1}<b>${accuracy == null ? nothing : percent(accuracy)}</b></span>
          <span class="segment-bar"><i style="width:${share * 100}%"></i></span></div>`;
      })}
    </div>`;
  }

  override render() {
    if (walk.value) return html`<gs-timeline></gs-timeline>`;
    const progress = store.progress.value;
    const training = store.status.value === "training";
    const can = training || (store.status.value === "idle" && !store.impossible.value);
    if (store.isWelcome.value || !store.setup.value) return nothing;
    const where = this.#where();
    const stat = (label: string, value: string) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`;
    return html`<footer class="transport">
      <div class="transport-buttons">
        <button class="primary play" ?disabled=${!can} @click=${() => play()} title=${t("keys.play")}>
          ${training ? icons.pause : icons.play}<span>${training ? t("transport.pause") : progress ? t("transport.resume") : t("transport.play")}</span></button>
        <button ?disabled=${!["idle", "evaluating"].includes(store.status.value) || store.dirty.value || !store.session.value} @click=${() => open()} title=${`${t("walk.openWhy")} (→)`}>${icons.walk}<span>${t("walk.open")}</span></button>
        <button ?disabled=${!can || training} @click=${() => oneBatch()} title=${`${t("transport.batch")} (Alt →)`}>${icons.step}<span>${t("transport.batch")}</span></button>
        <button ?disabled=${!progress || training} @click=${() => reset()} title=${t("keys.reset")}>${icons.reset}<span>${t("transport.reset")}</span></button>
      </div>
      <div class="transport-middle">
        <p>${where ? html`<b>${where}</b>` : nothing}<span>${this.#what()}</span></p>
        ${this.#track()}
      </div>
      <dl class="stats">
        ${stat(t("stat.loss"), fixed(progress?.losses.length ? progress.loss : undefined))}
        ${progress?.exact == null ? stat(t("stat.accuracy"), percent(progress?.accuracy)) : stat(t("stat.exact"), percent(progress.exact))}
        ${stat(t("stat.speed"), progress ? t("stat.perSecond", { n: count(progress.examplesPerSecond) }) : general(undefined))}
        ${stat(t("stat.left"), training ? duration(progress?.secondsLeft) : general(undefined))}
      </dl>
    </footer>`;
  }
}
customElements.define("gs-transport", Transport);
