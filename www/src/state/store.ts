import { computed, signal } from "@preact/signals-core";
import type {
  BackendChoice, BackendReport, DatasetInfo, DocumentOptions, Evaluation, Frame, GradscopeError, LossSpec, LoadReport, ModelDescription, ModelSpec, OptimizerSpec,
  ParameterInfo, Preset, Progress, Session, Snapshot, Split,
} from "gradscope";
import { visible } from "../lib/text.js";
import { lesson, phrase } from "../messages/index.js";
import { History } from "./history.js";

/** What the page would build, and what it has built: the same kind of thing, so that they can be compared. */
export interface Setup {
  /** Name of the preset that it began as; `welcome` for the network on the opening page. */
  preset: string;
  model: ModelSpec;
  data: string;
  /** How labelled documents become rows, where that is other than the model says, and a text tokens, where these are no characters. */
  documents?: DocumentOptions | undefined;
  loss: LossSpec;
  optimizer: OptimizerSpec;
  batchSize: number;
  epochs: number;
  /** Epochs without a lower validation loss after which a run stops; none if it runs to its end. */
  patience?: number | undefined;
  validationSplit: number;
  /** Most examples that are trained on; all if there is none. */
  trainExamples?: number | undefined;
  seed: number;
  backend: BackendChoice;
  /** Workers that train where the backend is the CPU. */
  workers: number;
}

/** What the engine is doing. */
export type Status = "starting" | "loading" | "idle" | "training" | "evaluating" | "dead";

/** The example that pictures and predictions are made of. */
export interface Pinned {
  x: Float32Array;
  /** Its class, or its targets where there are no classes; empty if it was drawn. */
  target: readonly number[];
  /** Where it comes from; none if it was drawn. */
  from: { split: Split; index: number } | undefined;
}

/** Something that the page has to say, above all else. */
export type Notice =
  | { kind: "error"; error: GradscopeError }
  | { kind: "address"; field: string; value: string }
  | { kind: "workersLost" }
  | { kind: "deviceLost"; reason: string; step: number };

export const presets = signal<readonly Preset[]>([]);
export const datasets = signal<readonly DatasetInfo[]>([]);
export const backendReport = signal<BackendReport | undefined>(undefined);

/** What the controls show. */
export const setup = signal<Setup | undefined>(undefined);
/** Shapes of `setup.model`. */
export const description = signal<ModelDescription | undefined>(undefined);
/** What the session is made of. */
export const built = signal<{ setup: Setup; description: ModelDescription; parameters: ParameterInfo[] } | undefined>(undefined);
export const session = signal<Session | undefined>(undefined);
export const status = signal<Status>("starting");
export const loading = signal<{ data: string; loaded: number; total: number } | undefined>(undefined);
/** The data set that was asked for and is not installed. */
export const missing = signal<string | undefined>(undefined);
export const notice = signal<Notice | undefined>(undefined);

export const progress = signal<Progress | undefined>(undefined);
/** Epochs at which a press of Play stops. */
export const target = signal(0);
/** Its `version` changes with its content. */
export const history = signal<{ of: History; version: number }>({ of: new History(), version: 0 });
export const frame = signal<Frame | undefined>(undefined);
export const pinned = signal<Pinned | undefined>(undefined);
/** The layer that is looked at, by its name; `""` is the input. */
export const selected = signal<string | undefined>(undefined);
/** The channel of that layer that is looked at closely. */
export const channel = signal(0);
/** How far an evaluation has come. */
export const evaluating = signal<{ done: number; total: number; secondsLeft: number } | undefined>(undefined);
export const evaluations = signal<Partial<Record<Split, Evaluation>>>({});
/** What a run goes on from whose worker died or whose numbers blew up. */
export const lastSnapshot = signal<{ snapshot: Snapshot; progress: Progress | undefined } | undefined>(undefined);
/** Weights that the next session begins with, as far as they fit, and whose they are. */
export const carried = signal<{ name: string; bytes: Uint8Array } | undefined>(undefined);
/** What came of the weights that the session began with or took over. */
export const loaded = signal<(LoadReport & { from: string }) | undefined>(undefined);
/** Rates that were moved by hand since the session was built. */
export const hyper = signal<{ learningRate?: number; generatorLearningRate?: number; momentum?: number; weightDecay?: number; dropout?: number }>({});

/** Changes whenever the session's weights may have: by training, by walking, by hand. */
export const weights = signal(0);

/** Which pane a narrow screen shows, and which tab is open. */
export const pane = signal<"model" | "network" | "inspect">("network");
export const tab = signal<"explain" | "numbers" | "health" | "optimizer" | "evaluate">("explain");
/** Whether the scratchpad is open, in place of a network. */
export const scratchOpen = signal(false);
export const helpOpen = signal(false);

export const busy = computed(() => status.value === "training" || status.value === "evaluating" || status.value === "loading");
export const dataset = computed(() => datasets.value.find(({ name }) => name === (built.value ?? { setup: setup.value }).setup?.data));
/** Whether the network is two that play against each other. */
export const isGame = computed(() => built.value?.setup.loss.type === "adversarial");
/** Names of the classes: the data set's own, or numbers where examples came without any and the loss is one of classes; none in a game. */
export const classes = computed((): readonly string[] => {
  if (isGame.value) return [];
  const info = session.value?.info;
  // Tokens are no phrases, and have blanks that count.
  const name = ["text", "pairs"].includes(dataset.value?.kind ?? "") ? visible : phrase;
  if (!info || info.classes.length) return info?.classes.map((text) => name(text)) ?? [];
  const count = /categorical/.test(built.value?.setup.loss.type ?? "") ? (info.outputShape.at(-1) ?? 0) : 0;
  return Array.from({ length: count }, (_, k) => String(k));
});
/** Whether the examples are labelled documents. */
export const isDocuments = computed(() => dataset.value?.kind === "documents");
/** Whether they are texts of any kind. */
export const isOfTexts = computed(() => /^(text|documents|pairs)$/.test(dataset.value?.kind ?? ""));
export const wantedDataset = computed(() => datasets.value.find(({ name }) => name === setup.value?.data));
/** What a model is called: as its lesson, or, where it was set up for data of the visitor's own, as these. */
export const titleOf = (preset: string): string => lesson(preset)?.title ?? datasets.value.find(({ name }) => name === preset)?.title ?? preset;
export const isWelcome = computed(() => setup.value?.preset === "welcome");

/** Epochs and patience are properties of pressing Play, not of the network. */
const substance = (of: Setup | undefined): string => JSON.stringify({ ...of, epochs: 0, patience: undefined, preset: "" });
/** Whether the controls ask for another session than there is. */
export const dirty = computed(() => built.value !== undefined && substance(setup.value) !== substance(built.value.setup));
/** Whether the controls ask for what the session trains, wherever it is computed. */
export const sameTraining = (): boolean => {
  const training = (of: Setup | undefined): string => substance(of && { ...of, backend: "auto", workers: 1 });
  return session.value !== undefined && training(setup.value) === training(built.value?.setup);
};
/** Whether some layer is impossible as it stands. */
export const impossible = computed(() => description.value?.layers.find(({ error }) => error)?.error);

/** Changes some of the controls. */
export function change(some: Partial<Setup>): void {
  if (setup.value) setup.value = { ...setup.value, ...some };
}
