import { Connection, type Buffers, type Places } from "./connection.js";
import type { SessionOptions } from "./generated/protocol.js";

/** Words of the memory that workers share, as the engine lays it out: one that ends the team, and those that its workers wait on. */
const BROKEN = 1;
const WAITED_ON = [0, 2];

/** Workers that train beside the first one. */
export interface Team {
  /** How many train, the first one included. */
  size: number;
  /** Ends them. */
  close(): void;
}

const ALONE: Team = { size: 1, close: () => undefined };

/**
 * Opens as many workers more as make `size`, each with its own engine, data and copy of the session, and lets them train with the first. Where
 * the page is not cross-origin isolated workers cannot share memory: the first one then trains alone, as it does where they do not start.
 */
export async function gather(leader: Connection, size: number, places: Places, options: SessionOptions, buffers: Buffers): Promise<Team> {
  if (size <= 1 || !globalThis.crossOriginIsolated) return ALONE;
  const others = Array.from({ length: size - 1 }, () => new Connection(places));
  const close = (): void => others.forEach((other) => other.close());
  leader.onDeath(close);
  try {
    await Promise.all(others.map((other) => other.request({ type: "create", options: { ...options, backend: "cpu" } }, buffers)));
    const shared = (await leader.request({ type: "lead", workers: size })).ok as SharedArrayBuffer;
    const control = new Int32Array(shared, 0, 8);
    const breakUp = (): void => {
      Atomics.store(control, BROKEN, 1);
      for (const word of WAITED_ON) Atomics.notify(control, word);
    };
    for (const other of others) other.onDeath(breakUp);
    try {
      await Promise.all(others.map((other, k) => other.request({ type: "follow", rank: k + 1 }, [control])));
    } catch (error) {
      breakUp();
      throw error;
    }
    return { size, close };
  } catch {
    close();
    return ALONE;
  }
}
