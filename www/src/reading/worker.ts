// The worker that reads a visitor's files: the page is never held up, and what it took in memory goes with it.

import type { Source, Told } from "./labelled.js";
import { recognise } from "./recognise.js";
import { ReadingError, Report } from "./report.js";
import { Writing } from "./text.js";
import type { Answer, Ask } from "./types.js";

/** What this file needs of the worker's global scope; the whole of TypeScript's `webworker` library clashes with `dom`. */
interface Scope {
  postMessage(message: Answer, transfer?: Transferable[]): void;
  onmessage: (event: MessageEvent<Ask>) => void;
}

const scope = self as unknown as Scope;
/** Milliseconds from one report of progress to the next. */
const OFTEN = 100;

let source: Source | undefined;
/** As it was last looked at. */
let told: Told | undefined;
let progressed = 0;

function progress(done: number, total: number): void {
  if (performance.now() - progressed < OFTEN) return;
  progressed = performance.now();
  scope.postMessage({ type: "progress", done, total });
}

async function answer(ask: Ask): Promise<Answer> {
  switch (ask.type) {
    case "read": source = await recognise(ask.files, new Report(), progress); break;
    case "paste": source = new Writing("", ask.text, new Report()); break;
    case "choose": break;
    case "take": return { type: "data", data: told!.make() };
  }
  told = await source!.tell(ask.wishes, progress);
  return { type: "preview", preview: told.preview };
}

/** Arrays are handed over, not copied. */
const buffersOf = (message: Answer): Transferable[] =>
  message.type === "data" && "x" in message.data ? [message.data.x.buffer as ArrayBuffer, message.data.y.buffer as ArrayBuffer] : [];

let last: Promise<void> = Promise.resolve();

async function reply(ask: Ask): Promise<void> {
  try {
    const message = await answer(ask);
    scope.postMessage(message, buffersOf(message));
  } catch (error) {
    const failure = error instanceof ReadingError ? error.failure
      : { code: "unreadable" as const, args: { reason: error instanceof Error ? error.message : String(error) } };
    scope.postMessage({ type: "failed", failure });
  }
}

// One after another: a choice waits for what was asked before it.
scope.onmessage = ({ data }) => void (last = last.then(() => reply(data)));
