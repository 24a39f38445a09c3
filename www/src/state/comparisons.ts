import { signal } from "@preact/signals-core";
import { lesson, t } from "../messages/index.js";
import type { Lines } from "./history.js";
import { rateOf } from "./schedule.js";
import { general } from "../lib/format.js";
import * as store from "./store.js";

/** Runs whose curves stay while others train. */
export const comparisons = signal<readonly { name: string; of: Lines }[]>([]);

/** A run's name: its model, whose weights it began with, what is frozen, and its settings where another run of the model is there already. */
function nameOf(setup: store.Setup): string {
  const frozen = setup.model.layers.filter(({ trainable }) => trainable === false).length;
  const from = store.loaded.value;
  const name = [
    lesson(setup.preset)?.title ?? setup.preset,
    ...(from?.taken.length ? [t("compare.from", { name: lesson(from.from)?.title ?? from.from })] : []),
    ...(frozen ? [t("compare.frozen", { n: frozen })] : []),
  ].join(" · ");
  const settings = `${setup.optimizer.type} ${general(rateOf(setup.optimizer))} · ${t("numbers.batch")} ${setup.batchSize} · ${t("optimizer.seed")} ${setup.seed}`;
  return comparisons.value.some((other) => other.name === name) ? `${name} · ${settings}` : name;
}

/** Keeps the curves of the run that there is, as they are now. */
export function compare(): void {
  const setup = store.built.value?.setup;
  if (setup) comparisons.value = [...comparisons.value, { name: nameOf(setup), of: store.history.value.of.copy() }];
}

export const forgetComparison = (k: number): void => void (comparisons.value = comparisons.value.filter((_, other) => other !== k));
