import { createSession, type ModelSpec } from "gradscope";
import { adopt, forget } from "./engine.js";
import { pinDrawn } from "./pictures.js";
import { readSafetensors } from "../lib/safetensors.js";
import { lossNamed } from "./spec.js";
import * as store from "./store.js";
import { ofBatch, open } from "./walk.js";

/**
 * The network of the opening page: small, trained beforehand, with one digit.
 *
 * `assets/welcome.safetensors` holds its parameters by name, `digit` [28, 28, 1] in [0, 1], and in its metadata `model`, the spec as
 * JSON, and `label`, what the digit is.
 */
export async function openWelcome(): Promise<void> {
  store.status.value = "loading";
  const old = store.session.value;
  store.session.value = store.built.value = store.selected.value = store.setup.value = store.description.value = undefined;
  store.frame.value = store.pinned.value = store.missing.value = undefined;
  forget();
  await old?.dispose();
  try {
    const response = await fetch(new URL("assets/welcome.safetensors", document.baseURI));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const { tensors, metadata } = readSafetensors(await response.arrayBuffer());
    const model = JSON.parse(metadata.model ?? "") as ModelSpec;
    const digit = tensors.get("digit");
    if (!digit) throw new Error("no digit");
    const label = Number(metadata.label);
    const setup: store.Setup = {
      preset: "welcome", model, data: "", loss: lossNamed("sparse_categorical_crossentropy"), optimizer: { type: "SGD", learning_rate: 0.01 } as store.Setup["optimizer"],
      batchSize: 1, epochs: 1, validationSplit: 0, seed: 0, backend: "cpu", workers: 1,
    };
    const { loss, optimizer, batchSize, backend } = setup;
    const data = { x: digit.data, y: new Float32Array([label]), shape: [1, ...model.input] };
    const session = await createSession({ model, data, loss, optimizer, batchSize, backend });
    for (const { name } of await session.parameters()) {
      const tensor = tensors.get(name);
      if (tensor) await session.setParameter(name, tensor.data);
    }
    store.setup.value = setup;
    await adopt(session, setup);
    await pinDrawn(digit.data);
    store.pinned.value = { x: digit.data, target: [label], from: undefined };
    // The page opens in the middle of things: the first convolution is done.
    ofBatch.value = false;
    open(1);
  } catch {
    // Without its picture the opening page still says what can be done.
    store.status.value = "idle";
  }
}
