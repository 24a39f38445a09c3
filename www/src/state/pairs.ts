import { effect, signal } from "@preact/signals-core";
import { GradscopeError, type Generated, type Session } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** An answer as far as it has come, and what its cross-attention looked at once it is whole. */
export interface Answer {
  source: string;
  tokens: readonly Generated[];
  step: number;
  /** Shares by head, target position and source position, [heads, T, S], of one layer. */
  maps: readonly { layer: string; heads: number; shares: Float32Array }[];
}

/** What the visitor typed, and how sure an answer must be: at 0 the likeliest token is always taken. */
export const settings = signal({ source: "", temperature: 0 });
export const answer = signal<Answer | undefined>(undefined);
export const answering = signal(false);
/** Why a source cannot be answered. */
export const refused = signal<GradscopeError | undefined>(undefined);

let stop: AbortController | undefined;

export const change = (changes: Partial<(typeof settings)["value"]>): void => void (settings.value = { ...settings.value, ...changes });

export const cancelAnswer = (): void => stop?.abort();

/** Longest source and longest target of the session's data. */
export function lengths(): readonly [number, number] {
  const { inputShape = [], outputShape = [] } = store.session.value?.info ?? {};
  const target = outputShape[0] ?? 0;
  return [(inputShape[0] ?? 0) - target, target];
}

/** Tokens as their signs, without the padding behind them. */
export function texts(tokens: ArrayLike<number>): string[] {
  const names = store.session.value?.info.classes ?? [];
  let length = tokens.length;
  while (length > 0 && tokens[length - 1] === 0) length--;
  return Array.from({ length }, (_, k) => names[tokens[k]!] ?? "?");
}

/** The pinned example's source. */
export const pinnedSource = (): string => texts(store.pinned.value?.x.subarray(0, lengths()[0]) ?? []).join("");

/** What every attention between two layers looked at while it read a source and its answer. */
async function read(source: string, tokens: readonly Generated[]): Promise<Answer["maps"]> {
  const [session, model] = [store.session.peek(), store.built.peek()?.setup.model];
  const layers = model?.layers.flatMap((layer) => (layer.type === "MultiHeadAttention" && layer.name && layer.inputs && layer.inputs.length > 1 ? [{ layer: layer.name, heads: layer.num_heads }] : [])) ?? [];
  if (!session || layers.length === 0) return [];
  const [longest] = lengths();
  const row = new Float32Array(session.info.inputShape[0]!);
  [...source].forEach((sign, k) => (row[k] = session.info.classes.lastIndexOf(sign)));
  row[longest] = 1;
  tokens.slice(0, -1).forEach(({ token }, k) => (row[longest + 1 + k] = token));
  const shares = await session.activations(layers.map(({ layer }) => `${layer}/attention_weights`), row);
  return layers.map((of, k) => ({ ...of, shares: shares[k]! }));
}

/** Answers what was typed, or the pinned example; another answer that is under way ends. */
export async function translate(): Promise<void> {
  const session = store.session.value;
  const source = settings.value.source || pinnedSource();
  if (!session || !source) return;
  cancelAnswer();
  const mine = (stop = new AbortController());
  const step = store.progress.value?.step ?? 0;
  const here = (): boolean => stop === mine && store.session.value === session;
  const tokens: Generated[] = [];
  answering.value = true;
  refused.value = undefined;
  try {
    await session.translate(source, {
      temperature: settings.value.temperature, seed: step, signal: mine.signal,
      onToken: (token) => {
        tokens.push(token);
        if (here()) answer.value = { source, tokens: [...tokens], step, maps: [] };
      },
    });
    const maps = await read(source, tokens);
    if (here()) answer.value = { source, tokens, step, maps };
  } catch (error) {
    if (!here()) return;
    const bad = error instanceof GradscopeError && ["unknown_character", "too_large"].includes(error.code);
    if (bad) [refused.value, answer.value] = [error, undefined];
    else fail(error);
  } finally {
    if (stop === mine) answering.value = false;
  }
}

let of: Session | undefined;

/** Forgets what another session was asked and answered; until the returned function is called. */
export const followSession = (): (() => void) => effect(() => {
  const now = store.session.value;
  if (!now || now === of) return;
  of = now;
  cancelAnswer();
  answer.value = refused.value = undefined;
  settings.value = { ...settings.peek(), source: "" };
});
