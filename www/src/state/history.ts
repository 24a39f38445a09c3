import type { Evaluation, Progress } from "gradscope";

/** A curve of at most about a thousand points: older ones are averaged in pairs as new ones come. */
export class Trace {
  readonly x: number[] = [];
  readonly y: number[] = [];
  #every = 1;
  #sum = 0;
  #count = 0;

  constructor(readonly most = 1000) {}

  /** Forgets what came after `x`. */
  cut(x: number): void {
    while (this.x.length && this.x.at(-1)! > x) this.x.length = this.y.length = this.x.length - 1;
    this.#sum = this.#count = 0;
  }

  push(x: number, y: number): void {
    this.#sum += y;
    if (++this.#count < this.#every) return;
    this.x.push(x);
    this.y.push(this.#sum / this.#count);
    this.#sum = this.#count = 0;
    if (this.x.length < this.most) return;
    this.#every *= 2;
    const half = this.x.length >> 1;
    for (let k = 0; k < half; k++) {
      this.x[k] = this.x[2 * k + 1]!;
      this.y[k] = (this.y[2 * k]! + this.y[2 * k + 1]!) / 2;
    }
    this.x.length = this.y.length = half;
  }
}

/** A curve that grows no more. */
export type Line = Readonly<Record<"x" | "y", readonly number[]>>;

const TRACES = [
  "loss", "accuracy", "exact", "rate", "validationLoss", "validationAccuracy", "validationExact", "testLoss", "testAccuracy", "testExact",
  "generatorLoss", "real", "fake",
] as const;
/** The curves of a run. */
export type Lines = Readonly<Record<(typeof TRACES)[number], Line>>;

/** What an epoch came to. */
export interface EpochRow {
  epoch: number;
  /** Mean loss over the epoch's steps. */
  loss: number | undefined;
  accuracy: number | undefined;
  validation: Evaluation | undefined;
  test: Evaluation | undefined;
}

/** Everything that was measured since the weights were new. */
export class History {
  readonly loss = new Trace();
  readonly accuracy = new Trace();
  readonly exact = new Trace();
  readonly rate = new Trace();
  readonly validationLoss = new Trace(400);
  readonly validationAccuracy = new Trace(400);
  readonly validationExact = new Trace(400);
  readonly testExact = new Trace(400);
  readonly testLoss = new Trace(400);
  readonly testAccuracy = new Trace(400);
  /** In a game, where `loss` is the discriminator's: the generator's, and the answers to the data and to what was generated. */
  readonly generatorLoss = new Trace();
  readonly real = new Trace();
  readonly fake = new Trace();
  /** The last hundred epochs. */
  readonly epochs: EpochRow[] = [];
  #lossSum = 0;
  #lossCount = 0;
  #hits = 0;
  #seen = 0;

  /** Forgets what came after `epoch`: the run goes on from there. */
  cut(epoch: number): void {
    for (const name of TRACES) this[name].cut(epoch);
    while (this.epochs.length && this.epochs.at(-1)!.epoch > epoch) this.epochs.pop();
    this.#lossSum = this.#lossCount = this.#hits = this.#seen = 0;
  }

  /** The curves as they are now. */
  copy(): Lines {
    return Object.fromEntries(TRACES.map((name) => [name, { x: [...this[name].x], y: [...this[name].y] }])) as unknown as Lines;
  }

  progress({ epoch, stepsPerEpoch, losses, accuracy, exact, learningRate: rate, game }: Progress): void {
    if (game) {
      this.generatorLoss.push(epoch, game.generatorLoss);
      this.real.push(epoch, game.real);
      this.fake.push(epoch, game.fake);
    }
    losses.forEach((loss, k) => {
      this.loss.push(epoch - (losses.length - 1 - k) / stepsPerEpoch, loss);
      this.#lossSum += loss;
    });
    this.#lossCount += losses.length;
    if (accuracy !== undefined && accuracy !== null) {
      this.accuracy.push(epoch, accuracy);
      this.#hits += accuracy * losses.length;
      this.#seen += losses.length;
    }
    if (exact != null) this.exact.push(epoch, exact);
    if (!this.rate.x.length) this.rate.push(epoch - losses.length / stepsPerEpoch, rate);
    this.rate.push(epoch, rate);
  }

  epoch(epoch: number, validation: Evaluation | undefined, test: Evaluation | undefined): void {
    const add = (trace: Trace, value: number | null | undefined): void => void (value != null && trace.push(epoch, value));
    add(this.validationLoss, validation?.loss);
    add(this.validationAccuracy, validation?.accuracy);
    add(this.validationExact, validation?.exact);
    add(this.testExact, test?.exact);
    add(this.testLoss, test?.loss);
    add(this.testAccuracy, test?.accuracy);
    const loss = this.#lossCount ? this.#lossSum / this.#lossCount : undefined;
    const accuracy = this.#seen ? this.#hits / this.#seen : undefined;
    this.epochs.push({ epoch, loss, accuracy, validation, test });
    if (this.epochs.length > 100) this.epochs.shift();
    this.#lossSum = this.#lossCount = this.#hits = this.#seen = 0;
  }
}
