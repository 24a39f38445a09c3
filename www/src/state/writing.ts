import { signal } from "@preact/signals-core";
import type { Generated } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** How a text is gone on with. */
export const settings = signal({ prompt: "", tokens: 200, temperature: 0.8, topK: 0, topP: 1, seed: 1 });
/** What came so far, and from which prompt at which step of the training. */
export const written = signal<{ prompt: string; tokens: readonly Generated[]; step: number } | undefined>(undefined);
export const writing = signal(false);
/** Whether a sample is written now and then while the network trains. */
export const whileTraining = signal(true);

let stop: AbortController | undefined;

/** Whether the session's model goes on with texts. */
export const isText = (): boolean => store.dataset.value?.kind === "text";

/** Whether it answers texts with texts. */
export const isPairs = (): boolean => store.dataset.value?.kind === "pairs";

export const change = (changes: Partial<(typeof settings)["value"]>): void => void (settings.value = { ...settings.value, ...changes });

export const cancel = (): void => stop?.abort();

/** Goes on with the prompt; another writing that is under way ends. */
export async function write(): Promise<void> {
  const session = store.session.value;
  if (!session || !isText()) return;
  cancel();
  const mine = (stop = new AbortController());
  const { prompt, tokens, temperature, topK, topP, seed } = settings.value;
  const step = store.progress.value?.step ?? 0;
  const came: Generated[] = [];
  const here = (): boolean => stop === mine && store.session.value === session;
  writing.value = true;
  written.value = { prompt, tokens: [], step };
  try {
    await session.generate({
      prompt, tokens, temperature, seed, signal: mine.signal,
      ...(topK > 0 ? { topK } : {}), ...(topP < 1 ? { topP } : {}),
      onToken: (token) => {
        came.push(token);
        if (here()) written.value = { prompt, tokens: [...came], step };
      },
    });
  } catch (error) {
    if (here()) fail(error);
  } finally {
    if (stop === mine) writing.value = false;
  }
}

/** Forgets what a session wrote that is no more. */
export function forgetWriting(): void {
  cancel();
  written.value = undefined;
}
