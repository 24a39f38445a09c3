import type { HealthReport, LayerHealth } from "gradscope";
import { count, general, percent } from "../lib/format.js";
import { t } from "../messages/index.js";

/** Something about the network that is worth a look. */
export interface Warning {
  text: string;
  layer: string;
  /** Channels or units of that layer that it is about. */
  units: readonly number[];
}

/** How many times smaller, or larger, a gradient is at one layer than at the last. */
const VANISHED = 1e-3;
const EXPLODED = 1e2;
const DEAD = 0.1;
const SATURATED = 0.5;

/** Update-to-weight ratios are best near a thousandth; what is far off is told. */
export const BAND = [3e-4, 3e-3] as const;
export const SOUND = [1e-5, 2e-2] as const;

/** Units that are named one by one, and reports (each of another batch) in which they must be dead. */
const NAMED = 8;
const BATCHES = 3;

function ofLayer(layer: LayerHealth, last: LayerHealth, dead: readonly number[], batches: number): Warning[] {
  const found: Warning[] = [];
  const say = (text: string, units: readonly number[] = []): void => void found.push({ text, layer: layer.layer, units });
  const bad = [layer.value, layer.gradient].reduce((sum, of) => sum + (of ? of.nan + of.infinite : 0), 0);
  if (bad) say(t("health.warn.notFinite", { layer: layer.layer, n: bad }));
  const share = layer.gradient && last.gradient && last.gradient.norm > 0 ? layer.gradient.norm / last.gradient.norm : undefined;
  if (layer.gradient?.norm === 0) say(t("health.warn.noGradient", { layer: layer.layer }));
  else if (share !== undefined && share < VANISHED) say(t("health.warn.vanishing", { layer: layer.layer, times: count(1 / share), last: last.layer }));
  else if (share !== undefined && share > EXPLODED) say(t("health.warn.exploding", { layer: layer.layer, times: count(share), last: last.layer }));
  if (dead.length && dead.length >= DEAD * layer.units) {
    const numbers = { layer: layer.layer, n: dead.length, all: layer.units };
    say(batches > 1 ? t("health.warn.deadLong", { ...numbers, batches }) : t("health.warn.dead", numbers), dead.slice(0, NAMED));
  }
  // A last sigmoid or softmax is to be sure of itself.
  if (layer !== last && layer.saturated != null && layer.saturated > SATURATED) say(t("health.warn.saturated", { layer: layer.layer, share: percent(layer.saturated) }));
  return found;
}

/** What the last report tells, in sentences; units are dead that were so in the reports before it too. */
export function warningsOf(reports: readonly HealthReport[]): Warning[] {
  const report = reports.at(-1);
  const last = report?.layers.at(-1);
  if (!report || !last) return [];
  const recent = reports.slice(-BATCHES);
  const found = report.layers.flatMap((layer, k) => {
    const dead = (layer.dead ?? []).filter((unit) => recent.every(({ layers }) => layers[k]?.dead?.includes(unit)));
    return ofLayer(layer, last, dead, recent.length);
  });
  for (const { name, layer, shape, ratio, notFinite } of report.parameters) {
    if (notFinite) found.push({ text: t("health.warn.notFinite", { layer: name, n: notFinite }), layer, units: [] });
    // Biases begin at 0, where a ratio says nothing.
    if (ratio == null || shape.length < 2) continue;
    if (ratio > SOUND[1]) found.push({ text: t("health.warn.high", { name, ratio: general(ratio) }), layer, units: [] });
    if (ratio < SOUND[0]) found.push({ text: t("health.warn.low", { name, ratio: general(ratio) }), layer, units: [] });
  }
  return found;
}
