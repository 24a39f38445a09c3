import { effect } from "@preact/signals-core";
import type { BackendChoice, OptimizerSpec, Preset } from "gradscope";
import { ownSetup } from "./dropped.js";
import { build } from "./engine.js";
import { t } from "../messages/index.js";
import { withRate } from "./schedule.js";
import { openScratch } from "./scratch.js";
import { OPTIMIZERS, TOKENIZERS, VOCABULARY, withAugmentation } from "./spec.js";
import * as store from "./store.js";
import { leave } from "./walk.js";
import { openWelcome } from "./welcome.js";

/** What an address asks for, and the first part of it that makes no sense. */
interface Address {
  preset: Preset | undefined;
  changes: Partial<store.Setup>;
  wrong: { field: string; value: string } | undefined;
}

/** The settings that a preset begins with. */
export function setupOf(preset: Preset): store.Setup {
  const { name, model, data, loss, optimizer, batchSize, epochs, validationSplit, vocabulary, stopWords, trainExamples } = preset;
  // What one trains on stays as it was chosen.
  const { backend, workers } = store.setup.value ?? { backend: "auto", workers: 1 };
  return { preset: name, model, data, loss, optimizer, batchSize, epochs, validationSplit, trainExamples: trainExamples ?? undefined, documents: vocabulary || stopWords ? { ...(vocabulary ? { vocabulary } : {}), ...(stopWords ? { stopWords } : {}) } : undefined, seed: 0, backend, workers };
}

/** Reads `#/mnist-cnn?seed=3&learning_rate=0.01`: what is understood is used, and the first thing that is not is named. */
export function parse(hash: string, presets: readonly Preset[]): Address {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const preset = presets.find(({ name }) => name === path);
  // Data of the visitor's own are gone with the page that read them.
  let wrong: Address["wrong"] = path && !preset ? { field: path.startsWith("own-") ? "data" : "preset", value: path } : undefined;
  const changes: Partial<store.Setup> = {};
  const isText = (): boolean => store.datasets.value.find(({ name }) => name === (changes.data ?? preset?.data))?.kind === "text";
  let optimizer: OptimizerSpec | undefined = preset?.optimizer;
  const whole = (value: string, least: number): number | undefined => (/^\d{1,9}$/.test(value) && Number(value) >= least ? Number(value) : undefined);
  const read: Record<string, (value: string) => unknown> = {
    seed: (value) => (changes.seed = whole(value, 0)!),
    batch_size: (value) => (changes.batchSize = whole(value, 1)!),
    train_examples: (value) => (changes.trainExamples = whole(value, 1)!),
    epochs: (value) => (changes.epochs = whole(value, 1)!),
    backend: (value) => (changes.backend = (["auto", "webgpu", "cpu"] as BackendChoice[]).find((known) => known === value)!),
    augment: (value) => (value === "1" && preset ? (changes.model = withAugmentation(preset.model, true)) : undefined),
    workers: (value) => (Number(value) <= 64 ? (changes.workers = whole(value, 1)!) : undefined),
    data: (value) => (changes.data = store.datasets.value.find(({ name }) => name === value)?.name!),
    optimizer: (value) => {
      const type = OPTIMIZERS.find((known) => known.toLowerCase() === value.toLowerCase());
      return type && (optimizer = withRate({ type } as OptimizerSpec, optimizer?.learning_rate ?? 0.001));
    },
    tokenizer: (value) => {
      const tokenizer = TOKENIZERS.find((known) => known === value);
      return tokenizer && isText() ? (changes.documents = { vocabulary: VOCABULARY, ...changes.documents, tokenizer }) : undefined;
    },
    vocabulary: (value) => {
      const vocabulary = whole(value, 1);
      return vocabulary && isText() ? (changes.documents = { ...changes.documents, vocabulary }) : undefined;
    },
    learning_rate: (value) => {
      const rate = Number(value);
      return rate > 0 && Number.isFinite(rate) && optimizer ? (optimizer = withRate(optimizer, rate)) : undefined;
    },
    schedule: (value) => {
      if (value !== "cosine" || !optimizer || !preset) return undefined;
      const examples = store.datasets.value.find(({ name }) => name === preset.data)?.train ?? 0;
      const training = Math.min(Math.round(examples * (1 - preset.validationSplit)), changes.trainExamples ?? preset.trainExamples ?? Infinity);
      const steps = Math.ceil(training / preset.batchSize) * (changes.epochs ?? preset.epochs);
      const rate = typeof optimizer.learning_rate === "number" ? optimizer.learning_rate : 0.001;
      return (optimizer = withRate(optimizer, { type: "CosineDecay", initial_learning_rate: rate, decay_steps: steps }));
    },
  };
  for (const [field, value] of new URLSearchParams(query)) {
    const understood = Object.hasOwn(read, field) && read[field]!(value) !== undefined;
    if (!understood) wrong ??= { field, value };
  }
  for (const key of Object.keys(changes) as (keyof store.Setup)[]) if (changes[key] === undefined) delete changes[key];
  return { preset, changes: optimizer ? { ...changes, optimizer } : changes, wrong };
}

/** The program in an address of the scratchpad, `#/scratch?program=...` or `?scratch=...`: none where it opens something else. */
function scratchAddress(): { program: string | undefined } | undefined {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  if (path === "scratch") return { program: new URLSearchParams(query).get("program") ?? undefined };
  const program = new URLSearchParams(location.search).get("scratch");
  return path === "" && program !== null ? { program: program || undefined } : undefined;
}

async function open(): Promise<void> {
  const scratch = scratchAddress();
  if (scratch) return openScratch(scratch.program);
  if (store.scratchOpen.peek()) await leave();
  store.scratchOpen.value = false;
  const { preset, changes, wrong } = parse(location.hash, store.presets.value);
  const own = ownSetup(location.hash.slice(2));
  if (own || preset) {
    store.setup.value = own ?? { ...setupOf(preset!), ...changes };
    store.tab.value = "explain";
    await build();
  } else {
    await openWelcome();
  }
  if (wrong && !own) store.notice.value ??= { kind: "address", ...wrong };
}

/** Opens what the address says, now and whenever it changes. */
export function followAddress(): void {
  addEventListener("hashchange", () => void open());
  void open();
  effect(() => {
    document.title = store.scratchOpen.value ? `${t("scratch.title")} · Gradscope` : store.setup.value && !store.isWelcome.value ? `${store.titleOf(store.setup.value.preset)} · Gradscope` : "Gradscope";
  });
}

/** Goes to a preset or to the scratchpad, even if the address says it already. */
export function goTo(preset: string): void {
  const hash = `#/${preset}`;
  if (location.hash === hash) void open();
  else location.hash = hash;
}
