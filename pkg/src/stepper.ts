import type { Answer, Buffers } from "./connection.js";
import type {
  Breakpoint, Explanation, Nudge, OptimizerTable, ReadItem, Reason, Shaped, TraceInfo, TraceState, Travel, WalkRequest,
} from "./generated/protocol.js";

/** A value of a walk. */
export interface WalkValue {
  shape: number[];
  data: Float32Array;
}

/** An element explained, with the row-major elements of its sources and its consumers. */
export interface ExplainedElement extends Explanation {
  /** One array for each of `sources`. */
  sourceElements: Uint32Array[];
  /** One array for each of `consumers`. */
  consumerElements: Uint32Array[];
}

/**
 * One training step, walked through op by op, forward and backward. Nothing of it is kept: going on to the next batch trains on this one in
 * the ordinary way. Nodes are numbered as in `info.nodes`.
 */
export class Walk {
  readonly #ask: (walk: WalkRequest, buffers?: Buffers) => Promise<Answer>;
  #info: TraceInfo;

  /** @internal */
  constructor(ask: (walk: WalkRequest, buffers?: Buffers) => Promise<Answer>, info: TraceInfo) {
    this.#ask = ask;
    this.#info = info;
  }

  /** The graph, the order of its ops and where the walk stands. */
  get info(): TraceInfo {
    return this.#info;
  }

  /** Goes to where `cursor` ops are done; on the way forward it stops behind an op that a breakpoint is for, and `hit` says why. */
  async to(cursor: number, breakpoints: Breakpoint[] = []): Promise<TraceState> {
    return this.#moved((await this.#ask({ type: "travel", travel: { type: "to", cursor }, breakpoints })).ok as TraceState);
  }

  /** Goes on by so many batches, training on them, or back. */
  async batches(by: number): Promise<TraceInfo> {
    return this.#travel({ type: "batches", by });
  }

  /** Goes to the beginning of the next epoch, or of an earlier one; going back, that of the current one comes first. */
  async epochs(by: number): Promise<TraceInfo> {
    return this.#travel({ type: "epochs", by });
  }

  /** Values: whole ones, or one example of a batched value. */
  async read(items: ReadItem[]): Promise<WalkValue[]> {
    const { ok, buffers } = await this.#ask({ type: "read", items });
    return (ok as Shaped[]).map(({ shape }, k) => ({ shape, data: buffers[k] as Float32Array }));
  }

  /** Where an element comes from and what was made from it; of each sum the `most` largest terms. */
  async explain(node: number, element: number, most = 12): Promise<ExplainedElement> {
    const { ok, buffers } = await this.#ask({ type: "explain", node, element, most });
    const explanation = ok as Explanation;
    const arrays = buffers as Uint32Array[];
    const count = explanation.sources.length;
    return { ...explanation, sourceElements: arrays.slice(0, count), consumerElements: arrays.slice(count) };
  }

  /** The loss with an element moved a little, in double precision, beside the engine's gradient. */
  async nudge(node: number, element: number, epsilon?: number): Promise<Nudge> {
    return (await this.#ask({ type: "nudge", node, element, ...(epsilon === undefined ? {} : { epsilon }) })).ok as Nudge;
  }

  /** Puts a number into an element: of a parameter for good, of anything else for this walk. */
  async edit(node: number, element: number, value: number): Promise<TraceState> {
    return this.#moved((await this.#ask({ type: "edit", node, element, value })).ok as TraceState);
  }

  /** Why an element is 0, from the element to the first cause. */
  async why(node: number, element: number): Promise<Reason[]> {
    return (await this.#ask({ type: "why", node, element })).ok as Reason[];
  }

  /** What the optimizer does to a parameter: the columns that are known at the cursor. */
  async optimizer(parameter: string): Promise<OptimizerTable & { data: Float32Array[] }> {
    const { ok, buffers } = await this.#ask({ type: "optimizer", parameter });
    return { ...(ok as OptimizerTable), data: buffers as Float32Array[] };
  }

  /** Leaves the walk. */
  async close(): Promise<void> {
    await this.#ask({ type: "close" });
  }

  async #travel(travel: Travel): Promise<TraceInfo> {
    this.#info = (await this.#ask({ type: "travel", travel, breakpoints: [] })).ok as TraceInfo;
    return this.#info;
  }

  #moved(state: TraceState): TraceState {
    this.#info = { ...this.#info, state };
    return state;
  }
}
