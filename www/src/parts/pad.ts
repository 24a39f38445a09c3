import { effect } from "@preact/signals-core";
import { centreDigit } from "../lib/centre.js";
import { framed } from "../lib/latest.js";
import { t } from "../messages/index.js";

/** Side of the pad's own pixels. */
const SIDE = 208;
const PEN = 17;

/** A pad to draw a digit on. It sends `drawn` with the picture as MNIST would have it, at most ten times a second. */
class Pad extends HTMLElement {
  readonly #canvas = document.createElement("canvas");
  #context!: CanvasRenderingContext2D;
  #stop: (() => void) | undefined;

  readonly #send = framed(() => {
    const { data } = this.#context.getImageData(0, 0, SIDE, SIDE);
    const ink = Float32Array.from({ length: SIDE * SIDE }, (_, k) => data[4 * k]! / 255);
    const digit = centreDigit(ink, SIDE);
    if (digit) this.dispatchEvent(new CustomEvent("drawn", { detail: digit, bubbles: true }));
  }, 100);

  connectedCallback(): void {
    const canvas = this.#canvas;
    [canvas.width, canvas.height] = [SIDE, SIDE];
    canvas.setAttribute("role", "img");
    this.#context = canvas.getContext("2d", { willReadFrequently: true })!;
    Object.assign(this.#context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    this.append(canvas);
    this.#stop = effect(() => canvas.setAttribute("aria-label", t("pad.label")));
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#context.beginPath();
      this.#line(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      const events = event.getCoalescedEvents();
      for (const part of events.length ? events : [event]) this.#line(part);
    });
  }

  disconnectedCallback(): void {
    this.#stop?.();
  }

  /** Wipes the pad. */
  clear(): void {
    this.#context.clearRect(0, 0, SIDE, SIDE);
  }

  #line(event: PointerEvent): void {
    const box = this.#canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    this.#context.lineTo(x, y);
    // A press alone is a dot: nothing is drawn of a line without length.
    this.#context.lineTo(x + 0.01, y);
    this.#context.stroke();
    this.#context.beginPath();
    this.#context.moveTo(x, y);
    this.#send();
  }
}
customElements.define("gs-pad", Pad);
