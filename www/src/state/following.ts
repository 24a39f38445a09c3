import { effect, type ReadonlySignal } from "@preact/signals-core";
import { GradscopeError, type Session } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** Least milliseconds from one look to the next while training, and the share of the time that looks may take. */
const GAP = 300;
const SHARE = 0.25;

/**
 * Looks at the session whenever its weights, its pinned example or what `reads` reads may have changed, as long as it is seen: one look at a time, and while
 * training only now and then. What was seen of another session is forgotten. Until the returned function is called.
 */
export function following(seen: ReadonlySignal<boolean>, reads: () => void, look: (session: Session) => Promise<void>, forget: () => void): () => void {
  let of: Session | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [busy, again, over] = [false, false, false];
  let next = -Infinity;
  const turn = async (): Promise<void> => {
    clearTimeout(timer);
    const session = store.session.peek();
    if (over || !session || !seen.peek()) return;
    if (busy) return void (again = true);
    const wait = store.status.peek() === "training" ? next - performance.now() : 0;
    if (wait > 0) return void (timer = setTimeout(turn, wait));
    busy = true;
    const began = performance.now();
    try {
      await look(session);
    } catch (error) {
      // A lost GPU and a dead worker say so themselves.
      const told = error instanceof GradscopeError && ["device_lost", "worker_died"].includes(error.code);
      if (!over && store.session.peek() === session && !told) fail(error);
    }
    next = performance.now() + Math.max(GAP, (performance.now() - began) / SHARE);
    busy = false;
    if (again) {
      again = false;
      void turn();
    }
  };
  const stop = effect(() => {
    void [seen.value, store.session.value, store.pinned.value, store.weights.value, store.status.value, store.frame.value];
    reads();
    if (store.session.value !== of) forget();
    of = store.session.value;
    void turn();
  });
  return () => {
    over = true;
    clearTimeout(timer);
    stop();
  };
}
