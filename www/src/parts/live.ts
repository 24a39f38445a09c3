import { effect } from "@preact/signals-core";
import { View } from "../lib/view.js";
import * as store from "../state/store.js";

/** A component that reads the session anew whenever its weights may be others. */
export abstract class LiveView extends View {
  #unwatch: (() => void) | undefined;

  /** Forgets what was read of a session before. */
  protected abstract clear(): void;
  /** Reads the session; at most one reading is under way, whatever comes meanwhile asks for one more. */
  protected abstract refresh(): void;

  override connectedCallback(): void {
    super.connectedCallback();
    this.clear();
    this.#unwatch = effect(() => {
      void store.session.value;
      void store.weights.value;
      void store.frame.value;
      this.refresh();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
  }
}
