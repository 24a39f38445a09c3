import { html, nothing } from "lit";
import type { OptimizerSpec } from "gradscope";
import { count, general } from "../lib/format.js";
import { Drawing } from "../lib/drawing.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { hasSchedule, lossNamed, LOSSES, OPTIMIZER_FIELDS, OPTIMIZERS, rateOf, withRate, type Field, type Spec } from "../state/spec.js";
import * as store from "../state/store.js";
import { field } from "./field.js";
import { pendingChange } from "./pending.js";

const DECAY_STEPS: Field = { key: "decay_steps", kind: "whole", least: 1, fallback: undefined };

/** Steps that the epochs of the controls come to. */
function plannedSteps(setup: store.Setup): number {
  const examples = Math.round((store.wantedDataset.value?.train ?? setup.batchSize) * (1 - setup.validationSplit));
  return Math.max(1, Math.ceil(examples / setup.batchSize) * setup.epochs);
}

/** Keras's `CosineDecay`, at a step. */
function cosine(schedule: Spec, step: number): number {
  const number = (key: string, fallback: number): number => (typeof schedule[key] === "number" ? schedule[key] : fallback);
  const [initial, alpha, target] = [number("initial_learning_rate", 1e-3), number("alpha", 0), schedule.warmup_target];
  const warm = typeof target === "number" ? number("warmup_steps", 0) : 0;
  const peak = typeof target === "number" ? target : initial;
  if (step < warm) return initial + ((peak - initial) * step) / warm;
  const share = Math.min(1, (step - warm) / number("decay_steps", 1));
  return peak * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * share)) + alpha);
}

/** The learning rate that is to come. */
class SchedulePreview extends Drawing {
  protected override reads(): string {
    void palette.value;
    void store.progress.value;
    return t("optimizer.preview", { rate: general(store.setup.value ? rateOf(store.setup.value.optimizer) : undefined) });
  }
  protected override heightFor(): number {
    return 56;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const setup = store.setup.peek();
    if (!setup) return;
    const steps = plannedSteps(setup);
    const schedule = (setup.optimizer as unknown as Spec).learning_rate as Spec;
    const at = (step: number): number => (hasSchedule(setup.optimizer) ? cosine(schedule, step) : rateOf(setup.optimizer));
    const peak = Math.max(...Array.from({ length: 50 }, (_, k) => at((k / 49) * steps))) || 1;
    const y = (rate: number): number => 3 + (1 - rate / peak) * (height - 6);
    const { ink, line } = palette.peek();
    context.strokeStyle = css(line);
    context.strokeRect(0.5, height - 0.5, width, 0);
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    context.beginPath();
    for (let x = 0; x <= width; x += 2) context.lineTo(x, y(at((x / width) * steps)));
    context.stroke();
    const step = store.progress.peek()?.step;
    if (!step) return;
    context.fillStyle = css(ink);
    context.beginPath();
    context.arc(Math.min(1, step / steps) * width, y(at(step)), 3.500, 0, 7);
    context.fill();
  }
}
customElements.define("gs-schedule", SchedulePreview);

/** How the weights are changed: optimizer, schedule, batch, loss. Each change asks for a new network. */
class Optimizer extends View {
  #change(optimizer: Spec): void {
    store.change({ optimizer: optimizer as unknown as OptimizerSpec });
  }

  #schedule(setup: store.Setup) {
    const optimizer = setup.optimizer as unknown as Spec;
    const scheduled = hasSchedule(setup.optimizer);
    const rate = rateOf(setup.optimizer);
    const set = (value: number): void => {
      const schedule = optimizer.learning_rate;
      this.#change({ ...optimizer, learning_rate: scheduled ? { ...(schedule as Spec), initial_learning_rate: value } : value });
    };
    return html`<label><span class="arg" title=${t("arg.learning_rate")}>${scheduled ? "initial_learning_rate" : "learning_rate"}</span>
        <input type="number" min="0" step="any" .value=${String(rate)} @change=${(event: Event) => {
          const typed = Number((event.target as HTMLInputElement).value);
          if (typed > 0) set(typed);
        }}></label>
      <label><span>${t("optimizer.schedule")}</span><select @change=${(event: Event) => {
        const kind = (event.target as HTMLSelectElement).value;
        const learning_rate = kind === "constant" ? rate : { type: "CosineDecay", initial_learning_rate: rate, decay_steps: plannedSteps(setup) };
        store.change({ optimizer: withRate(setup.optimizer, learning_rate) });
      }}><option value="constant" ?selected=${!scheduled}>${t("optimizer.constant")}</option>
        <option value="CosineDecay" ?selected=${scheduled}>CosineDecay</option></select></label>
      ${scheduled
        ? field(optimizer.learning_rate as Spec, DECAY_STEPS, (key, value) =>
            this.#change({ ...optimizer, learning_rate: { ...(optimizer.learning_rate as Spec), [key]: value ?? plannedSteps(setup) } }))
        : nothing}
      <gs-schedule></gs-schedule>`;
  }

  override render() {
    const setup = store.setup.value;
    if (!setup || store.isWelcome.value) return html`<p class="none">${t("optimizer.none")}</p>`;
    const optimizer = setup.optimizer as unknown as Spec;
    const fields = OPTIMIZER_FIELDS[optimizer.type] ?? [];
    const whole = (key: "batchSize" | "epochs" | "seed", least: number, text: string) => html`<label><span>${text}</span>
      <input type="number" min=${least} step="1" .value=${String(setup[key])} @change=${(event: Event) => {
        const typed = Math.round(Number((event.target as HTMLInputElement).value));
        if (Number.isFinite(typed)) store.change({ [key]: Math.max(least, typed) });
      }}></label>`;
    return html`
      <section class="form"><h3>${t("optimizer.title")}</h3>
        <label><span>${t("optimizer.kind")}</span><select @change=${(event: Event) => this.#change({ type: (event.target as HTMLSelectElement).value, ...(optimizer.learning_rate === undefined ? {} : { learning_rate: optimizer.learning_rate }) })}>
          ${OPTIMIZERS.map((type) => html`<option ?selected=${type === optimizer.type}>${type}</option>`)}</select></label>
        ${this.#schedule(setup)}
        ${fields.map((of) => field(optimizer, of, (key, value) => this.#change({ ...optimizer, [key]: value })))}
      </section>
      <section class="form"><h3>${t("optimizer.run")}</h3>
        ${whole("batchSize", 1, t("numbers.batch"))}
        ${whole("epochs", 1, t("optimizer.epochs"))}
        <p class="none">${t("optimizer.steps", { n: count(plannedSteps(setup)) })}</p>
        ${whole("seed", 0, t("optimizer.seed"))}
        <label><span>${t("optimizer.validation")}</span><input type="number" min="0" max="0.9" step="any" .value=${String(setup.validationSplit)}
          @change=${(event: Event) => store.change({ validationSplit: Math.min(0.9, Math.max(0, Number((event.target as HTMLInputElement).value))) })}></label>
        <label class="wide"><span>${t("optimizer.loss")}</span><select @change=${(event: Event) => store.change({ loss: lossNamed((event.target as HTMLSelectElement).value) })}>
          ${[...new Set<string>([setup.loss.type, ...LOSSES])].map((name) => html`<option ?selected=${name === setup.loss.type}>${name}</option>`)}</select></label>
      </section>
      ${store.dirty.value ? pendingChange() : nothing}`;
  }
}
customElements.define("gs-optimizer", Optimizer);
