import { signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import { learningRates, type OptimizerSpec } from "gradscope";
import { count, general } from "../lib/format.js";
import { Drawing } from "../lib/drawing.js";
import { latest } from "../lib/latest.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { rateOf, SCHEDULES, scheduleOf, withRate } from "../state/schedule.js";
import { lossNamed, LOSSES, OPTIMIZER_FIELDS, optimizerNamed, OPTIMIZERS, type Spec } from "../state/spec.js";
import * as store from "../state/store.js";
import { field } from "./field.js";
import { pendingChange } from "./pending.js";

/** Steps that the epochs of the controls come to. */
function plannedSteps(setup: store.Setup): number {
  const free = Math.round((store.wantedDataset.value?.train ?? setup.batchSize) * (1 - setup.validationSplit));
  const examples = Math.min(free, setup.trainExamples ?? Infinity);
  return Math.max(1, Math.ceil(examples / setup.batchSize) * setup.epochs);
}

/** Learning rates over the run that the controls ask for, as the engine computes them. */
const rates = signal<{ of: string; steps: number; at: readonly number[] } | undefined>(undefined);
const POINTS = 120;

const ask = latest(async () => {
  const setup = store.setup.value;
  if (!setup) return;
  const steps = plannedSteps(setup);
  const of = wanted(setup);
  try {
    const at = await learningRates(setup.optimizer, Array.from({ length: POINTS }, (_, k) => Math.round((k / (POINTS - 1)) * steps)));
    rates.value = { of, steps, at };
  } catch (error) {
    fail(error);
  }
});

const wanted = (setup: store.Setup): string => JSON.stringify([setup.optimizer, plannedSteps(setup)]);

/** The learning rate that is to come. */
class SchedulePreview extends Drawing {
  protected override reads(): string {
    void palette.value;
    void store.progress.value;
    const setup = store.setup.value;
    if (setup && rates.value?.of !== wanted(setup)) ask();
    return t("optimizer.preview", { rate: general(setup ? rateOf(setup.optimizer) : undefined) });
  }
  protected override heightFor(): number {
    return 56;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const run = rates.peek();
    if (!run) return;
    const peak = Math.max(...run.at) || 1;
    const y = (rate: number): number => 3 + (1 - rate / peak) * (height - 6);
    const { ink, line } = palette.peek();
    context.strokeStyle = css(line);
    context.strokeRect(0.5, height - 0.5, width, 0);
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    context.beginPath();
    run.at.forEach((rate, k) => context.lineTo((k / (POINTS - 1)) * width, y(rate)));
    context.stroke();
    const step = store.progress.peek()?.step;
    if (!step) return;
    const share = Math.min(1, step / run.steps);
    context.fillStyle = css(ink);
    context.beginPath();
    context.arc(share * width, y(run.at[Math.round(share * (POINTS - 1))] ?? 0), 3.5, 0, 7);
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
    const schedule = scheduleOf(setup.optimizer);
    const set = (rate: unknown): void => store.change({ optimizer: withRate(setup.optimizer, rate) });
    const choose = (event: Event): void => {
      const rate = rateOf(setup.optimizer);
      set(SCHEDULES[(event.target as HTMLSelectElement).value]?.make(rate, plannedSteps(setup)) ?? rate);
    };
    // What is emptied goes back to where the schedule began, or is left out.
    const begun = schedule && SCHEDULES[schedule.type]?.make(rateOf(setup.optimizer), plannedSteps(setup));
    const edit = (key: string, value: unknown): void => set(JSON.parse(JSON.stringify({ ...schedule, [key]: value ?? begun?.[key] })));
    return html`<label><span>${t("optimizer.schedule")}</span><select @change=${choose}>
        <option value="" ?selected=${!schedule}>${t("optimizer.constant")}</option>
        ${Object.keys(SCHEDULES).map((type) => html`<option value=${type} ?selected=${schedule?.type === type}>${type === "Constant" ? t("optimizer.warmup") : type}</option>`)}</select></label>
      ${schedule
        ? SCHEDULES[schedule.type]?.fields.map((of) => field(schedule, of, edit))
        : html`<label><span class="arg" title=${t("arg.learning_rate")}>learning_rate</span>
            <input type="number" min="0" step="any" .value=${String(rateOf(setup.optimizer))} @change=${(event: Event) => {
              const typed = Number((event.target as HTMLInputElement).value);
              if (typed > 0) set(typed);
            }}></label>`}
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
        <label><span>${t("optimizer.kind")}</span><select @change=${(event: Event) => this.#change(optimizerNamed((event.target as HTMLSelectElement).value, optimizer))}>
          ${OPTIMIZERS.map((type) => html`<option ?selected=${type === optimizer.type}>${type}</option>`)}</select></label>
        ${this.#schedule(setup)}
        ${fields.map((of) => field(optimizer, of, (key, value) => this.#change({ ...optimizer, [key]: value })))}
      </section>
      <section class="form"><h3>${t("optimizer.run")}</h3>
        ${whole("batchSize", 1, t("numbers.batch"))}
        ${whole("epochs", 1, t("optimizer.epochs"))}
        <p class="none">${t("optimizer.steps", { n: count(plannedSteps(setup)) })}</p>
        ${whole("seed", 0, t("optimizer.seed"))}
        <label><span>${t("optimizer.validation")}</span><input type="number" min="0" max="0.9" step="any" .value=${String(Number(setup.validationSplit.toPrecision(6)))}
          @change=${(event: Event) => store.change({ validationSplit: Math.min(0.9, Math.max(0, Number((event.target as HTMLInputElement).value))) })}></label>
        <label><span title=${t("optimizer.examplesText")}>${t("optimizer.examples")}</span><input type="number" min="1" step="1" .value=${String(setup.trainExamples ?? "")} placeholder=${t("optimizer.all")}
          @change=${(event: Event) => {
            const typed = Math.round(Number((event.target as HTMLInputElement).value));
            store.change({ trainExamples: typed >= 1 ? typed : undefined });
          }}></label>
        <label><span title=${t("optimizer.patienceText")}>${t("optimizer.patience")}</span><input type="number" min="1" step="1" .value=${String(setup.patience ?? "")} placeholder=${t("field.none")}
          @change=${(event: Event) => {
            const typed = Math.round(Number((event.target as HTMLInputElement).value));
            store.change({ patience: typed >= 1 ? typed : undefined });
          }}></label>
        <label class="wide"><span>${t("optimizer.loss")}</span><select @change=${(event: Event) => store.change({ loss: lossNamed((event.target as HTMLSelectElement).value, setup.loss) })}>
          ${[...new Set<string>([setup.loss.type, ...LOSSES])].map((name) => html`<option ?selected=${name === setup.loss.type}>${name}</option>`)}</select></label>
      </section>
      ${store.wantedDataset.value?.kind === "documents" ? (void import("./documents.js"), html`<gs-document-options></gs-document-options>`) : nothing}
      ${store.wantedDataset.value?.kind === "text" ? (void import("./tokens.js"), html`<gs-text-options></gs-text-options>`) : nothing}
      ${store.dirty.value ? pendingChange() : nothing}`;
  }
}
customElements.define("gs-optimizer", Optimizer);
