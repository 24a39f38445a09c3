import type { Answer, Buffers } from "./connection.js";
import type { Attribution, AttributeOptions, Candidate, Cell, Generated, GenerateOptions, HealthReport, Request, Split } from "./generated/protocol.js";

/** What the parts of an example contribute: `values` in the `shape` that the method gives. */
export interface AttributionMap extends Attribution {
  values: Float32Array;
}

/** How to go on with a text, or with tokens. */
export interface GenerateRequest {
  /** What to go on with: a text, which is cut into tokens as the data are, or tokens. Without it, token 0: in a text mostly the end of a line. */
  prompt?: string | readonly number[];
  /** How many tokens to add. */
  tokens: number;
  /** Logits are divided by it; default 1. At 0 the likeliest token is always taken. */
  temperature?: number;
  /** Only so many of the likeliest tokens may come. */
  topK?: number;
  /** Only the likeliest tokens may come whose probabilities make up this share together. */
  topP?: number;
  /** Default 0. */
  seed?: number;
  /** Likeliest tokens that are told of each draw; default 5. */
  candidates?: number;
  /** Stops after the token under way; what there is by then is the result. */
  signal?: AbortSignal;
  /** Every token as it comes. */
  onToken?: (token: Generated) => void;
}

/** How to answer a text. */
export interface TranslateRequest extends Omit<GenerateRequest, "prompt" | "tokens" | "temperature"> {
  /** Logits are divided by it; default 0: the likeliest token is always taken. */
  temperature?: number;
}

/** An answer: its text, and every token of it with its end. */
export interface Translation {
  text: string;
  tokens: Generated[];
  /** Whether the model said that it ends; else it is as long as answers can be. */
  ended: boolean;
}

/** The token behind every answer. */
const END = 2;

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

  /** Goes on with a text, token by token. It may be asked for while training runs, which goes on between the tokens. */
  async generate(request: GenerateRequest): Promise<Generated[]> {
    const { tokens: wanted, temperature = 1, signal, onToken } = request;
    const options = one(request, temperature);
    const generated: Generated[] = [];
    const prompt = request.prompt?.length ? request.prompt : [0];
    // What came stays the tokens that it came in: read again with the prompt, it might be others.
    const text = typeof prompt === "string" ? { prompt } : {};
    const tokens: number[] = typeof prompt === "string" ? [] : [...prompt];
    while (generated.length < wanted && !signal?.aborted) {
      const answer = await this.ask({ type: "generate", options, ...text }, [Float32Array.from(tokens)]);
      const [next] = answer.ok as [Generated];
      generated.push(next);
      onToken?.(next);
      tokens.push(next.token);
    }
    return generated;
  }

  /** What a model that learns to guess hidden tokens makes of those of an example at the positions `hidden`: for each the likeliest, likeliest first. */
  async guesses(example: { split: Split; index: number }, hidden: readonly number[], candidates = 5): Promise<Candidate[][]> {
    return (await this.ask({ type: "guess", ...example, hidden: [...hidden], candidates })).ok as Candidate[][];
  }

  /**
   * Answers a text, token by token, where the data are pairs: rejects with `unknown_character` or `too_large` where the source is none that they
   * could hold. It may be asked for while training runs, which goes on between the tokens.
   */
  async translate(source: string, request: TranslateRequest = {}): Promise<Translation> {
    const { temperature = 0, signal, onToken } = request;
    const options = one(request, temperature);
    const tokens: Generated[] = [];
    while (!signal?.aborted) {
      const answer = await this.ask({ type: "generate", source, options }, [Float32Array.from(tokens, ({ token }) => token)]);
      const [next] = answer.ok as Generated[];
      if (!next) break;
      tokens.push(next);
      onToken?.(next);
    }
    const ended = tokens.at(-1)?.token === END;
    return { text: tokens.slice(0, ended ? -1 : undefined).map(({ text }) => text ?? "").join(""), tokens, ended };
  }

  /**
   * `count` examples that the generator of two networks against each other makes, one after another: the same noise each time for a seed. It may be
   * asked for while training runs.
   */
  async sample(count: number, seed = 0): Promise<Float32Array> {
    return (await this.ask({ type: "sample", count, seed })).buffers[0] as Float32Array;
  }

  /**
   * The loss on the first 256 examples of a part at points around the present parameters, along two random directions with the scale of the
   * filters. Ask for a few points at a time: the worker does nothing else meanwhile.
   */
  async landscape(split: Split, points: [number, number][], seed = 0): Promise<Float32Array> {
    return (await this.ask({ type: "landscape", split, seed, points })).buffers[0] as Float32Array;
  }
}

/** The engine's options for one token. */
const one = ({ topK, topP, seed = 0, candidates = 5 }: Omit<GenerateRequest, "tokens">, temperature: number): GenerateOptions => ({
  tokens: 1, temperature, seed, candidates, ...(topK === undefined ? {} : { topK }), ...(topP === undefined ? {} : { topP }),
});
