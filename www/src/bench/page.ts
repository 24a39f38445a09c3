import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { fixed, NONE, percent } from "../lib/format.js";
import { View } from "../lib/view.js";
import { b } from "../messages/bench.js";
import { t } from "../messages/index.js";
import { language, LANGUAGE_NAMES, LANGUAGES, theme, THEMES, type Language, type Theme } from "../state/settings.js";
import type { CpuBound, GpuBound } from "./calibrate.js";
import { asJson, BATCH, bounds, measure, progress, quick, rows, state, workers, type Device, type Network, type Row } from "./run.js";
import { shipped } from "./shipped.js";

/** What the measurement under way is stopped by. */
const underway = signal<AbortController | undefined>(undefined);
const copied = signal<boolean | undefined>(undefined);
const failure = signal<string | undefined>(undefined);

async function start(): Promise<void> {
  const controller = (underway.value = new AbortController());
  copied.value = failure.value = undefined;
  try {
    await measure(controller.signal);
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error);
    state.value = { kind: "waiting" };
  } finally {
    underway.value = undefined;
  }
}

async function copy(): Promise<void> {
  copied.value = await navigator.clipboard.writeText(asJson()).then(() => true, () => false);
}

const network = (of: Network): string => b(of, { batch: BATCH[of] });
const device = (of: Device): string => (of === "cpuAll" ? b("device.cpuAll", { n: workers }) : b(`device.${of}`));
/** Fewer decimals the longer it is. */
const ms = (value: number | undefined): string => fixed(value, value === undefined || value >= 100 ? 0 : value >= 10 ? 1 : 2);

function status(): string {
  const now = state.value;
  if (now.kind === "opening") return b("opening", { network: network(now.network), device: device(now.device) });
  if (now.kind === "timing") return b("timing", { network: network(now.network), device: device(now.device), round: now.round, rounds: now.rounds });
  return b(now.kind);
}

function boundsTable(): TemplateResult | typeof nothing {
  const known = bounds.value;
  if (!known) return nothing;
  const row = (name: string, { gflops, bandwidth }: CpuBound | GpuBound, dispatch?: number) => html`<tr class="here">
    <th scope="row">${name}</th><td>${fixed(gflops, 1)}</td><td>${fixed(bandwidth, 1)}</td><td>${dispatch === undefined ? NONE : fixed(dispatch, 1)}</td>
  </tr>`;
  const { cpu1, cpuAll, gpu } = known;
  return html`<section>
    <h2 id="bounds">${b("bounds")}</h2>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="bounds"><table>
      <thead><tr><th scope="col">${b("column.what")}</th><th scope="col">${b("bound.gflops")}</th><th scope="col">${b("bound.bandwidth")}</th><th scope="col">${b("bound.dispatch")}</th></tr></thead>
      <tbody>
        ${row(b("bound.cpu1"), cpu1)}
        ${workers > 1 ? row(b("bound.cpuAll", { n: workers }), cpuAll) : nothing}
        ${gpu ? row(gpu.adapter ? b("bound.gpu", { adapter: gpu.adapter }) : b("bound.gpuUnknown"), gpu, gpu.dispatch) : nothing}
      </tbody>
    </table></div>
    <p>${b("bound.text")}</p>
  </section>`;
}

function measuredRow({ device: on, ms: median, min, max, first, share, error }: Row): TemplateResult {
  const name = html`<th scope="row">${b("here", { device: device(on) })}</th>`;
  if (error) return html`<tr class="here">${name}<td class="why" colspan="4">${error}</td></tr>`;
  return html`<tr class="here" data-device=${on} data-ms=${median ?? ""}>
    ${name}<td>${ms(median)}</td><td>${min === undefined ? NONE : `${ms(min)}–${ms(max)}`}</td><td>${ms(first)}</td><td>${percent(share)}</td>
  </tr>`;
}

function networkTable(of: Network): TemplateResult {
  const known = shipped.value?.workloads.find(({ name }) => name === of)?.rows ?? [];
  const columns = ["what", "ms", "spread", "first", "share"] as const;
  return html`<section>
    <h2 id=${of}>${network(of)}</h2>
    <p>${b(`${of}.text`)}</p>
    <div class="scroll" tabindex="0" role="region" aria-labelledby=${of}><table>
      <thead><tr>${columns.map((column) => html`<th scope="col">${b(`column.${column}`)}</th>`)}</tr></thead>
      <tbody>
        ${rows.value.filter((row) => row.network === of).map(measuredRow)}
        ${known.map(({ contender, ms: median, first, share }) => html`<tr class="elsewhere">
          <th scope="row">${contender}</th><td>${ms(median)}</td><td></td><td>${ms(first)}</td><td>${percent(share)}</td>
        </tr>`)}
      </tbody>
    </table></div>
  </section>`;
}

class Bench extends View {
  protected override updated(): void {
    for (const select of this.querySelectorAll("select")) select.value = select.dataset.chosen ?? select.value;
  }

  #pick(label: string, options: readonly (readonly [string, string])[], chosen: string, change: (value: string) => void) {
    return html`<label class="pick quiet"><span>${label}</span><select aria-label=${label} data-chosen=${chosen}
      @change=${(event: Event) => change((event.target as HTMLSelectElement).value)}>${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>`;
  }

  override render() {
    const running = underway.value;
    const reference = shipped.value;
    return html`<div class="bench">
      <header class="topbar">
        <span class="brand"><a href="./">grad<i>scope</i></a></span>
        <span class="gap"></span>
        ${this.#pick(t("pick.language"), LANGUAGES.map((of) => [of, LANGUAGE_NAMES[of]]), language.value, (of) => (language.value = of as Language))}
        ${this.#pick(t("pick.theme"), THEMES.map((of) => [of, t(`theme.${of}`)]), theme.value, (of) => (theme.value = of as Theme))}
      </header>
      <main>
        <h1>${b("title")}</h1>
        <p>${b("text")}</p>
        ${quick ? html`<p>${b("quick")}</p>` : nothing}
        ${workers === 1 && navigator.hardwareConcurrency > 1 ? html`<p>${b("oneWorker")}</p>` : nothing}
        <div class="buttons">
          ${running
            ? html`<button @click=${() => running.abort()}>${b("stop")}</button>`
            : html`<button class="primary" @click=${start}>${b("start")}</button>`}
          <button ?disabled=${running !== undefined || rows.value.length === 0} @click=${copy}>${b("copy")}</button>
        </div>
        <div role="status">${failure.value ?? (copied.value === undefined ? status() : b(copied.value ? "copied" : "notCopied"))}</div>
        ${running ? html`<progress max="1" .value=${progress.value} aria-label=${b("title")}></progress>` : nothing}
        ${networkTable("cnn")} ${networkTable("gpt")} ${boundsTable()}
        ${reference?.workloads.length ? html`<p>${b("shipped", { date: reference.date, browser: reference.browser, cores: reference.cores, cpu: reference.cpu })}</p>` : nothing}
      </main>
    </div>`;
  }
}
customElements.define("gs-bench", Bench);
