import { html, nothing } from "lit";
import { general, megabytes, shape } from "../lib/format.js";
import { View } from "../lib/view.js";
import { phrase, t } from "../messages/index.js";
import { zoom } from "../state/cell.js";
import { build, cancelLoading } from "../state/engine.js";
import { filtersOf, kernelOf, ON_LAYER } from "../state/pictures.js";
import { goTo } from "../state/route.js";
import { bottleneck } from "../state/latent.js";
import { augmentations, guesses } from "../state/spec.js";
import * as store from "../state/store.js";
import { onPlane } from "../state/plane.js";
import { walk } from "../state/walk.js";
import { isPairs, isText } from "../state/writing.js";
import { icons } from "./icons.js";
import { tileOf } from "./maps.js";
import "./cards.js";
import "./maps.js";
import "./missing.js";
import "./stepper.js";
import "./window.js";

/** A network of at most so many parameters shows each of them. */
const FEW = 40;

/** The network, its live pictures and its curves; or why there is nothing to see yet. */
class Centre extends View {
  #loading() {
    const at = store.loading.value;
    const share = at && at.total > 0 ? at.loaded / at.total : undefined;
    return html`<section class="panel waiting" role="status">
      <h2>${share === 1 ? t("loading.build") : at ? t("loading.data", { name: phrase(store.datasets.value.find(({ name }) => name === at.data)?.title ?? at.data) }) : t("loading.engine")}</h2>
      <span class="segment-bar ${share === undefined ? "unknown" : ""}"><i style="width:${(share ?? 0) * 100}%"></i></span>
      <p class="mono">${at ? (at.total > 0 ? t("loading.bytes", { loaded: megabytes(at.loaded), total: megabytes(at.total) }) : megabytes(at.loaded)) : " "}</p>
      ${at ? html`<div class="buttons"><button @click=${cancelLoading}>${t("loading.cancel")}</button></div>` : nothing}
    </section>`;
  }

  /** Every map of the layer that is looked at, and its filters where they can be seen. */
  #layer(tiny: boolean) {
    const name = store.selected.value;
    const layer = store.built.value?.description.layers.find((of) => of.name === name);
    if (!name || !layer || tiny) return nothing;
    const tile = tileOf(name);
    const vector = tile && (tile.height === 1 || tile.width * tile.height === 1);
    const filters = filtersOf(name);
    const filterTile = tileOf(kernelOf(name));
    const pictures = tile && !vector;
    return html`<section class="panel layer-view">
      <header><h2>${name}</h2><p>${pictures && tile.count > 1 ? t("layer.maps", { n: tile.count, size: shape([tile.height, tile.width]) }) : shape(layer.outputShape)}${tile ? html` <span class="mono scale">±${general(tile.scale)}</span>` : nothing}</p></header>
      ${filters
        ? html`<div class="filters"><p class="caption">${t("layer.filters", { size: shape(filters) })}${filterTile ? html` <span class="mono scale">±${general(filterTile.scale)}</span>` : nothing}</p>
            <gs-maps .node=${kernelOf(name)} .most=${ON_LAYER} .largest=${20} .grows=${true}></gs-maps></div>`
        : nothing}
      ${pictures
        ? html`${filters ? html`<p class="caption">${t("layer.answers")}</p>` : nothing}<gs-choosable-maps .node=${name} .most=${ON_LAYER} .largest=${60}></gs-choosable-maps>`
        : html`<gs-maps class="vector" .node=${name} .most=${1024} .largest=${24} .grows=${true}></gs-maps>`}
    </section>`;
  }

  /** What a network of one or two inputs says everywhere, and the weights of a very small one. */
  #small() {
    const tiny = store.built.value!.description.parameterCount <= FEW;
    const [axes = 0, ...more] = store.built.value?.setup.model.input ?? [];
    const line = axes === 1 && store.session.value?.info.outputShape[0] === 1;
    const plane = more.length === 0 && (line || (axes === 2 && store.dataset.value?.kind === "points"));
    if (tiny) void import("./weights.js");
    if (plane) void import("./plane.js");
    if (onPlane.value) void import("./neurons.js");
    const weights = tiny ? html`<gs-weights></gs-weights>` : nothing;
    return html`${plane ? html`<div class=${tiny ? "pair" : ""}><gs-plane></gs-plane>${weights}</div>` : weights}
      ${onPlane.value ? html`<gs-neurons></gs-neurons>` : nothing}`;
  }

  /** What augmentation makes of the pinned image, as the layer list stands: also before such a network is built. */
  #augmentation() {
    const { value: setup } = store.setup;
    if (setup?.model.input.length !== 3 || augmentations(setup.model) === 0) return nothing;
    void import("./augmentation.js");
    return html`<gs-augmentation></gs-augmentation>`;
  }

  #title() {
    const setup = store.setup.value;
    if (store.isWelcome.value) {
      return html`<div class="crumb"><div><h2 class="title">${t("welcome.title")}</h2><p>${t("welcome.text")}</p></div>
        <button class="primary" @click=${() => goTo("mnist-cnn")}>${icons.play}${t("welcome.open")}</button></div>`;
    }
    const name = setup?.preset ?? "";
    return html`<div class="crumb"><h2 class="title">${store.titleOf(name)}</h2>
      ${store.built.value && store.frame.value
        ? html`<p class="legend" aria-label=${t("legend.label")}><span class="mono">−</span><i class="ramp"></i><span class="mono">+</span><span>${t("legend.text")}</span></p>`
        : nothing}</div>`;
  }

  override render() {
    const { value: status } = store.status;
    if (status === "starting" || status === "loading") return this.#loading();
    if (store.missing.value !== undefined) return html`<gs-missing .name=${store.missing.value}></gs-missing>`;
    const built = store.built.value;
    if (!built && store.setup.value) {
      const { preset } = store.setup.value;
      return html`<section class="panel waiting"><h2>${store.titleOf(preset)}</h2><p>${t("empty.stopped")}</p>
        <div class="buttons"><button class="primary" ?disabled=${status !== "idle"} @click=${() => build()}>${t("empty.load")}</button></div></section>`;
    }
    if (!built) {
      return html`<section class="panel waiting"><h2>${t("welcome.title")}</h2><p>${t("empty.text")}</p>
        <div class="buttons"><button class="primary" @click=${() => goTo("mnist-cnn")}>${t("welcome.open")}</button></div></section>`;
    }
    const input = built.setup.model.input;
    const firstIsConvolution = built.setup.model.layers[0]?.type === "Conv2D" && input.length === 3 && input[2]! <= 3;
    const onFirst = store.selected.value === built.description.layers[0]?.name;
    const tiny = built.description.parameterCount <= FEW;
    if (walk.value) {
      const window = store.isWelcome.value && firstIsConvolution && zoom.value === "network";
      return html`${store.isWelcome.value ? this.#title() : nothing}<gs-stepper></gs-stepper>${window ? html`<gs-window></gs-window>` : nothing}`;
    }
    // The opening page shows neither: loaded when wanted.
    if (!store.isWelcome.value) void Promise.all([import("./curves.js"), import("./transfer.js")]);
    return html`
      ${this.#title()}
      <gs-cards></gs-cards>
      ${this.#augmentation()}
      ${this.#small()}
      ${store.isWelcome.value ? nothing : html`<gs-curves></gs-curves><gs-transfer></gs-transfer>`}
      ${store.isGame.value ? (void import("./game.js"), html`<gs-game></gs-game>`) : nothing}
      ${bottleneck.value ? (void import("./latent.js"), html`<gs-latent></gs-latent>`) : nothing}
      ${isText() ? (void Promise.all([import("./writing.js"), import("./tokens.js")]), html`<gs-writing></gs-writing><gs-tokens></gs-tokens>`) : isPairs() ? (void import("./pairs.js"), html`<gs-translating></gs-translating>`) : nothing}
      ${guesses(built.setup.model) && store.isDocuments.value ? (void import("./guesses.js"), html`<gs-guesses></gs-guesses>`) : nothing}
      ${store.isOfTexts.value ? (void import("./inside.js"), html`<gs-inside></gs-inside>`) : nothing}
      ${store.isWelcome.value ? nothing : this.#layer(tiny)}
      ${firstIsConvolution && onFirst ? html`<gs-window></gs-window>` : nothing}
      ${store.isWelcome.value ? this.#layer(tiny) : nothing}
    `;
  }
}
customElements.define("gs-centre", Centre);
