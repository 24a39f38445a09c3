import { html, nothing } from "lit";
import type { BackendChoice, DatasetInfo } from "gradscope";
import { View } from "../lib/view.js";
import { phrase, t } from "../messages/index.js";
import { ownOpen, ownSetup } from "../state/dropped.js";
import { goTo } from "../state/route.js";
import { language, LANGUAGE_NAMES, LANGUAGES, theme, THEMES, type Language, type Theme } from "../state/settings.js";
import { readsTokens, refit } from "../state/spec.js";
import * as store from "../state/store.js";
import { build } from "../state/engine.js";
import { moveTo } from "../state/training.js";
import { icons } from "./icons.js";

const value = (event: Event): string => (event.target as HTMLSelectElement).value;

/** Kinds of data that the same models read. */
const family = (kind: DatasetInfo["kind"]): string => (kind === "documents" || kind === "text" || kind === "pairs" ? kind : "numbers");

/** Changes the data set, and with it the input's shape and the number of classes. */
function chooseData(name: string): void {
  const before = store.wantedDataset.value;
  const now = store.datasets.value.find((set) => set.name === name);
  const setup = store.setup.value;
  if (!now || !setup) return;
  // One's own come back with the model that was set up for them.
  if (ownSetup(name)) return goTo(name);
  // A text brings its own vocabulary, and pairs their lengths: the engine fits the model.
  if (now.kind === "text" || now.kind === "pairs") store.change({ data: name });
  // Documents become rows as the model reads them.
  else if (now.kind === "documents") store.change({ data: name, model: refit(setup.model, setup.model.input, before?.classes.length ?? 0, now.classes.length) });
  else store.change({ data: name, model: refit(setup.model, now.shape, before?.classes.length ?? 0, now.classes.length) });
  if (!now.installed) void build();
}

/** The name of the backend that trains, for the badge. */
function badge(): string {
  const info = store.session.value?.info;
  if (!info) return t("backend.none");
  if (info.backend === "webgpu") return `WebGPU · ${info.adapter || t("backend.adapter")}`;
  return info.workers > 1 ? t("backend.cpu.many", { kind: info.adapter, workers: info.workers }) : t("backend.cpu", { kind: info.adapter });
}

/** Numbers of workers to choose from: no more than there are cores, and one where workers cannot share memory. */
const TEAMS = crossOriginIsolated ? [2, 3, 4, 6, 8, 12, 16].filter((size) => size <= navigator.hardwareConcurrency) : [];

class TopBar extends View {
  protected override updated(): void {
    // Once its options are there, which may be others than before.
    for (const select of this.querySelectorAll("select")) select.value = select.dataset.chosen ?? select.value;
  }

  #pick(label: string, content: unknown, chosen: string, change: (value: string) => void, kind = "") {
    return html`<label class="pick ${kind}"><span>${label}</span
      ><select aria-label=${label} data-chosen=${chosen} @change=${(event: Event) => change(value(event))}>${content}</select></label>`;
  }

  override render() {
    const setup = store.setup.value;
    const scratch = store.scratchOpen.value;
    const chosen = scratch ? "scratch" : (setup?.preset ?? "");
    const option = (of: string, text: string, selected: boolean) => html`<option value=${of} ?selected=${selected}>${text}</option>`;
    const models = html`
      ${option("welcome", t("model.welcome"), chosen === "welcome")}
      ${store.presets.value.map(({ name }) => option(name, store.titleOf(name), chosen === name))}
      ${ownSetup(chosen) ? option(chosen, store.titleOf(chosen), true) : nothing}
      ${option("scratch", t("scratch.title"), scratch)}`;
    const { kind } = store.wantedDataset.value ?? {};
    const wanted = kind === "documents" || kind === "pairs" ? kind : readsTokens(setup?.model) ? "text" : "numbers";
    const sets = html`
      ${setup && !setup.data ? option("", t("data.digit"), true) : nothing}
      ${store.datasets.value.filter(({ kind, name }) => name === setup?.data || ownSetup(name) || family(kind) === wanted).map(({ name, title, installed }) =>
        option(name, installed ? phrase(title) : t("data.missing", { title: phrase(title) }), setup?.data === name))}`;
    const workers = setup?.workers ?? 1;
    const backend = setup?.backend === "cpu" && workers > 1 ? `cpu ${workers}` : (setup?.backend ?? "auto");
    const teams = [...new Set([...TEAMS, workers])].filter((size) => size > 1).sort((a, b) => a - b);
    const session = store.session.value;
    void store.built.value; // the session's facts change when its device is lost
    const [name, ...detail] = badge().split(" · ");
    return html`<header class="topbar">
      <h1 class="brand"><a href="#/" title=${t("brand")}>grad<i>scope</i></a></h1>
      ${this.#pick(t("pick.model"), models, chosen, (name) => (name === "welcome" ? (location.hash = "#/") : goTo(name)))}
      ${scratch ? nothing : this.#pick(t("pick.data"), sets, setup?.data ?? "", chooseData)}
      <button class="own-button" @click=${() => (ownOpen.value = [])} title=${t("own.open")}>${icons.add}<span>${t("own.open")}</span></button>
      <span class="gap"></span>
      ${scratch ? nothing : html`<label class="pick badge ${session ? "on" : ""}" title=${t("backend.switch")}>
        <span class="shown">${name}<span class="detail">${detail.map((part) => ` · ${part}`)}</span></span>
        <select aria-label=${t("backend.switch")} data-chosen=${backend} @change=${(event: Event) => {
          const [kind, workers = "1"] = value(event).split(" ");
          const where = { backend: kind as BackendChoice, workers: Number(workers) };
          if (store.isWelcome.value) store.change(where);
          else void moveTo(where);
        }}>
          ${(["auto", "webgpu", "cpu"] as const).map((kind) => option(kind, t(`backend.${kind}.choice`), backend === kind))}
          ${teams.map((workers) => option(`cpu ${workers}`, t("backend.team.choice", { workers }), backend === `cpu ${workers}`))}
        </select>
      </label>`}
      ${this.#pick(t("pick.language"), LANGUAGES.map((of) => option(of, LANGUAGE_NAMES[of], language.value === of)), language.value,
        (of) => (language.value = of as Language), "quiet")}
      ${this.#pick(t("pick.theme"), THEMES.map((of) => option(of, t(`theme.${of}`), theme.value === of)), theme.value,
        (of) => (theme.value = of as Theme), "quiet")}
      <button class="plain help-button" @click=${() => (store.helpOpen.value = true)} title=${t("help.title")}>${icons.help}<span>${t("help.open")}</span></button>
    </header>`;
  }
}
customElements.define("gs-topbar", TopBar);
