import type { Distribution } from "gradscope";
import { css, palette } from "./palette.js";
import { shownTheme } from "../state/settings.js";

type Colour = readonly [number, number, number];

/** Colours of gradients, below zero and above: green and purple, as values are blue and orange. */
const GRADIENT: Record<"light" | "dark", readonly [Colour, Colour]> = {
  light: [[126, 63, 190], [24, 128, 72]],
  dark: [[190, 140, 255], [95, 208, 142]],
};

/** A share of all numbers in one bin that has the full colour. */
const FULL = 0.15;

/** Room of an empty side, by that of a full one. */
const SLIVER = 0.08;

/** The magnitude that a strip's edges stand for: far enough for nearly all, not so far that a few make the rest invisible. */
export const scaleOf = (columns: readonly Distribution[]): number =>
  columns.reduce((most, { limit, mean, std }) => Math.max(most, Math.min(limit, Math.abs(mean) + 5 * std)), 0);

/** How wide one of so many columns is. */
export const columnWidth = (columns: number, width: number): number => Math.min(24, width / Math.max(1, columns));

/** Draws histograms side by side, the oldest at the left: positive numbers above the middle, negative ones below, many of them in full colour. */
export function drawStrip(
  context: CanvasRenderingContext2D, columns: readonly (Distribution | undefined)[], kind: "value" | "gradient", width: number, height: number,
): void {
  const { positive, negative, ink, line } = palette.peek();
  const [below, above] = kind === "value" ? [negative, positive] : GRADIENT[shownTheme.peek()];
  const scale = scaleOf(columns.filter((of) => of !== undefined));
  const wide = columnWidth(columns.length, width);
  // A side on which there are no numbers, as below a ReLU, gets little room.
  const has = (from: number, to?: number): boolean => columns.some((of) => of?.bins.slice(from, to).some((n) => n > 0));
  const half = columns.find((of) => of)?.bins.length ?? 0;
  const [up, down] = [has(Math.ceil(half / 2)) ? 1 : SLIVER, has(0, Math.floor(half / 2)) ? 1 : SLIVER];
  const unit = height / (up + down);
  const zero = up * unit;
  columns.forEach((of, k) => {
    if (!of || scale === 0) return;
    const total = of.bins.reduce((sum, n) => sum + n, 0) || 1;
    const middle = (of.bins.length - 1) / 2;
    const high = of.limit > 0 ? ((of.limit / scale) * 2 * unit) / of.bins.length : SLIVER * unit;
    of.bins.forEach((n, bin) => {
      if (n === 0) return;
      const strength = Math.max(0.08, Math.min(1, Math.sqrt(n / total / FULL)));
      context.fillStyle = css(bin === middle ? ink : bin > middle ? above : below, bin === middle ? strength * 0.55 : strength);
      const y = zero - (bin - middle + 0.5) * high;
      // Each bin is at least half a pixel high, or a narrow histogram would not be seen.
      if (y + high > 0 && y < height) context.fillRect(k * wide, y, Math.max(1, wide - 0.5), Math.max(0.5, high));
    });
  });
  context.fillStyle = css(line);
  if (columns.length * wide < width) context.fillRect(columns.length * wide, Math.round(zero), width, 1);
}
