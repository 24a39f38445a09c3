import type { Answer, Buffers } from "./connection.js";
import type { Attribution, AttributeOptions, Cell, HealthReport, Request, Split } from "./generated/protocol.js";

/** What the parts of an example contribute: `values` in the `shape` that the method gives. */
export interface AttributionMap extends Attribution {
  values: Float32Array;
}

/** Looks at a session and leaves it as it was: how it fares, what its answers rest on, what lies around its parameters. */
export abstract class Looking {
  protected abstract ask(request: Request, buffers?: Buffers): Promise<Answer>;

  /** Statistics of activations, gradients and updates on the batch last stepped. It may be asked for while training runs. */
  async health(): Promise<HealthReport> {
    return (await this.ask({ type: "health" })).ok as HealthReport;
  }

  /** Examples that one cell of the last evaluation's confusion matrix counts: `most` of them from number `first` on. */
  async cell(split: Split, truth: number, prediction: number, page: { first?: number; most?: number } = {}): Promise<Cell> {
    const { first = 0, most = 100 } = page;
    return (await this.ask({ type: "cell", split, truth, prediction, first, most })).ok as Cell;
  }

  /** What the parts of an example, of the data or of your own, contribute to a class. */
  async attribute(example: { split: Split; index: number } | Float32Array, options: AttributeOptions): Promise<AttributionMap> {
    const answer = await (example instanceof Float32Array
      ? this.ask({ type: "attribute", options, split: "train" }, [example])
      : this.ask({ type: "attribute", options, ...example }));
    return { ...(answer.ok as Attribution), values: answer.buffers[0] as Float32Array };
  }

  /**
   * The loss on the first 250 examples of a part at points around the present parameters, along two random directions with the scale of the
   * filters. Ask for a few points at a time: the worker does nothing else meanwhile.
   */
  async landscape(split: Split, points: [number, number][], seed = 0): Promise<Float32Array> {
    return (await this.ask({ type: "landscape", split, seed, points })).buffers[0] as Float32Array;
  }
}
