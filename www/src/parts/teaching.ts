import type { PlainKey } from "../messages/types.js";
import * as store from "../state/store.js";
import { nodes } from "../state/walk.js";
import type { Explained } from "../state/cell.js";
import { elementsIn, sumIn } from "./term.js";

/** A sentence for an op's own name, forward or backward. */
const BY_OP: Readonly<Record<string, PlainKey>> = {
  conv2d: "teach.conv", conv2d_input_grad: "teach.convInput", conv2d_kernel_grad: "teach.convKernel",
  max_pool2d: "teach.maxPool", max_pool2d_grad: "teach.maxPoolGrad",
  softmax: "teach.softmax", softmax_cross_entropy: "teach.crossEntropy", softmax_cross_entropy_grad: "teach.pMinusY",
  relu: "teach.relu", dropout: "teach.dropout", mask_tokens: "teach.maskTokens", random_uniform: "teach.noise", reshape: "teach.reshape", broadcast_to: "teach.broadcast",
  normalize: "teach.normalize", where: "teach.where", cumsum: "teach.cumsum", top_k: "teach.topK", mean: "teach.mean", binary_cross_entropy_with_logits: "teach.binary",
};

/** Values of the update that have names of their own. */
const BY_NAME: Readonly<Record<string, PlainKey>> = {
  updated_m: "teach.m", updated_v: "teach.v", updated_parameters: "teach.updated", adam_correction: "teach.correction", updated_velocity: "teach.velocity",
};

/** Short sentences about a cell, chosen by its op and by what its expression looks like; the page knows no more of an op than this. */
export function teachings(now: Explained): PlainKey[] {
  const node = nodes.value[now.node];
  if (!node) return [];
  const found: PlainKey[] = [];
  const add = (key: PlainKey | undefined | false): void => {
    if (key && !found.includes(key)) found.push(key);
  };
  const forward = node.of == null ? undefined : nodes.value[node.of];
  const sum = sumIn(now.term);
  const elements = elementsIn(now.term);
  add(BY_NAME[node.name]);
  if (node.lane === "forward" && node.op === "conv2d_input_grad") add("teach.convTranspose");
  else if (node.lane !== "update") add(BY_OP[node.op]);
  if (node.lane === "forward" && node.op === "matmul") add("teach.matmul");
  if (node.lane === "forward" && node.op === "add" && elements.some(({ input }) => /parameter|frozen/.test(nodes.value[input]?.role ?? ""))) add("teach.bias");
  if (node.lane === "forward" && node.op === "add" && elements.length > 1 && elements.every(({ input }) => nodes.value[input]?.role === "op")) add("teach.residual");
  if (node.lane === "backward") {
    if (node.op === "matmul" && !store.scratchOpen.value) add(node.batched ? "teach.matmulInput" : "teach.matmulKernel");
    else if (node.op === "matmul") add(elements.some(({ input }) => input === forward?.inputs[1]) ? "teach.matmulLeft" : "teach.matmulRight");
    if (node.op === "sum" && forward?.op === "add") add("teach.biasSum");
    if (node.op === "sub" && forward?.op.includes("cross_entropy")) add("teach.pMinusY");
    if (node.op === "greater" && forward?.op.endsWith("relu")) add("teach.gate");
    if (node.op === "mul" && forward?.op.endsWith("relu")) add("teach.reluGrad");
    if (node.op === "mul" && (forward?.op === "sigmoid" || forward?.op === "tanh")) add("teach.slope");
    if (node.op === "dropout" || forward?.op === "dropout") add("teach.masked");
    if (elements.some(({ upstream }) => upstream)) add("teach.upstream");
    if (sum && sum.count > 1 && node.op === "add") add("teach.fanOut");
  }
  return found.slice(0, 3);
}
