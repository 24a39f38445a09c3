import { html, nothing } from "lit";
import type { HealthReport, LayerHealth, OptimizerSpec, ParameterHealth } from "gradscope";
import { count, fixed, general, percent, shape } from "../lib/format.js";
import { scaleOf } from "../lib/strip.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { followHealth, latestReport, measure, reports } from "../state/health.js";
import { OPTIMIZER_FIELDS, type Spec } from "../state/spec.js";
import { SOUND, warningsOf, type Warning } from "../state/warnings.js";
import * as store from "../state/store.js";
import { field } from "./field.js";
import { icons } from "./icons.js";
import { pendingChange } from "./pending.js";
import { kind } from "./health-charts.js";
import "./looking-style.js";

/** Shows a layer, and one of its channels, in the centre. */
function look(layer: string, unit = 0): void {
  store.selected.value = layer;
  store.channel.value = unit;
  store.pane.value = "network";
}

/** How the network fares: warnings in words, and where they come from. */
class Health extends View {
  protected override follow(): () => void {
    return followHealth();
  }

  #warnings(warnings: readonly Warning[]) {
    if (!warnings.length) return html`<p class="sound">${t("health.sound")}</p>`;
    return html`<ul class="warnings">${warnings.map(({ text, layer, units }) => html`<li>
      <button class="warning" title=${t("health.show", { layer })} @click=${() => look(layer, units[0])}>${icons.warn}<span>${text}</span></button>
      ${units.length ? html`<span class="units">${units.map((unit) => html`<button aria-label=${t("health.unit", { layer, unit: String(unit) })} @click=${() => look(layer, unit)}>${unit}</button>`)}</span>` : nothing}
    </li>`)}</ul>`;
  }

  #layer(layer: LayerHealth, largest: number) {
    const of = kind.value === "value" ? layer.value : layer.gradient;
    const columns = reports.value.map(({ layers }) => layers.find((other) => other.layer === layer.layer)?.[kind.value]).filter((other) => other != null);
    const dead = layer.dead?.length;
    const bar = of && of.norm > 0 && largest > 0 ? Math.max(0, 1 + Math.log10(of.norm / largest) / 6) : 0;
    return html`<li>
      <div class="health-head"><button class="plain name" aria-pressed=${store.selected.value === layer.layer} title=${t("health.show", { layer: layer.layer })} @click=${() => look(layer.layer)}>${layer.layer}</button>
        ${of ? html`<span class="mono">±${general(scaleOf(columns))}</span>` : nothing}</div>
      <gs-strip .layer=${layer.layer}></gs-strip>
      ${of
        ? html`<p class="health-facts"><span>${t("numbers.mean")} <b>${general(of.mean)}</b></span><span>σ <b>${general(of.std)}</b></span><span>= 0 <b>${percent(of.zeros)}</b></span>
            ${kind.value === "value" && dead !== undefined ? html`<span class=${dead ? "told" : ""}>${t("health.dead")} <b>${t("health.of", { n: dead, all: layer.units })}</b></span>` : nothing}
            ${kind.value === "value" && layer.saturated != null ? html`<span>${t("health.saturated")} <b>${percent(layer.saturated)}</b></span>` : nothing}
            ${of.nan + of.infinite ? html`<span class="told">NaN, ∞ <b>${count(of.nan + of.infinite)}</b></span>` : nothing}</p>
          ${kind.value === "gradient" ? html`<p class="norm"><span>‖∂‖ <b class="mono">${general(of.norm)}</b></span><i><i style="width:${100 * bar}%"></i></i></p>` : nothing}
          ${kind.value === "gradient" && layer.overTime.length ? html`<p class="caption">${t("health.overTime")}</p><gs-over-time .layer=${layer.layer}></gs-over-time>` : nothing}`
        : html`<p class="health-facts">${t("health.independent")}</p>`}
    </li>`;
  }

  /** What keeps gradients that grow over time steps in bounds. */
  #clipping({ gradientNorm }: HealthReport) {
    const optimizer = store.setup.value?.optimizer as unknown as Spec | undefined;
    const limits = optimizer && OPTIMIZER_FIELDS[optimizer.type]?.find(({ key }) => key === "global_clipnorm");
    if (!limits) return nothing;
    const limit = (store.built.value?.setup.optimizer as unknown as Spec | undefined)?.global_clipnorm as number | undefined;
    const norm = general(gradientNorm);
    return html`<div class="form clipping"><p class="caption">${limit == null ? t("health.clip.off", { norm }) : t("health.clip.on", { norm, limit: general(limit) })}</p>
      ${field(optimizer, limits, (key, value) => store.change({ optimizer: { ...optimizer, [key]: value } as unknown as OptimizerSpec }))}
      ${store.dirty.value ? pendingChange() : nothing}</div>`;
  }

  #parameter({ name, layer, shape: sizes, norm, gradientNorm, ratio }: ParameterHealth) {
    const odd = ratio != null && sizes.length > 1 && (ratio > SOUND[1] || ratio < SOUND[0]);
    return html`<tr class=${layer === store.selected.value ? "on" : ""}><th scope="row"><button class="plain name" title="${name} ${shape(sizes)}" @click=${() => look(layer)}>${name}</button></th>
      <td class=${odd ? "told" : ""}>${ratio == null ? general(undefined) : ratio.toExponential(1).replace("-", "−")}</td><td>${general(Number(norm.toPrecision(3)))}</td><td>${gradientNorm.toExponential(1).replace("-", "−")}</td></tr>`;
  }

  #body(report: HealthReport) {
    const largest = report.layers.reduce((most, { gradient }) => Math.max(most, gradient?.norm ?? 0), 0);
    const steps = reports.value;
    return html`
      <section>${this.#warnings(warningsOf(reports.value))}</section>
      <section><div class="switch" role="group" aria-label=${t("health.kind")}>
          ${(["value", "gradient"] as const).map((name) => html`<button aria-pressed=${kind.value === name} @click=${() => (kind.value = name)}>${t(`health.kind.${name}`)}</button>`)}</div>
        <p class="caption">${t(kind.value === "value" ? "health.strip.text" : "health.strip.gradientText")}</p>
        <ol class="health-layers">${report.layers.map((layer) => this.#layer(layer, largest))}</ol>
        ${kind.value === "gradient" && report.layers.some(({ overTime }) => overTime.length) ? this.#clipping(report) : nothing}</section>
      <section><h3>${t("health.ratios")}</h3><p class="caption">${t("health.ratios.text")}</p>
        <gs-ratios></gs-ratios>
        <p class="axis"><span>${t("health.step", { n: steps[0]!.step })}</span><span>${t("health.step", { n: report.step })}</span></p>
        <div class="scroll-x"><table class="numbers parameters"><thead><tr><td></td><th scope="col">${t("health.ratio")}</th><th scope="col" title=${t("health.norm")}>‖w‖</th><th scope="col" title=${t("health.gradientNorm")}>‖∂w‖</th></tr></thead>
          <tbody>${report.parameters.map((parameter) => this.#parameter(parameter))}</tbody></table></div></section>`;
  }

  override render() {
    const session = store.session.value;
    const report = latestReport.value;
    if (!session) return html`<p class="none">${t("health.none")}</p>`;
    const training = store.status.value === "training";
    return html`
      <section class="health-top">
        <dl class="facts">
          <dt>${t("numbers.step")}</dt><dd class="mono">${count(report?.step)}</dd>
          <dt>${t("health.batchLoss")}</dt><dd class="mono">${fixed(report?.loss)}</dd>
          <dt>${t("health.gradientNorm")}</dt><dd class="mono">${general(report?.gradientNorm)}</dd>
        </dl>
        <p class="caption">${report ? t("health.how", { batch: report.batch, ms: report.milliseconds }) : t("health.measuring")}</p>
        ${training ? nothing : html`<button ?disabled=${store.busy.value} @click=${() => void measure()}>${t("health.now")}</button>`}
      </section>
      ${report ? this.#body(report) : nothing}`;
  }
}
customElements.define("gs-health", Health);
