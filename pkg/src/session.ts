import type { Answer, Buffers, Connection } from "./connection.js";
import type { GradscopeError } from "./errors.js";
import { Looking } from "./looking.js";
import type {
  Document, Evaluation, Event, Hyper, LoadReport, Memory, NodeInfo, ParameterInfo, Request, SessionInfo, Split, Tile, Tokenization, TrainResult, View,
} from "./generated/protocol.js";
import type { Team } from "./team.js";
import { Walk, type WalkSubject } from "./stepper.js";

type EventOf<T extends Event["type"]> = Omit<Extract<Event, { type: T }>, "type">;

/** A few times a second while training: where it stands, and the losses of the steps since the last time. */
export interface Progress extends EventOf<"progress"> {
  losses: Float32Array;
  /** Mean of `losses`. */
  loss: number;
}

/** Live pictures: where each view lies in `atlas`, and the model's output for the pinned example. */
export interface Frame extends EventOf<"frame"> {
  tiles: Tile[];
  /** One byte a cell: 1 is -scale of its tile, 128 zero, 255 +scale, 0 NaN or infinite. */
  atlas: Uint8Array;
  output: Float32Array;
}

/** Events of a session and what their handlers get. */
export interface SessionEvents {
  progress: Progress;
  epoch: EventOf<"epoch">;
  loading: EventOf<"loading">;
  evaluating: EventOf<"evaluating">;
  frame: Frame;
  deviceLost: EventOf<"deviceLost">;
  /** A worker of several went away: the first one trains on alone. */
  workersLost: EventOf<"workersLost">;
  died: GradscopeError;
}

/** How long to train, and what to do meanwhile. */
export interface TrainRequest {
  /** Steps to take, or */
  steps?: number;
  /** epochs to finish; the current one counts from where it stands. */
  epochs?: number;
  /** Shuffle the examples each epoch; default true. */
  shuffle?: boolean;
  /** Evaluate the validation and the test part after each epoch, for the `epoch` event; default false. */
  evaluate?: boolean;
  /** Stop when the validation loss has not fallen for this many epochs. */
  earlyStopping?: number;
  /** Stops after the step in flight; the promise then resolves with what was done. */
  signal?: AbortSignal;
  /** The same as the `progress` event. */
  onProgress?: (progress: Progress) => void;
}

/** What a call of `train` did. */
export interface TrainSummary {
  /** One a step. */
  losses: Float32Array;
  /** Share of right answers over those steps; undefined for regression. */
  accuracy: number | undefined;
  msPerStep: number;
  steps: number;
  /** Whether it was stopped before its end. */
  stopped: boolean;
}

/**
 * The whole state of a session: weights, optimizer, position. It can be kept and cloned; its bytes are a safetensors file with every variable by its name,
 * which {@link Session.load} takes too.
 */
export interface Snapshot {
  readonly bytes: Uint8Array;
}

/** Examples of the data, one after another. */
export interface Examples {
  x: Float32Array;
  /** Class numbers; or targets, as many an example as the model has outputs. */
  labels: number[];
}

/** What a data set's texts are made of. */
export interface Vocabulary {
  tokens: string[];
  counts: Uint32Array;
}

const EMPTY = new Float32Array();

/** A model on a backend, with its data, its optimizer and its place in the training. */
export class Session extends Looking {
  readonly #connection: Connection;
  readonly #team: Team;
  readonly #handlers: { [K in keyof SessionEvents]: Set<(event: SessionEvents[K]) => void> } = {
    progress: new Set(), epoch: new Set(), loading: new Set(), evaluating: new Set(), frame: new Set(), deviceLost: new Set(), workersLost: new Set(), died: new Set(),
  };
  #info: SessionInfo;

  /** @internal */
  constructor(connection: Connection, info: SessionInfo, team: Team) {
    super();
    this.#connection = connection;
    this.#team = team;
    this.#info = { ...info, workers: team.size };
    connection.listen((event, buffers) => this.#dispatch(event, buffers));
    connection.onDeath((error) => this.#emit("died", error));
  }

  /** Facts about the session; they change only if the device or a worker is lost. */
  get info(): SessionInfo {
    return this.#info;
  }

  /** Calls `handler` with every event of that name, until the returned function is called. */
  on<K extends keyof SessionEvents>(event: K, handler: (event: SessionEvents[K]) => void): () => void {
    this.#handlers[event].add(handler);
    return () => void this.#handlers[event].delete(handler);
  }

  /** Trainable parameters, in layer order and Keras's order within a layer; those of frozen layers are not among them. */
  async parameters(): Promise<ParameterInfo[]> {
    return (await this.#ask({ type: "parameters" })).ok as ParameterInfo[];
  }

  /** The values of a parameter, frozen or not, in Keras's layout. */
  async getParameter(name: string): Promise<Float32Array> {
    return first(await this.#ask({ type: "getParameter", name }));
  }

  /** Replaces the values of a parameter. */
  async setParameter(name: string, values: Float32Array): Promise<void> {
    await this.#ask({ type: "setParameter", name }, [values]);
  }

  /** Trains for so many steps or epochs. */
  async train(request: TrainRequest): Promise<TrainSummary> {
    const { signal, onProgress } = request;
    const off = onProgress && this.on("progress", onProgress);
    const stop = (): void => void this.#ask({ type: "stop" }).catch(() => undefined);
    if (signal?.aborted) return { losses: EMPTY, accuracy: undefined, msPerStep: 0, steps: 0, stopped: true };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const options = {
        steps: request.steps, epochs: request.epochs, earlyStopping: request.earlyStopping,
        shuffle: request.shuffle ?? true, evaluate: request.evaluate ?? false,
      };
      const answer = await this.#ask({ type: "train", options: defined(options) });
      const { accuracy, msPerStep, steps, stopped } = answer.ok as TrainResult;
      return { losses: first(answer), accuracy: accuracy ?? undefined, msPerStep, steps, stopped };
    } finally {
      signal?.removeEventListener("abort", stop);
      off?.();
    }
  }

  /** One step on the given examples. */
  async trainBatch(x: Float32Array, y: Float32Array): Promise<{ loss: number }> {
    return { loss: (await this.#ask({ type: "trainBatch" }, [x, y])).ok as number };
  }

  /**
   * Loss, accuracy and confusion matrix over a part of the data. `signal` stops it at the next batch, and a training run too; it rejects with the
   * signal's reason. What only looks is answered meanwhile, a walk through a step too; what changes parameters waits.
   */
  async evaluate(split: Split, { signal, onProgress }: { signal?: AbortSignal; onProgress?: (at: EventOf<"evaluating">) => void } = {}): Promise<Evaluation> {
    signal?.throwIfAborted();
    const off = onProgress && this.on("evaluating", (at) => at.split === split && onProgress(at));
    const stop = (): void => void this.#ask({ type: "stop" }).catch(() => undefined);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return (await this.#ask({ type: "evaluate", split })).ok as Evaluation;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      off?.();
      signal?.removeEventListener("abort", stop);
    }
  }

  /** The model's outputs for any number of examples. */
  async predict(x: Float32Array): Promise<Float32Array> {
    return first(await this.#ask({ type: "predict" }, [x]));
  }

  /**
   * What some layers put out for any number of examples, one array a layer: of each example its values in the shape of the layer's output. A node
   * within a layer can be named as well: `"multi_head_attention/attention_weights"` has the shares of each head, query and key. With `from`, `x` is what
   * that layer puts out, so that the layers behind it can be asked what they make of anything: a decoder of any code.
   */
  async activations(layers: string[], x: Float32Array, { from }: { from?: string } = {}): Promise<Float32Array[]> {
    return (await this.#ask({ type: "activations", layers, ...(from === undefined ? {} : { from }) }, [x])).buffers as Float32Array[];
  }

  /** Every node of the training graph. */
  async nodes(): Promise<NodeInfo[]> {
    return (await this.#ask({ type: "nodes" })).ok as NodeInfo[];
  }

  /** A node's value in the batch last stepped, or the gradient of the loss with respect to it. */
  async read(node: string, options: { gradient?: boolean } = {}): Promise<{ shape: number[]; data: Float32Array }> {
    const answer = await this.#ask({ type: "read", node, gradient: options.gradient ?? false });
    return { shape: answer.ok as number[], data: first(answer) };
  }

  /** Opens a walk through the step that comes next, op by op; a training run is ended first. It takes the place of any other walk. */
  walk(subject: WalkSubject = { type: "batch" }): Promise<Walk> {
    return Walk.open(this.#connection, subject);
  }

  /** Pixels and labels of examples. */
  async examples(split: Split, indices: number[]): Promise<Examples> {
    const answer = await this.#ask({ type: "examples", split, indices });
    return { x: first(answer), labels: answer.ok as number[] };
  }

  /** The texts of some examples, where the data are labelled documents: about the first `most` bytes of each, in pieces as the model reads them. */
  async documents(split: Split, indices: number[], most = 1 << 24): Promise<Document[]> {
    return (await this.#ask({ type: "documents", split, indices, most })).ok as Document[];
  }

  /**
   * The tokens that the data's rows are made of, by number, and how often each stands in the rows of the training part (of TF-IDF weights: in how many of
   * its documents). Padding and what stands for unknown words are empty texts; without texts there are none.
   */
  async vocabulary(): Promise<Vocabulary> {
    const answer = await this.#ask({ type: "vocabulary" });
    return { tokens: answer.ok as string[], counts: answer.buffers[0] as Uint32Array };
  }

  /**
   * What the tokens of a text are, and the first `most` of those of several characters, in the order in which they were learned; undefined where the data
   * are no text. `info.classes` has the text of every token.
   */
  async tokenization(most = 100): Promise<Tokenization | undefined> {
    return ((await this.#ask({ type: "tokenization", most })).ok as Tokenization | null) ?? undefined;
  }

  /** Changes hyper-parameters from the next step on; those left out stay. */
  async setHyper(hyper: Hyper): Promise<void> {
    await this.#ask({ type: "setHyper", hyper: defined(hyper) });
  }

  /** Back to the initial weights of the same seed, or of another. */
  async reset(seed?: number): Promise<void> {
    await this.#ask(seed === undefined ? { type: "reset" } : { type: "reset", seed });
  }

  /** Pins the example that live pictures are made of: one of the data, or values of your own. */
  async pin(example: { split: Split; index: number } | Float32Array): Promise<void> {
    if (example instanceof Float32Array) await this.#ask({ type: "pin", split: "train" }, [example]);
    else await this.#ask({ type: "pin", ...example });
  }

  /** Chooses the live pictures that `frame` events bring; none ends them. */
  async watch(views: View[]): Promise<void> {
    await this.#ask({ type: "watch", views });
  }

  /** Asks for one `frame` event now. */
  async frame(): Promise<void> {
    await this.#ask({ type: "frame" });
  }

  /** The whole state. */
  async snapshot(): Promise<Snapshot> {
    const [bytes] = (await this.#ask({ type: "snapshot" })).buffers;
    return { bytes: bytes as Uint8Array };
  }

  /** Back to a state of the same model. */
  async restore(snapshot: Snapshot): Promise<void> {
    await this.#ask({ type: "restore" }, [snapshot.bytes]);
  }

  /**
   * Takes over weights of another model: those whose name (layer and role) and shape are the same, frozen or not. `weights` is a snapshot, or the bytes of
   * a safetensors file. Tells what was taken, what was left and what is missing; step, epoch and the optimizer's memory stay.
   */
  async load(weights: Snapshot | Uint8Array): Promise<LoadReport> {
    const bytes = weights instanceof Uint8Array ? weights : weights.bytes;
    return (await this.#ask({ type: "load" }, [bytes])).ok as LoadReport;
  }

  /** What the engine holds: for those who look for leaks. */
  async memory(): Promise<Memory> {
    return (await this.#ask({ type: "memory" })).ok as Memory;
  }

  /** Frees everything and ends the worker; what is still pending rejects. */
  async dispose(): Promise<void> {
    // A worker that hangs is ended all the same.
    const patience = new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.race([this.#ask({ type: "dispose" }).catch(() => undefined), patience]);
    this.#connection.close();
    this.#team.close();
  }

  #ask(request: Request, buffers: Buffers = []): Promise<Answer> {
    return this.#connection.request(request, buffers);
  }

  protected override ask(request: Request, buffers: Buffers = []): Promise<Answer> {
    return this.#ask(request, buffers);
  }

  #emit<K extends keyof SessionEvents>(name: K, event: SessionEvents[K]): void {
    for (const handler of [...this.#handlers[name]]) handler(event);
  }

  #dispatch(event: Event, buffers: Buffers): void {
    switch (event.type) {
      case "progress": {
        const losses = (buffers[0] ?? EMPTY) as Float32Array;
        const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
        return this.#emit("progress", { ...event, losses, loss });
      }
      case "frame":
        return this.#emit("frame", { ...event, atlas: buffers[0] as Uint8Array, output: (buffers[1] ?? EMPTY) as Float32Array });
      case "deviceLost":
        this.#info = event.info;
        return this.#emit("deviceLost", event);
      case "workersLost":
        this.#info = event.info;
        return this.#emit("workersLost", event);
      case "epoch":
        return this.#emit("epoch", event);
      case "loading":
        return this.#emit("loading", event);
      case "evaluating":
        return this.#emit("evaluating", event);
    }
  }
}

const first = (answer: Answer): Float32Array => (answer.buffers[0] ?? EMPTY) as Float32Array;

/** The same without undefined members, which the engine would take for values. */
function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
