/** Softmax and cross-entropy step by step, as a textbook writes them out: what the one operation of the engine never puts in memory. */
export interface WrittenOut {
  /** max z. */
  most: number;
  /** z − max z. */
  shifted: number[];
  /** e^(z − max z). */
  powers: number[];
  /** Σ e^(z − max z). */
  total: number;
  /** e^(z − max z) / Σ. */
  p: number[];
  /** −t ln p, which add up to the loss. */
  losses: number[];
  loss: number;
  /** ∂L/∂p = −t / p. */
  toP: number[];
  /** ∂p_k/∂z_j = p_k ([k = j] − p_j). */
  slope(k: number, j: number): number;
  /** ∂L/∂z_j = Σ_k ∂L/∂p_k ∂p_k/∂z_j, added term by term. */
  toZ: number[];
}

/** For logits z and targets t of one example. A class without a target has no part in the loss, however small its probability. */
export function writtenOut(z: ArrayLike<number>, t: readonly number[]): WrittenOut {
  const logits = Array.from(z);
  const add = (terms: readonly number[]): number => terms.reduce((sum, term) => sum + term, 0);
  const most = Math.max(...logits);
  const shifted = logits.map((z) => z - most);
  const powers = shifted.map(Math.exp);
  const total = add(powers);
  const p = powers.map((power) => power / total);
  const losses = p.map((p, k) => (t[k] ? -t[k]! * Math.log(p) : 0));
  const toP = p.map((p, k) => (t[k] ? -t[k]! / p : 0));
  const slope = (k: number, j: number): number => p[k]! * ((k === j ? 1 : 0) - p[j]!);
  const toZ = p.map((_, j) => add(toP.map((to, k) => (to === 0 ? 0 : to * slope(k, j)))));
  return { most, shifted, powers, total, p, losses, loss: add(losses), toP, slope, toZ };
}
