import { tinykeys } from "tinykeys";
import * as store from "./state/store.js";
import { editable, editing, nudge, selected, togglePin, toggleGradient, zoom, ZOOMS } from "./state/cell.js";
import { togglePredict } from "./state/predict.js";
import { oneBatch, play, reset } from "./state/training.js";
import { nextSample, open, runTo, step, toggleBreakpoint, walk } from "./state/walk.js";
import type { PlainKey } from "./messages/types.js";

interface Key {
  keys: string;
  text: PlainKey;
  binding: string;
  run: () => void;
}

/** Keys of the whole page, as the help lists them. */
export const KEYS: readonly Key[] = [
  { keys: "Space", text: "keys.play", binding: "Space", run: () => void play() },
  { keys: "R", text: "keys.reset", binding: "r", run: () => void reset() },
  { keys: "]", text: "keys.next", binding: "]", run: () => nextSample(1) },
  { keys: "[", text: "keys.previous", binding: "[", run: () => nextSample(-1) },
  { keys: "?", text: "keys.help", binding: "Shift+?", run: () => (store.helpOpen.value = !store.helpOpen.value) },
];

/** Runs where a walk is open; where none is, it is opened. */
const walking = (run: () => void) => (): void => (walk.peek() ? run() : open());
/** Runs where a walk is open, and does nothing where none is. */
const onlyWalking = (run: () => void) => (): void => void (walk.peek() && run());

const zoomBy = (by: 1 | -1) => onlyWalking(() => (zoom.value = ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, ZOOMS.indexOf(zoom.value) + by))]!));

function startEditing(): void {
  const cell = selected.peek();
  if (!cell || !editable(cell.node)) return;
  store.tab.value = "explain";
  editing.value = true;
}

/** Keys of the stepper. */
export const STEP_KEYS: readonly Key[] = [
  { keys: "→", text: "step.op.on", binding: "ArrowRight", run: () => step("op", 1) },
  { keys: "←", text: "step.op.back", binding: "ArrowLeft", run: onlyWalking(() => step("op", -1)) },
  { keys: "Shift →", text: "step.layer.on", binding: "Shift+ArrowRight", run: walking(() => step("layer", 1)) },
  { keys: "Shift ←", text: "step.layer.back", binding: "Shift+ArrowLeft", run: onlyWalking(() => step("layer", -1)) },
  { keys: "Alt →", text: "step.batch.on", binding: "Alt+ArrowRight", run: () => (walk.peek() ? step("batch", 1) : void oneBatch()) },
  { keys: "Alt ←", text: "step.batch.back", binding: "Alt+ArrowLeft", run: onlyWalking(() => step("batch", -1)) },
  { keys: "F", text: "run.forward", binding: "f", run: walking(() => runTo("forward")) },
  { keys: "B", text: "run.backward", binding: "b", run: walking(() => runTo("backward")) },
  { keys: "U", text: "run.update", binding: "u", run: walking(() => runTo("update")) },
  { keys: "Enter", text: "keys.zoomIn", binding: "Enter", run: zoomBy(1) },
  { keys: "Esc", text: "keys.zoomOut", binding: "Escape", run: zoomBy(-1) },
  { keys: "G", text: "keys.gradient", binding: "g", run: onlyWalking(toggleGradient) },
  { keys: "P", text: "keys.pin", binding: "p", run: onlyWalking(togglePin) },
  { keys: "N", text: "keys.nudge", binding: "n", run: onlyWalking(() => void nudge()) },
  { keys: "E", text: "keys.edit", binding: "e", run: onlyWalking(startEditing) },
  { keys: "H", text: "keys.predict", binding: "h", run: onlyWalking(togglePredict) },
  { keys: ".", text: "keys.breakpoint", binding: ".", run: onlyWalking(toggleBreakpoint) },
];

/** Keys that work within one part of the page; the help lists them too. */
export const LOCAL_KEYS: readonly { keys: string; text: PlainKey }[] = [
  { keys: "← ↑ → ↓", text: "keys.cell" },
  { keys: "PgUp PgDn", text: "keys.picture" },
  { keys: "Space", text: "keys.run" },
  { keys: "Alt ↑ ↓", text: "keys.layer" },
];

/** Whether keys belong to a dialog, or to the element itself: it took them, takes text, opens, or is pressed by them. */
function ownsKey(event: KeyboardEvent): boolean {
  const element = event.target instanceof Element ? event.target : null;
  if (event.defaultPrevented || document.querySelector("dialog[open]") || element?.closest("input, textarea, select, dialog, [contenteditable]")) return true;
  const presses = event.code === "Space" || event.code === "Enter";
  return presses && element?.closest("button, a, summary, [role=tab], [role=application]") != null;
}

/** Whether a key is for something that the scratchpad hides: a network, or a walk where none is open. */
const rests = (binding: string): boolean =>
  store.scratchOpen.peek() && binding !== "Shift+?" && !(walk.peek() && STEP_KEYS.some((key) => key.binding === binding));

export function bindKeys(): void {
  const bindings = [...KEYS, ...STEP_KEYS].map(({ binding, run }) => [
    binding,
    (event: KeyboardEvent) => {
      if (ownsKey(event) || rests(binding)) return;
      event.preventDefault();
      run();
    },
  ]);
  tinykeys(window, Object.fromEntries(bindings) as Record<string, (event: KeyboardEvent) => void>);
}
