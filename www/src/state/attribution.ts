import { computed, effect, signal } from "@preact/signals-core";
import type { AttributionMap, Method } from "gradscope";
import { latest } from "../lib/latest.js";
import { fail } from "./engine.js";
import * as store from "./store.js";

export const METHODS = ["saliency", "inputGradient", "integratedGradients", "gradCam", "occlusion"] as const satisfies readonly Method[];

export const method = signal<Method>("integratedGradients");
/** The class that is asked about; without one it is the predicted. */
export const asked = signal<number | undefined>(undefined);
export const window = signal(4);
export const stride = signal(2);
/** Grad-CAM's layer; without one the last with maps. */
export const layer = signal<string | undefined>(undefined);

/** Layers whose output is maps of more than one cell. */
export const mapLayers = computed(() =>
  (store.built.value?.description.layers ?? []).filter(({ outputShape: of }) => of?.length === 3 && of[0]! * of[1]! > 1).map(({ name }) => name));

/** Classes, or the outputs of a task without. */
export const choices = computed((): readonly string[] => {
  const outputs = store.session.value?.info.outputShape.reduce((a, b) => a * b, 1) ?? 0;
  return store.classes.value.length ? store.classes.value : Array.from({ length: outputs }, (_, k) => `ŷ${k + 1}`);
});

export const predicted = computed(() => {
  const output = [...(store.frame.value?.output ?? [])];
  if (output.length === 1 && store.classes.value.length === 2) return output[0]! > 0.5 ? 1 : 0;
  return Math.max(0, output.indexOf(Math.max(...output)));
});

/** The class that is attributed. */
export const target = computed(() => Math.min(asked.value ?? predicted.value, Math.max(0, choices.value.length - 1)));

/** What can be asked of this model: without maps there is no Grad-CAM. */
export const possible = computed(() => METHODS.filter((name) => name !== "gradCam" || mapLayers.value.length > 0));

/** An attribution, and the example and the method that it is of. */
export const found = signal<{ map: AttributionMap; x: Float32Array; method: Method; target: number } | undefined>(undefined);

/** Keeps the attribution true to the pinned example and the choices, while nothing trains; until it is stopped. */
export function followAttribution(): () => void {
  const compute = latest(async () => {
    const [session, pinned] = [store.session.peek(), store.pinned.peek()];
    const of = possible.peek().includes(method.peek()) ? method.peek() : "integratedGradients";
    if (!session || !pinned || choices.peek().length === 0) return void (found.value = undefined);
    const options = {
      method: of, class: target.peek(),
      ...(of === "gradCam" && mapLayers.peek().includes(layer.peek() ?? "") ? { layer: layer.peek()! } : {}),
      ...(of === "occlusion" ? { window: window.peek(), stride: Math.min(stride.peek(), window.peek()) } : {}),
    };
    try {
      const map = await session.attribute(pinned.from ?? pinned.x, options);
      if (store.session.peek() === session) found.value = { map, x: pinned.x, method: of, target: options.class };
    } catch (error) {
      if (store.session.peek() === session && store.status.peek() !== "dead") fail(error);
    }
  });
  return effect(() => {
    for (const of of [store.session, store.pinned, store.progress, method, target, window, stride, layer, possible]) void of.value;
    if (store.status.value === "idle") compute();
  });
}
