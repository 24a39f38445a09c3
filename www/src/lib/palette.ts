import { computed } from "@preact/signals-core";
import { shownTheme } from "../state/settings.js";

type RGB = readonly [number, number, number];

interface Palette {
  /** What zero looks like. */
  zero: RGB;
  positive: RGB;
  negative: RGB;
  /** Gradients: green above zero, purple below. */
  rise: RGB;
  fall: RGB;
  nan: RGB;
  ink: RGB;
  dim: RGB;
  line: RGB;
  validation: RGB;
  test: RGB;
}

const LIGHT: Palette = {
  zero: [250, 250, 248], positive: [217, 95, 14], negative: [33, 102, 197], rise: [32, 134, 74], fall: [126, 63, 190], nan: [208, 30, 50],
  ink: [27, 29, 34], dim: [96, 99, 108], line: [224, 224, 219], validation: [13, 128, 118], test: [168, 50, 130],
};
const DARK: Palette = {
  zero: [30, 32, 38], positive: [255, 150, 76], negative: [96, 165, 255], rise: [84, 206, 134], fall: [190, 140, 255], nan: [255, 70, 90],
  ink: [236, 236, 238], dim: [157, 161, 172], line: [48, 51, 60], validation: [80, 205, 190], test: [240, 130, 205],
};

/** The colours of canvases, which style sheets do not reach; `styles/theme.css` has the same. */
export const palette = computed(() => (shownTheme.value === "dark" ? DARK : LIGHT));

export const css = ([r, g, b]: RGB, alpha = 1): string => `rgb(${r} ${g} ${b} / ${alpha})`;

const pack = ([r, g, b]: RGB): number => (255 << 24) | (b << 16) | (g << 8) | r;

/**
 * Colour of a value in [-1, 1]: blue below zero, orange above; of a gradient purple and green. A little steeper near zero, so that small
 * values are seen.
 */
export function diverging(value: number, colours: Palette = palette.value, gradient = false): RGB {
  if (!Number.isFinite(value)) return colours.nan;
  const end = value < 0 ? (gradient ? colours.fall : colours.negative) : gradient ? colours.rise : colours.positive;
  const t = Math.min(1, Math.abs(value)) ** 0.8;
  return colours.zero.map((from, k) => Math.round(from + (end[k]! - from) * t)) as unknown as RGB;
}

const bytes = (gradient: boolean) => computed(() => {
  const colours = palette.value;
  return Uint32Array.from({ length: 256 }, (_, byte) => pack(diverging(byte === 0 ? NaN : (byte - 128) / 127, colours, gradient)));
});

/** The packed colour of each byte of an atlas: 1 is -scale, 128 zero, 255 +scale, 0 NaN or infinite. */
export const byteColours = bytes(false);
/** The same for gradients. */
export const gradientColours = bytes(true);
