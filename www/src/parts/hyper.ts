import { html, nothing } from "lit";
import type { Hyper } from "gradscope";
import { general } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { rateOf, scheduleOf } from "../state/schedule.js";
import type { Spec } from "../state/spec.js";
import * as store from "../state/store.js";

/** A rate between 1e-5 and 10 on a slider of 0 to 120. */
const toSlider = (rate: number): number => Math.round((Math.log10(rate) + 5) * 20);
const fromSlider = (at: number): number => Number((10 ** (at / 20 - 5)).toPrecision(2));

/** What can be changed while training: it takes effect from the next step. */
class HyperParameters extends View {
  /** Shows a value while it is dragged. */
  #show(hyper: Hyper): void {
    store.hyper.value = { ...store.hyper.value, ...hyper };
  }

  #set(hyper: Hyper): void {
    this.#show(hyper);
    store.session.value?.setHyper(hyper).catch(fail);
  }

  #slider(name: keyof Hyper, label: string, value: number, least: number, most: number, step: number, of: (at: number) => number = (at) => at, at = value) {
    const chosen = (event: Event): Hyper => ({ [name]: of(Number((event.target as HTMLInputElement).value)) });
    return html`<label class="slider"><span>${label}</span><output>${general(value)}</output>
      <input type="range" aria-label=${label} min=${least} max=${most} step=${step} .value=${String(at)} aria-valuetext=${general(value)}
        @input=${(event: Event) => this.#show(chosen(event))} @change=${(event: Event) => this.#set(chosen(event))}></label>`;
  }

  override render() {
    const setup = store.built.value?.setup;
    if (!setup || setup.preset === "welcome") return nothing;
    const optimizer = setup.optimizer as unknown as Spec;
    const moved = store.hyper.value;
    const rate = moved.learningRate ?? rateOf(setup.optimizer);
    const now = store.progress.value?.learningRate;
    // What an optimizer began without it has no memory for, and cannot be given while it trains.
    const decay = typeof optimizer.weight_decay === "number" ? optimizer.weight_decay : optimizer.type === "AdamW" ? 0.004 : undefined;
    const generator = setup.loss.type === "adversarial" ? setup.loss.generator_optimizer : undefined;
    const dropout = setup.model.layers.find(({ type }) => type === "Dropout") as unknown as Spec | undefined;
    return html`<section class="hyper">
      <h2>${t("hyper.title")}</h2>
      ${scheduleOf(setup.optimizer) && moved.learningRate === undefined
        ? html`<p class="slider"><span>${t("hyper.rate")}</span><output>${general(now ?? rate)}</output><small>${t("hyper.scheduled")}</small></p>`
        : this.#slider("learningRate", t("hyper.rate"), rate, 0, 120, 1, fromSlider, toSlider(rate))}
      ${generator && !scheduleOf(generator)
        ? this.#slider("generatorLearningRate", t("hyper.generatorRate"), moved.generatorLearningRate ?? rateOf(generator), 0, 120, 1, fromSlider, toSlider(moved.generatorLearningRate ?? rateOf(generator)))
        : nothing}
      ${typeof optimizer.momentum === "number" ? this.#slider("momentum", t("hyper.momentum"), moved.momentum ?? optimizer.momentum, 0, 0.99, 0.01) : nothing}
      ${decay !== undefined ? this.#slider("weightDecay", t("hyper.decay"), moved.weightDecay ?? decay, 0, 0.1, 0.001) : nothing}
      ${dropout ? this.#slider("dropout", t("hyper.dropout"), moved.dropout ?? Number(dropout.rate ?? 0), 0, 0.9, 0.05) : nothing}
    </section>`;
  }
}
customElements.define("gs-hyper", HyperParameters);
