import { signal } from "@preact/signals-core";
import { View } from "./view.js";

/** What is so far from being seen is got ready. */
const NEAR = "300px";

/** A component that knows whether it is in sight, so that nothing need be asked for what nobody looks at. */
export abstract class SeenView extends View {
  protected readonly seen = signal(false);
  readonly #sight = new IntersectionObserver((entries) => (this.seen.value = entries.at(-1)!.isIntersecting), { scrollMargin: NEAR });

  override connectedCallback(): void {
    super.connectedCallback();
    this.#sight.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sight.disconnect();
    this.seen.value = false;
  }
}
