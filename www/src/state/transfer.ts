import { signal } from "@preact/signals-core";
import { build, fail } from "./engine.js";
import * as store from "./store.js";

/** Weights that were put aside for another model. */
export const kept = signal<{ name: string; bytes: Uint8Array } | undefined>(undefined);

/** The session's weights under its preset's name. */
async function weights(): Promise<{ name: string; bytes: Uint8Array } | undefined> {
  const [session, setup] = [store.session.value, store.built.value?.setup];
  return session && setup && { name: setup.preset, bytes: (await session.snapshot()).bytes };
}

/** Puts the session's weights aside. */
export async function keep(): Promise<void> {
  try {
    kept.value = await weights();
  } catch (error) {
    fail(error);
  }
}

/** Gives the session those weights that fit. */
export async function takeOver(from = kept.value): Promise<void> {
  const session = store.session.value;
  if (!session || !from) return;
  try {
    const report = await session.load(from.bytes);
    store.loaded.value = { ...report, from: from.name };
    store.weights.value++;
    await session.frame();
  } catch (error) {
    fail(error);
  }
}

/** Does what builds another session, which begins with the weights of this one, as far as they fit. */
export async function carry(then: () => unknown): Promise<void> {
  try {
    store.carried.value = await weights();
    await then();
  } catch (error) {
    fail(error);
  }
}

/** Builds what the controls show, with the weights of the session that there is. */
export const buildWithWeights = (): Promise<void> => carry(build);
