import { describeModel, type LayerSpec, type ModelSpec } from "gradscope";
import type { DocumentsPreview, PicturesPreview, Preview, TablePreview, TextPreview } from "../reading/types.js";
import { augmentations, lossNamed, readsTokens, type Spec } from "./spec.js";
import * as store from "./store.js";

type Setup = store.Setup;

const adam = (learning_rate = 0.001): Setup["optimizer"] => ({ type: "Adam", learning_rate }) as Setup["optimizer"];
const layer = (spec: Spec): LayerSpec => spec as unknown as LayerSpec;
const dense = (units: number, activation: string): LayerSpec => layer({ type: "Dense", units, activation });

/** The last layer with as many outputs as there are classes. */
function withClasses(model: ModelSpec, classes: number): ModelSpec {
  const last = { ...(model.layers.at(-1) as unknown as Spec), units: classes, activation: "softmax" };
  return { ...model, layers: [...model.layers.slice(0, -1), layer(last)] };
}

/** The network that is open, where it is one over images that ends in classes and takes images of this shape, too. */
async function openNetwork(shape: readonly number[], classes: number): Promise<Setup | undefined> {
  const now = store.setup.peek();
  const last = now?.model.layers.at(-1) as Spec | undefined;
  if (now?.model.layers[augmentations(now.model)]?.type !== "Conv2D" || now.model.input.length !== 3 || last?.type !== "Dense" || last.activation !== "softmax") return undefined;
  const model = withClasses({ ...now.model, input: [...shape] }, classes);
  const described = await describeModel(model);
  return described.layers.some(({ error }) => error) ? undefined : { ...now, model };
}

function smallNetwork(shape: readonly number[], classes: number): ModelSpec {
  const conv = (filters: number): LayerSpec => layer({ type: "Conv2D", filters, kernel_size: 3, padding: "same", activation: "relu" });
  const pool = layer({ type: "MaxPooling2D", pool_size: 2 });
  return { input: [...shape], layers: [conv(16), pool, conv(32), pool, layer({ type: "Flatten" }), dense(64, "relu"), dense(classes, "softmax")] };
}

/** Steps that a text is trained for at first: as long as its preset's schedule. */
const STEPS = 2000;

type Chosen = Pick<Setup, "documents" | "model" | "loss" | "optimizer" | "batchSize" | "epochs" | "validationSplit">;

async function forPictures({ shape, classes }: PicturesPreview): Promise<Chosen> {
  const cross = lossNamed("sparse_categorical_crossentropy");
  const open = await openNetwork(shape, classes.length);
  const optimizer = open && !store.isWelcome.peek() ? open.optimizer : adam();
  return { model: open?.model ?? smallNetwork(shape, classes.length), loss: cross, optimizer, batchSize: 32, epochs: 10, validationSplit: 0 };
}

function forTable({ shape, classes, train }: TablePreview): Chosen {
  const told = classes.length ? dense(classes.length, "softmax") : dense(1, "linear");
  return {
    model: { input: [...shape], layers: [dense(16, "relu"), told] },
    loss: lossNamed(classes.length ? "sparse_categorical_crossentropy" : "mean_squared_error"),
    // Small tables take small steps many times.
    optimizer: adam(0.01), batchSize: Math.min(32, train), epochs: Math.max(10, Math.min(200, Math.round(20_000 / train))), validationSplit: 0,
  };
}

/** The network that is open, where it is one over documents that ends in classes and reads no more words than there are. */
function openReader(vocabulary: number, classes: number): Chosen | undefined {
  const now = store.setup.peek();
  const [first, last] = [now?.model.layers[0], now?.model.layers.at(-1)].map((of) => of as Spec | undefined);
  if (!now || store.wantedDataset.peek()?.kind !== "documents" || last?.type !== "Dense" || last.activation !== "softmax") return undefined;
  const words = readsTokens(now.model) ? Number(first?.input_dim) - 2 : now.model.input[0]!;
  const { documents, loss, optimizer, batchSize, epochs } = now;
  return words <= vocabulary ? { documents, model: withClasses(now.model, classes), loss, optimizer, batchSize, epochs, validationSplit: 0 } : undefined;
}

function forDocuments({ length, vocabulary, classes }: DocumentsPreview): Chosen {
  const open = openReader(vocabulary, classes.length);
  if (open) return open;
  const { loss, optimizer, model } = store.presets.peek().find(({ name }) => name === "newsgroups-cnn")!;
  const [table, ...rest] = model.layers;
  const words = Math.min(5000, vocabulary + 2);
  const fitted = withClasses({ input: [length], layers: [layer({ ...(table as unknown as Spec), input_dim: words }), ...rest] }, classes.length);
  return { model: fitted, loss, optimizer, batchSize: 32, epochs: 10, validationSplit: 0 };
}

function forText({ characters, context }: TextPreview): Chosen {
  const { loss, optimizer, model, batchSize, validationSplit } = store.presets.peek().find(({ name }) => name === "gpt-char")!;
  const layers = model.layers.map((of) => (of.type === "PositionEmbedding" ? layer({ ...(of as unknown as Spec), sequence_length: context }) : of));
  const windows = Math.max(1, Math.floor((0.95 * characters) / context));
  // Of a short text nothing can be spared.
  const held = windows * validationSplit >= 4 ? validationSplit : 0;
  return { model: { input: [context], layers }, loss, optimizer, batchSize, epochs: Math.max(1, Math.min(500, Math.round((STEPS * batchSize) / windows))), validationSplit: held };
}

const chosenFor = async (preview: Preview): Promise<Chosen> => {
  switch (preview.kind) {
    case "pictures": return forPictures(preview);
    case "table": return forTable(preview);
    case "documents": return forDocuments(preview);
    case "text": return forText(preview);
  }
};

/** A setup that fits the data: the network that is open where it does, else one that is known to do for their kind. */
export async function setupFor(name: string, preview: Preview): Promise<Setup> {
  const { backend, workers } = store.setup.peek() ?? { backend: "auto" as const, workers: 1 };
  const { seed } = store.setup.peek() ?? { seed: 0 };
  // The opening network runs on the CPU alone, which is no choice of the visitor's.
  return { preset: name, data: name, ...await chosenFor(preview), seed, backend: store.isWelcome.peek() ? "auto" : backend, workers };
}
