import { signal } from "@preact/signals-core";
import { GradscopeError, readScratch, scratch, type ScratchReport } from "gradscope";
import { latest } from "../lib/latest.js";
import { PROGRAMS } from "../lib/programs.js";
import { fail } from "./engine.js";
import * as store from "./store.js";
import { pause } from "./training.js";
import { adopt, leave } from "./walk.js";

/** The program as it stands in the editor. */
export const source = signal<string>(PROGRAMS.neuron);
/** Values and gradients of the last program that could be read. */
export const report = signal<ScratchReport | undefined>(undefined);
/** What is wrong with the program as it stands. */
export const mistake = signal<GradscopeError | undefined>(undefined);

/** The address of a program. */
export const addressOf = (program: string): string => `#/scratch?${new URLSearchParams({ program })}`;

function refuse(error: unknown): void {
  if (error instanceof GradscopeError && error.args.caret !== undefined) mistake.value = error;
  else fail(error);
}

/** Runs the program, and puts it into the address so that it can be passed on. */
export const run = latest(async () => {
  const program = source.peek();
  if (!store.scratchOpen.peek()) return;
  history.replaceState(history.state, "", location.pathname + addressOf(program));
  try {
    report.value = await readScratch(program);
    mistake.value = undefined;
  } catch (error) {
    refuse(error);
  }
});

/** Opens the program in the stepper, before its first op. */
export const stepThrough = latest(async () => {
  const program = source.peek();
  try {
    const opened = await scratch(program);
    if (store.scratchOpen.peek() && source.peek() === program) adopt(opened);
    else await opened.close();
  } catch (error) {
    refuse(error);
  }
});

let timer: ReturnType<typeof setTimeout> | undefined;

/** Takes over what was typed, and runs it once the typing pauses. */
export function edit(program: string): void {
  void leave();
  source.value = program;
  clearTimeout(timer);
  timer = setTimeout(run, 400);
}

/** Takes over a whole program, and runs it. */
export function choose(program: string): void {
  void leave();
  source.value = program;
  run();
}

/** Opens the scratchpad with a program, or with the one that it had. */
export function openScratch(program?: string): void {
  if (program !== undefined) source.value = program;
  pause();
  void leave();
  store.scratchOpen.value = true;
  store.notice.value = undefined;
  if (store.status.peek() === "starting") store.status.value = "idle";
  run();
}
