import type { Answer, Buffers } from "./connection.js";
import type {
  Breakpoint, Explanation, Nudge, OptimizerTable, ReadItem, ReadValue, Reason, Subject, TraceInfo, TraceState, WalkRequest,
} from "./generated/protocol.js";

type Ask = (request: WalkRequest, buffers?: Buffers) => Promise<Answer>;

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

/** A parameter's elements on their way through the optimizer: `data` holds the columns in the order of `columns`. */
export interface WalkOptimizer extends OptimizerTable {
  data: Float32Array[];
}

/**
 * One training step, op by op. Nodes go by their index in `info.nodes`, elements by their row-major position.
 *
 * Everything rejects with `wrong_state` once no walk is open, after a lost device too. A session has one walk at a time: another that is opened takes
 * this one's place.
 */
export class Walk {
  readonly #ask: Ask;
  #info: TraceInfo;

  private constructor(ask: Ask, info: TraceInfo) {
    this.#ask = ask;
    this.#info = info;
  }

  /** @internal */
  static async open(ask: Ask, wanted: WalkSubject): Promise<Walk> {
    if (wanted.type !== "pinned") return new Walk(ask, (await ask({ type: "open", subject: wanted })).ok as TraceInfo);
    const subject: Subject = wanted.label === undefined ? { type: "pinned" } : { type: "pinned", label: wanted.label };
    return new Walk(ask, (await ask({ type: "open", subject }, [wanted.x])).ok as TraceInfo);
  }

  /** @internal */
  static async openScratch(ask: Ask, source: string, seed: number): Promise<Walk> {
    return new Walk(ask, (await ask({ type: "openScratch", source, seed })).ok as TraceInfo);
  }

  /** The graph, its ops in order, and where the walk stands. */
  get info(): TraceInfo {
    return this.#info;
  }

  /** Goes to a cursor, forward or back; stops early at the first breakpoint that is hit. */
  async to(cursor: number, breakpoints: Breakpoint[] = []): Promise<TraceState> {
    return this.#stand((await this.#ask({ type: "travel", travel: { type: "to", cursor }, breakpoints })).ok as TraceState);
  }

  /** Goes so many batches forward, by training, or back; the walk opens anew there. */
  async batches(by: number): Promise<TraceInfo> {
    return (this.#info = (await this.#ask({ type: "travel", travel: { type: "batches", by }, breakpoints: [] })).ok as TraceInfo);
  }

  /** Goes to the beginning of an epoch: 1 is the next one, -1 that of this one, or of the one before where this one has just begun. */
  async epochs(by: number): Promise<TraceInfo> {
    return (this.#info = (await this.#ask({ type: "travel", travel: { type: "epochs", by }, breakpoints: [] })).ok as TraceInfo);
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

  #stand(state: TraceState): TraceState {
    this.#info = { ...this.#info, state };
    return state;
  }
}
