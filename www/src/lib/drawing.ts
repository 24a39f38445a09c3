import { effect } from "@preact/signals-core";
import { prepare } from "./draw.js";
import { framed } from "./latest.js";

/**
 * An element that is one canvas. It is drawn in an animation frame, at most once however many of the signals that `reads` names have
 * changed, and anew when its size changes; while it is scrolled out of sight it is not drawn at all.
 */
export abstract class Drawing extends HTMLElement {
  readonly canvas = document.createElement("canvas");
  readonly #observer = new ResizeObserver(() => {
    // Read where the layout is known: asked for in a frame, each drawing would have the page laid out anew.
    [this.#width, this.#height] = [this.clientWidth, this.clientHeight];
    this.redraw();
  });
  #width = 0;
  #height = 0;
  readonly #sight = new IntersectionObserver((entries) => {
    this.#seen = entries.at(-1)!.isIntersecting;
    if (this.#seen) this.redraw();
  });
  #seen = false;
  #stop: (() => void) | undefined;

  /** Reads every signal that the picture depends on, and returns what the picture shows, in words. */
  protected abstract reads(): string;
  /** Asked after `reads`: whether the picture is another one now. It may read signals, too. */
  protected differs(): boolean {
    return true;
  }
  /** Draws into a box of that many CSS pixels. */
  protected abstract draw(context: CanvasRenderingContext2D, width: number, height: number): void;
  /** The height for a width; by default what the style sheet gives. */
  protected heightFor(_width: number): number {
    return this.#height;
  }

  readonly redraw = framed(() => {
    const width = this.#width;
    if (!this.isConnected || !this.#seen || width === 0) return;
    const height = Math.round(this.heightFor(width));
    this.canvas.style.height = `${height}px`;
    if (height > 0) this.draw(prepare(this.canvas, width, height), width, height);
  }, 30);

  connectedCallback(): void {
    if (!this.canvas.isConnected) {
      this.canvas.setAttribute("role", "img");
      this.append(this.canvas);
    }
    this.#observer.observe(this);
    this.#sight.observe(this);
    this.#stop = effect(() => {
      this.canvas.setAttribute("aria-label", this.reads());
      if (this.differs()) this.redraw();
    });
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    this.#sight.disconnect();
    this.#stop?.();
  }
}
