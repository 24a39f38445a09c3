import { html, nothing } from "lit";
import { count, fixed, general, percent, shape, short } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import * as store from "../state/store.js";

interface Statistics {
  mean: number;
  deviation: number;
  least: number;
  most: number;
  bad: number;
}

function statistics(values: Float32Array): Statistics {
  let [sum, squares, least, most, bad] = [0, 0, Infinity, -Infinity, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) {
      bad++;
      continue;
    }
    sum += value;
    squares += value * value;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const n = values.length - bad;
  return { mean: sum / n, deviation: Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)), least, most, bad };
}

/** The run in numbers: where it stands, each epoch, each parameter. */
class Numbers extends View {
  readonly #read = new Map<string, Statistics>();
  #readAt: unknown;

  async #open(name: string): Promise<void> {
    try {
      const values = await store.session.value?.getParameter(name);
      if (values) this.#read.set(name, statistics(values));
      this.requestUpdate();
    } catch (error) {
      fail(error);
    }
  }

  #epochs() {
    const rows = store.history.value.of.epochs;
    if (!rows.length) return html`<p class="none">${t("numbers.noEpoch")}</p>`;
    const has = (part: "validation" | "test"): boolean => rows.some((row) => row[part]);
    const [validation, test] = [has("validation"), has("test")];
    const classified = rows.some((row) => row.accuracy !== undefined);
    const cells = (loss: number | undefined, accuracy: number | null | undefined) => html`<td>${fixed(loss)}</td>${classified ? html`<td>${percent(accuracy, true)}</td>` : nothing}`;
    const columns = classified ? 2 : 1;
    return html`<div class="scroll-x"><table class="numbers"><thead>
      <tr><td></td><th colspan=${columns} scope="colgroup">${t("split.train")}</th>${validation ? html`<th colspan=${columns} scope="colgroup">${t("split.validation")}</th>` : nothing}${test ? html`<th colspan=${columns} scope="colgroup">${t("split.test")}</th>` : nothing}</tr>
    </thead><tbody>${[...rows].reverse().slice(0, 40).map((row) => html`<tr><th scope="row">${row.epoch}</th>${cells(row.loss, row.accuracy)}
      ${validation ? cells(row.validation?.loss, row.validation?.accuracy) : nothing}${test ? cells(row.test?.loss, row.test?.accuracy) : nothing}</tr>`)}</tbody></table></div>`;
  }

  override render() {
    const info = store.session.value?.info;
    const built = store.built.value;
    if (!info || !built) return html`<p class="none">${t("numbers.none")}</p>`;
    if (this.#readAt !== store.progress.value) {
      this.#read.clear();
      this.#readAt = store.progress.value;
    }
    const progress = store.progress.value;
    const row = (name: string, value: string) => html`<dt>${name}</dt><dd class="mono">${value}</dd>`;
    const stepsPerSecond = progress ? progress.examplesPerSecond / info.batchSize : undefined;
    return html`
      <section><h3>${t("numbers.now")}</h3><dl class="facts">
        ${row(t("numbers.step"), count(progress?.step))}
        ${row(t("stat.loss"), fixed(progress?.losses.length ? progress.loss : undefined))}
        ${row(t("stat.accuracy"), percent(progress?.accuracy, true))}
        ${progress?.exact == null ? nothing : row(t("stat.exact"), percent(progress.exact, true))}
        ${row(t("hyper.rate"), general(progress?.learningRate))}
        ${row(t("numbers.speed"), progress ? t("stat.perSecond", { n: count(progress.examplesPerSecond) }) : general(undefined))}
        ${row(t("numbers.stepTime"), stepsPerSecond ? `${(1000 / stepsPerSecond).toFixed(2)} ms` : general(undefined))}
        ${row(t("numbers.rate"), stepsPerSecond ? `${((stepsPerSecond * info.flopsPerStep) / 1e9).toFixed(1)} GFLOP/s` : general(undefined))}
      </dl></section>
      <section><h3>${t("numbers.epochs")}</h3>${this.#epochs()}</section>
      <section><h3>${t("numbers.step1")}</h3><dl class="facts">
        ${row(t("numbers.batch"), count(info.batchSize))}
        ${row(t("numbers.parameters"), count(info.parameterCount))}
        ${row(t("numbers.flops"), short(info.flopsPerStep))}
        ${row(t("numbers.dispatches"), count(info.dispatchesPerStep))}
        ${row(t("split.train"), count(info.trainingExamples))}
        ${row(t("split.validation"), count(info.validationExamples))}
        ${row(t("split.test"), count(info.testExamples))}
      </dl></section>
      <section><h3>${t("numbers.weights")}</h3>
        ${built.parameters.map(({ name, shape: sizes }) => {
          const read = this.#read.get(name);
          return html`<details @toggle=${(event: Event) => (event.target as HTMLDetailsElement).open && this.#open(name)}>
            <summary><span class="mono">${name}</span> <small>${shape(sizes)}</small></summary>
            ${read
              ? html`<dl class="facts">${row(t("numbers.mean"), general(read.mean))}${row(t("numbers.deviation"), general(read.deviation))}
                  ${row(t("numbers.least"), general(read.least))}${row(t("numbers.most"), general(read.most))}
                  ${read.bad ? html`<dt class="bad">NaN, ∞</dt><dd class="mono bad">${count(read.bad)}</dd>` : nothing}</dl>`
              : html`<button @click=${() => this.#open(name)}>${t("numbers.read")}</button>`}
          </details>`;
        })}
      </section>`;
  }
}
customElements.define("gs-numbers", Numbers);
