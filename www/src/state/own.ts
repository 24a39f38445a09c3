import { signal } from "@preact/signals-core";
import type { DatasetInfo, OwnData } from "gradscope";
import { GradscopeError } from "gradscope";
import type { Answer, Ask, Dropped, Failure, Preview, Wishes } from "../reading/types.js";
import { dropOwn, keepOwn, nextOwn, ownOpen } from "./dropped.js";
import { openInstead } from "./engine.js";
import { setupFor } from "./own-models.js";
import * as store from "./store.js";
import { leave } from "./walk.js";

/** Where the dialog stands. */
export type Stage =
  | { kind: "empty" }
  | { kind: "reading"; done: number; total: number }
  /** `again` while another choice is worked out. */
  | { kind: "ready"; preview: Preview; again: boolean; done: number; total: number }
  | { kind: "opening"; preview: Preview }
  | { kind: "failed"; failure: Failure };

export const stage = signal<Stage>({ kind: "empty" });
/** What the engine said of data that could not be opened. */
export const refused = signal<GradscopeError | undefined>(undefined);
export const title = signal("");
export const wishes = signal<Wishes>({ test: 0.2, seed: 0 });

/** What is told of each set that was opened, beside its model. */
export const facts = signal<ReadonlyMap<string, Preview>>(new Map());

let worker: Worker | undefined;
let waiting: ((answer: Answer) => void) | undefined;
/** Previews that are asked for and have not come. */
let asked = 0;

function end(): void {
  worker?.terminate();
  worker = waiting = undefined;
  asked = 0;
}

/** Gives up what is being read, and forgets what was. */
export function cancel(): void {
  end();
  stage.value = { kind: "empty" };
  refused.value = undefined;
}

/** Closes the dialog. */
export function close(): void {
  cancel();
  ownOpen.value = undefined;
}

function open(): Worker {
  const opened = new Worker(new URL("./reading.js", import.meta.url), { type: "module", name: "reading" });
  const died = (): void => take({ type: "failed", failure: { code: "stopped", args: {} } });
  opened.onmessage = ({ data }: MessageEvent<Answer>) => take(data);
  opened.onmessageerror = died;
  opened.onerror = (event) => {
    event.preventDefault();
    died();
  };
  return opened;
}

function take(answer: Answer): void {
  const now = stage.peek();
  switch (answer.type) {
    case "progress":
      if (now.kind === "reading" || now.kind === "ready") stage.value = { ...now, done: answer.done, total: answer.total };
      return;
    case "preview":
      stage.value = { kind: "ready", preview: answer.preview, again: --asked > 0, done: 0, total: 0 };
      return;
    case "failed":
      // What was a bad choice can be chosen otherwise.
      if (now.kind === "ready" && answer.failure.code !== "stopped") {
        stage.value = { ...now, preview: { ...now.preview, problem: answer.failure }, again: --asked > 0 };
        return;
      }
      waiting?.(answer);
      end();
      stage.value = { kind: "failed", failure: answer.failure };
      return;
    case "data":
      return waiting?.(answer);
  }
}

function begin(ask: Ask & { wishes: Wishes }): void {
  cancel();
  wishes.value = ask.wishes;
  stage.value = { kind: "reading", done: 0, total: 0 };
  worker = open();
  asked = 1;
  worker.postMessage(ask);
}

const fresh = (): Wishes => ({ test: 0.2, seed: store.setup.peek()?.seed ?? 0 });

/** Reads files, whatever they are. */
export function read(files: readonly Dropped[]): void {
  if (!files.length) return;
  const [first] = files;
  title.value = files.length === 1 ? first!.path : (first!.path.split("/")[0] ?? first!.path);
  begin({ type: "read", files, wishes: fresh() });
}

/** Reads what was pasted; `name` is what it will be called. */
export function paste(text: string, name: string): void {
  title.value = name;
  begin({ type: "paste", text, wishes: fresh() });
}

/** Changes what is made of it. */
export function choose(changes: Partial<Wishes>): void {
  const now = stage.peek();
  if (now.kind !== "ready" || !worker) return;
  wishes.value = { ...wishes.peek(), ...changes };
  stage.value = { ...now, again: true, done: 0, total: 0 };
  asked++;
  worker.postMessage({ type: "choose", wishes: wishes.peek() } satisfies Ask);
}

function infoOf(name: string, preview: Preview): DatasetInfo {
  const of = { name, title: title.peek(), installed: true, source: "", licence: "" };
  switch (preview.kind) {
    case "text": return { ...of, kind: "text", train: preview.characters, test: 0, shape: [], classes: [] };
    case "pictures":
    case "documents":
    case "table": {
      const { train, test, shape } = preview;
      // Two numbers and a class are points of the plane.
      const points = preview.kind === "table" && shape[0] === 2 && preview.classes.length > 0 && preview.classes.length <= 10;
      const kind = preview.kind === "pictures" ? "image" : preview.kind === "documents" ? "documents" : points ? "points" : "values";
      return { ...of, kind, train, test, shape: [...shape], classes: preview.classes.map(({ name }) => name) };
    }
  }
}

/** Opens the data with a model that fits them; what was open stays until that has worked. Resolves with whether it has. */
export async function use(): Promise<boolean> {
  const now = stage.peek();
  if (now.kind !== "ready" || now.again || now.preview.problem || !worker) return false;
  const { preview } = now;
  stage.value = { kind: "opening", preview };
  refused.value = undefined;
  const name = nextOwn();
  const answer = await new Promise<Answer>((resolve) => {
    waiting = resolve;
    worker!.postMessage({ type: "take" } satisfies Ask);
  });
  if (answer.type !== "data") return false;
  const data: OwnData = answer.data;
  try {
    const setup = await setupFor(name, preview);
    keepOwn(name, data, setup);
    const before = store.datasets.peek();
    store.datasets.value = [...before, infoOf(name, preview)];
    facts.value = new Map([...facts.peek(), [name, preview.kind === "pictures" ? { ...preview, thumbnails: [] } : preview]]);
    await leave();
    await openInstead(setup);
    store.scratchOpen.value = false;
    store.tab.value = "explain";
    history.pushState(null, "", `#/${name}`);
    return true;
  } catch (error) {
    dropOwn(name);
    store.datasets.value = store.datasets.peek().filter((set) => set.name !== name);
    if (stage.peek().kind === "opening") stage.value = { kind: "ready", preview, again: false, done: 0, total: 0 };
    if (!(error instanceof GradscopeError)) throw error;
    refused.value = error;
    return false;
  }
}
