import { tinykeys } from "tinykeys";
import * as store from "./state/store.js";
import { pinNext } from "./state/pictures.js";
import { oneBatch, play, reset } from "./state/training.js";
import type { PlainKey } from "./messages/types.js";

/** Keys of the whole page, as the help lists them. */
export const KEYS: readonly { keys: string; text: PlainKey; binding: string; run: () => void }[] = [
  { keys: "Space", text: "keys.play", binding: "Space", run: () => void play() },
  { keys: "Alt →", text: "keys.batch", binding: "Alt+ArrowRight", run: () => void oneBatch() },
  { keys: "R", text: "keys.reset", binding: "r", run: () => void reset() },
  { keys: "]", text: "keys.next", binding: "]", run: () => pinNext(1) },
  { keys: "[", text: "keys.previous", binding: "[", run: () => pinNext(-1) },
  { keys: "?", text: "keys.help", binding: "Shift+?", run: () => (store.helpOpen.value = !store.helpOpen.value) },
];

/** Keys that work within one part of the page; the help lists them too. */
export const LOCAL_KEYS: readonly { keys: string; text: PlainKey }[] = [
  { keys: "← ↑ → ↓", text: "keys.window" },
  { keys: "Alt ↑ ↓", text: "keys.layer" },
  { keys: "Esc", text: "keys.escape" },
];

/** Whether keys belong to the element itself: it takes text, opens, or is pressed by them. */
function ownsKey(event: KeyboardEvent): boolean {
  // The other keys are for a network, which the scratchpad hides.
  if (store.scratchOpen.peek() && event.key !== "?") return true;
  const element = event.target instanceof Element ? event.target : null;
  if (element?.closest("input, textarea, select, dialog, [contenteditable]")) return true;
  return event.code === "Space" && element?.closest("button, a, summary, [role=tab], [role=application]") != null;
}

export function bindKeys(): void {
  const bindings = KEYS.map(({ binding, run }) => [
    binding,
    (event: KeyboardEvent) => {
      if (ownsKey(event)) return;
      event.preventDefault();
      run();
    },
  ]);
  tinykeys(window, Object.fromEntries(bindings) as Record<string, (event: KeyboardEvent) => void>);
}
