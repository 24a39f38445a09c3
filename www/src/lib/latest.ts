/** Runs `work` at most one at a time; calls that come meanwhile become one more run at its end. */
export function latest(work: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        await work();
      } while (again);
    } finally {
      running = false;
    }
  };
  return () => void run();
}

/** Runs `draw` in the next frame, once however often it is asked for, and not more often than every `gap` milliseconds. */
export function framed(draw: () => void, gap = 0): () => void {
  let asked = false;
  let last = -Infinity;
  const frame = (now: number): void => {
    if (now - last < gap) {
      requestAnimationFrame(frame);
      return;
    }
    asked = false;
    last = now;
    draw();
  };
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(frame);
  };
}
