import { effect, signal } from "@preact/signals-core";
import { html, LitElement } from "lit";

/**
 * A component of the page: it renders into the page's own tree, so that one style sheet and `aria-*` references reach it, and renders
 * again when a signal that its `render` read has changed.
 */
export abstract class View extends LitElement {
  #stop: (() => void) | undefined;
  #unfollow: (() => void) | undefined;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override performUpdate(): void {
    if (!this.isUpdatePending) return;
    this.#stop?.();
    // One that was taken off the page in the meantime would follow its signals for ever.
    if (!this.isConnected) return super.performUpdate();
    let first = true;
    this.#stop = effect(() => {
      if (first) {
        first = false;
        super.performUpdate();
      } else {
        this.requestUpdate();
      }
    });
  }

  /** What to follow while it is on the page; the returned function ends that. */
  protected follow(): (() => void) | undefined {
    return undefined;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unfollow = this.follow();
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unfollow?.();
    this.#stop?.();
    this.#unfollow = this.#stop = undefined;
  }
}

/** A component whose arrangement depends on its width, which it follows. */
export abstract class WideView extends View {
  protected readonly width = signal(800);
  readonly #observer = new ResizeObserver(([entry]) => (this.width.value = entry!.contentRect.width || 800));

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }
}

/** A name that may go on in a second line behind a joint. */
export const breakable = (name: string): unknown => name.split(/(?<=[_·/])/).map((part) => html`${part}<wbr>`);
