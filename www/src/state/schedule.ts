import type { OptimizerSpec } from "gradscope";
import type { Field, Spec } from "./spec.js";

/** A learning rate that changes with the step: what can be edited of it, and how it begins from a rate and the steps of a run. */
interface Schedule {
  fields: readonly Field[];
  make: (rate: number, steps: number) => Spec;
}

const rate = (key: "learning_rate" | "initial_learning_rate"): Field => ({ key, kind: "number", least: 0, most: 1e6, step: 1e-4, fallback: 0 });
const share = (key: "alpha" | "decay_rate", fallback: number): Field => ({ key, kind: "number", least: 0, most: 1, step: 0.01, fallback });
const steps = (key: "decay_steps" | "warmup_steps", least: number): Field => ({ key, kind: "whole", least, fallback: least });

/** By their Keras names; `Constant` is our own: a rate after a linear rise. */
export const SCHEDULES: Readonly<Record<string, Schedule>> = {
  Constant: {
    fields: [rate("learning_rate"), steps("warmup_steps", 0)],
    make: (learning_rate, all) => ({ type: "Constant", learning_rate, warmup_steps: Math.ceil(all / 20) }),
  },
  PiecewiseConstantDecay: {
    fields: [{ key: "boundaries", kind: "list", whole: true }, { key: "values", kind: "list", whole: false }],
    make: (first, all) => ({
      type: "PiecewiseConstantDecay", boundaries: [Math.ceil(all / 2), Math.max(Math.ceil(all / 2) + 1, Math.ceil((3 * all) / 4))],
      values: [first, Number((first / 10).toPrecision(6)), Number((first / 100).toPrecision(6))],
    }),
  },
  ExponentialDecay: {
    fields: [rate("initial_learning_rate"), steps("decay_steps", 1), share("decay_rate", 0.5), { key: "staircase", kind: "flag", fallback: false }],
    make: (initial_learning_rate, all) => ({ type: "ExponentialDecay", initial_learning_rate, decay_steps: Math.ceil(all / 5), decay_rate: 0.5 }),
  },
  CosineDecay: {
    fields: [rate("initial_learning_rate"), steps("decay_steps", 1), share("alpha", 0), { key: "warmup_target", kind: "optional", least: 0 }, steps("warmup_steps", 0)],
    make: (initial_learning_rate, all) => ({ type: "CosineDecay", initial_learning_rate, decay_steps: all }),
  },
};

/** The schedule of an optimizer, if its rate is none of one number. */
export function scheduleOf(optimizer: OptimizerSpec): Spec | undefined {
  const { learning_rate } = optimizer as unknown as Spec;
  return typeof learning_rate === "object" && learning_rate ? (learning_rate as Spec) : undefined;
}

/** The rate that an optimizer begins with; Keras's default where it names none. */
export function rateOf(optimizer: OptimizerSpec): number {
  const schedule = scheduleOf(optimizer);
  if (schedule) return Number(schedule.initial_learning_rate ?? schedule.learning_rate ?? (schedule.values as number[])[0]);
  const { learning_rate } = optimizer as unknown as Spec;
  return typeof learning_rate === "number" ? learning_rate : optimizer.type === "SGD" ? 0.01 : 0.001;
}

/** The same optimizer at another rate, or with a schedule. */
export const withRate = (optimizer: OptimizerSpec, learning_rate: unknown): OptimizerSpec => ({ ...optimizer, learning_rate }) as OptimizerSpec;
