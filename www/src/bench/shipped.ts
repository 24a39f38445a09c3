// The table that is shipped: what `cargo xtask bench --keep` measured.

import { signal } from "@preact/signals-core";
import type { Network } from "./run.js";

export interface Shipped {
  date: string;
  browser: string;
  cores: number;
  cpu: string;
  workloads: readonly { name: Network; rows: readonly { contender: string; ms: number; share?: number; first?: number }[] }[];
}

export const shipped = signal<Shipped | undefined>(undefined);

/** Without it the page only lacks what to compare with. */
export async function loadShipped(): Promise<void> {
  const answer = await fetch(new URL("../assets/bench.json", import.meta.url)).catch(() => undefined);
  if (answer?.ok) shipped.value = (await answer.json()) as Shipped;
}
