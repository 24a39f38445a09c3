import type { Answer, Connection } from "./connection.js";
import type {
  Breakpoint, Event, Explanation, Nudge, OptimizerTable, ReadItem, ReadValue, Reason, Subject, TraceInfo, TraceState, Travel, WalkRequest,
} from "./generated/protocol.js";

/** What is walked through: the next batch, one example of the data, or one of your own. */
export type WalkSubject = { type: "batch" } | Extract<Subject, { type: "example" }> | { type: "pinned"; x: Float32Array; label?: number };

/** A value with its shape. */
export interface WalkValue {
  shape: number[];
  data: Float32Array;
}

/** How an element came about, with the elements of each source and each consumer, row-major. */
export interface WalkExplanation extends Explanation {
  sourceElements: Uint32Array[];
  consumerElements: Uint32Array[];
}

/** How far a walk is on its way to another batch. */
export type Headway = Omit<Extract<Event, { type: "travel" }>, "type">;

/** What may be done while a walk goes to another batch. */
export interface Underway {
  /** Ends the way at the step that it has come to; the promise then resolves with the walk there. */
  signal?: AbortSignal;
  /** A few times a second. */
  onProgress?: (headway: Headway) => void;
}

/** A parameter's elements on their way through the optimizer: `data` holds the columns in the order of `columns`. */
export interface WalkOptimizer extends OptimizerTable {
  data: Float32Array[];
}

/**
 * One training step, op by op. Nodes go by their index in `info.nodes`, elements by their row-major position.
 *
 * Everything rejects with `wrong_state` once the walk is over: after it was closed, after training, after a lost device, and once another walk took
 * its place, since an engine has one at a time.
 */
export class Walk {
  readonly #connection: Connection;
  #info: TraceInfo;

  private constructor(connection: Connection, info: TraceInfo) {
    this.#connection = connection;
    this.#info = info;
  }

  /** @internal */
  static async open(connection: Connection, wanted: WalkSubject): Promise<Walk> {
    const { x, label } = wanted.type === "pinned" ? wanted : { x: undefined, label: undefined };
    const subject: Subject = wanted.type !== "pinned" ? wanted : label === undefined ? { type: "pinned" } : { type: "pinned", label };
    const { ok } = await connection.request({ type: "walk", walk: { type: "open", subject } }, x ? [x] : []);
    return new Walk(connection, ok as TraceInfo);
  }

  /** @internal */
  static async openScratch(connection: Connection, source: string, seed: number): Promise<Walk> {
    const { ok } = await connection.request({ type: "walk", walk: { type: "openScratch", source, seed } });
    return new Walk(connection, ok as TraceInfo);
  }

  /** The graph, its ops in order, and where the walk stands. */
  get info(): TraceInfo {
    return this.#info;
  }

  /** Goes to a cursor, forward or back; stops early at the first breakpoint that is hit. */
  async to(cursor: number, breakpoints: Breakpoint[] = []): Promise<TraceState> {
    return this.#stand((await this.#ask({ type: "travel", travel: { type: "to", cursor }, breakpoints })).ok as TraceState);
  }

  /**
   * Goes so many batches forward, by training, or back: from the nearest snapshot before, the steps in between are taken again. The walk opens anew
   * there.
   */
  batches(by: number, underway?: Underway): Promise<TraceInfo> {
    return this.#travel({ type: "batches", by }, underway);
  }

  /** Goes to the beginning of an epoch: 1 is the next one, -1 that of this one, or of the one before where this one has just begun. */
  epochs(by: number, underway?: Underway): Promise<TraceInfo> {
    return this.#travel({ type: "epochs", by }, underway);
  }

  /** Values, whole or of one example. */
  async read(items: ReadItem[]): Promise<WalkValue[]> {
    const { ok, buffers } = await this.#ask({ type: "read", items });
    return (ok as ReadValue[]).map(({ shape }, i) => ({ shape, data: buffers[i] as Float32Array }));
  }

  /** An element's expression, with the `most` largest terms of each sum, and what it went into. */
  async explain(node: number, element: number, most = 12): Promise<WalkExplanation> {
    const { ok, buffers } = await this.#ask({ type: "explain", node, element, most });
    const explanation = ok as Explanation;
    const elements = buffers as Uint32Array[];
    const count = explanation.sources.length;
    return { ...explanation, sourceElements: elements.slice(0, count), consumerElements: elements.slice(count) };
  }

  /** What becomes of the loss if a value changes a little, in double precision. */
  async nudge(node: number, element: number, epsilon?: number): Promise<Nudge> {
    const request: WalkRequest = { type: "nudge", node, element };
    return (await this.#ask(epsilon === undefined ? request : { ...request, epsilon })).ok as Nudge;
  }

  /** Overwrites a value; the cursor then stands just behind it. A parameter keeps it beyond the walk. */
  async edit(node: number, element: number, value: number): Promise<TraceState> {
    return this.#stand((await this.#ask({ type: "edit", node, element, value })).ok as TraceState);
  }

  /** Why a value is 0, link by link. */
  async why(node: number, element: number): Promise<Reason[]> {
    return (await this.#ask({ type: "why", node, element })).ok as Reason[];
  }

  /** A parameter's value, gradient, slots, change and next value. */
  async optimizer(parameter: string): Promise<WalkOptimizer> {
    const { ok, buffers } = await this.#ask({ type: "optimizer", parameter });
    return { ...(ok as OptimizerTable), data: buffers as Float32Array[] };
  }

  /** Ends the walk; the session is as it was, but for edited parameters. */
  async close(): Promise<void> {
    await this.#ask({ type: "close" });
  }

  async #travel(travel: Travel, { signal, onProgress }: Underway = {}): Promise<TraceInfo> {
    if (signal?.aborted) return this.#info;
    const stop = (): void => void this.#ask({ type: "stop" }).catch(() => undefined);
    const unlisten = this.#connection.listen((event) => event.type === "travel" && onProgress?.(event));
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return (this.#info = (await this.#ask({ type: "travel", travel, breakpoints: [] })).ok as TraceInfo);
    } finally {
      signal?.removeEventListener("abort", stop);
      unlisten();
    }
  }

  #ask(walk: WalkRequest): Promise<Answer> {
    return this.#connection.request({ type: "walk", walk, number: this.#info.number });
  }

  #stand(state: TraceState): TraceState {
    this.#info = { ...this.#info, state };
    return state;
  }
}
