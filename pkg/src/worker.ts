// The module worker that holds one engine. It picks the WebAssembly binary, opens the engine, and passes messages; what they mean is
// the engine's business.

import type { Buffers, FromWorker, ToWorker } from "./connection.js";

interface Engine {
  handle(id: number, request: unknown, buffers: Buffers): void;
}

interface Binary {
  default(): Promise<unknown>;
  Engine: new (post: (message: FromWorker, transfer: Transferable[]) => void, data: string) => Engine;
}

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const ONE_FUNCTION = [3, 2, 1, 0];

/** The binaries, the fastest first, each with a small module of the same instructions: an engine that lacks these rejects both. */
const BINARIES: readonly (readonly [name: string, needs: readonly number[]])[] = [
  // f32x4.relaxed_madd of three parameters.
  ["relaxed", [...HEADER, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, ...ONE_FUNCTION, 10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b]],
  // i8x16.splat of 0.
  ["base", [...HEADER, 1, 5, 1, 0x60, 0, 1, 0x7b, ...ONE_FUNCTION, 10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b]],
  ["plain", HEADER],
];

/** What this file needs of the worker's global scope; the whole of TypeScript's `webworker` library clashes with `dom`. */
interface Scope {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
}

const scope = self as unknown as Scope;
const post = (message: FromWorker, transfer: Transferable[] = []): void => scope.postMessage(message, transfer);
const die = (reason: unknown): void => post({ died: reason instanceof Error ? reason.message : String(reason) });

async function open(data: string): Promise<Engine> {
  const [kind] = BINARIES.find(([, needs]) => WebAssembly.validate(new Uint8Array(needs)))!;
  const binary = (await import(new URL(`./gradscope_${kind}.js`, import.meta.url).href)) as Binary;
  await binary.default();
  return new binary.Engine(post, data);
}

let engine: Promise<Engine> | undefined;

// A panic in a task that Rust spawned surfaces here, not as an exception of `handle`.
scope.addEventListener("unhandledrejection", (event) => die(event.reason));

scope.onmessage = ({ data: message }) => {
  if ("open" in message) {
    engine = open(message.open.data);
    engine.catch(die);
    return;
  }
  engine
    ?.then((opened) => opened.handle(message.id, message.request, message.buffers))
    .catch(die);
};
