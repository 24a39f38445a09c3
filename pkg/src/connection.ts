import { GradscopeError, workerDied } from "./errors.js";
import type { Error as ErrorData, Event, Request } from "./generated/protocol.js";

/** Arrays that travel beside a message. */
export type Buffers = ArrayBufferView[];

/** What the worker posts. */
export type FromWorker =
  | { id: number; ok: unknown; buffers: Buffers }
  | { id: number; error: ErrorData }
  | { event: Event; buffers: Buffers }
  | { died: string };

/** What the worker is sent. `open` comes once, before all else. */
export type ToWorker = { open: { data: string } } | { id: number; request: Request; buffers: Buffers };

/** An answer to a request. */
export interface Answer {
  ok: unknown;
  buffers: Buffers;
}

/** Where the worker script and the data sets lie. */
export interface Places {
  /** The worker's script; default: `worker.js` beside this module. */
  worker: string | URL;
  /** Folder of the data sets; default: `../data/` beside this module. */
  data: string | URL;
}

interface Pending {
  resolve: (answer: Answer) => void;
  reject: (error: GradscopeError) => void;
}

/** One worker with its engine: requests out, answers and events in. Once dead it rejects everything, for good. */
export class Connection {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: Event, buffers: Buffers) => void>();
  readonly #deathWatch = new Set<(error: GradscopeError) => void>();
  #last = 0;
  #death: GradscopeError | undefined;

  constructor(places: Places) {
    this.#worker = new Worker(places.worker, { type: "module", name: "gradscope" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(workerDied(event.message || "its script could not be loaded"));
    };
    this.#worker.onmessageerror = () => this.close(workerDied("a message could not be read"));
    this.#send({ open: { data: new URL(places.data, import.meta.url).href } });
  }

  /** Sends a request. Arrays are copied, so the caller keeps his. */
  request(request: Request, buffers: Buffers = []): Promise<Answer> {
    if (this.#death) return Promise.reject(this.#death);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send({ id, request, buffers });
    });
  }

  /** Calls `listener` with every event until the returned function is called. */
  listen(listener: (event: Event, buffers: Buffers) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `watcher` once if the worker dies by itself. */
  onDeath(watcher: (error: GradscopeError) => void): () => void {
    this.#deathWatch.add(watcher);
    return () => void this.#deathWatch.delete(watcher);
  }

  /** Ends the worker and rejects what is pending; `error` says why, and is told to those who watch unless it was wanted. */
  close(error?: GradscopeError): void {
    if (this.#death) return;
    this.#death = error ?? workerDied("it was disposed of");
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(this.#death);
    this.#pending.clear();
    if (error) for (const watcher of this.#deathWatch) watcher(error);
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if ("event" in message) {
      for (const listener of [...this.#listeners]) listener(message.event, message.buffers);
    } else if ("died" in message) {
      this.close(workerDied(message.died));
    } else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if ("error" in message) pending?.reject(new GradscopeError(message.error));
      else pending?.resolve({ ok: message.ok, buffers: message.buffers });
    }
  }
}
