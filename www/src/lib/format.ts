import { computed } from "@preact/signals-core";
import { language } from "../state/settings.js";

const of = (options: Intl.NumberFormatOptions) => computed(() => new Intl.NumberFormat(language.value, options));

const whole = of({ maximumFractionDigits: 0 });
const percents = of({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const finePercents = of({ style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const significant = of({ maximumSignificantDigits: 4 });
const compact = of({ notation: "compact", maximumSignificantDigits: 3 });

/** What stands where no number has been computed: never a zero. */
export const NONE = "–";

const known = (value: number | null | undefined): value is number => value !== undefined && value !== null;
const finite = (value: number): string | undefined =>
  Number.isNaN(value) ? "NaN" : value === Infinity ? "+∞" : value === -Infinity ? "−∞" : undefined;

/** 93322 -> "93,322". */
export const count = (value: number | null | undefined): string =>
  known(value) ? (finite(value) ?? whole.value.format(value)) : NONE;

/** 0.98754 -> "98.75 %", or with one digit. */
export const percent = (value: number | null | undefined, fine = false): string =>
  known(value) ? (finite(value) ?? (fine ? finePercents : percents).value.format(value)) : NONE;

/** A number with so many decimals and a true minus sign. */
export const fixed = (value: number | null | undefined, digits = 4): string =>
  known(value) ? (finite(value) ?? value.toFixed(digits).replace("-", "−")) : NONE;

/** Four significant digits; powers of ten where the number is very small or large. */
export function general(value: number | null | undefined): string {
  if (!known(value)) return NONE;
  const special = finite(value);
  if (special) return special;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2).replace("-", "−").replace("e+", "e").replace("e-", "e−");
  return significant.value.format(value).replace("-", "−");
}

/** As `general`, in no more than eight letters. */
export function narrow(value: number | null | undefined): string {
  const text = general(value);
  return text.length <= 8 || !known(value) ? text : value.toExponential(2).replace("-", "−").replace("e+", "e").replace("e-", "e−");
}

/** Two or three significant digits in no more than seven letters: for the cells of small tensors. */
export function brief(value: number | null | undefined): string {
  if (!known(value)) return NONE;
  const special = finite(value);
  if (special) return special;
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(1).replace("e+", "e").replace("e-", "e−") : String(Number(value.toPrecision(size >= 100 ? 5 : size < 0.01 ? 2 : 3)));
  return text.replace("-", "−");
}

/** 1.23e9 -> "1.23B". */
export const short = (value: number): string => compact.value.format(value);

/** [26, 26, 32] -> "26×26×32". */
export const shape = (sizes: readonly number[] | null | undefined): string => (sizes ? sizes.join("×") : NONE);

/** 47040016 -> "47 MB", 2.1e9 -> "2.1 GB". */
export function bytes(count: number): string {
  const [unit, name] = ([[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] as const).find(([least]) => count >= least) ?? [1, "B"];
  return `${significant.value.format(count / unit)} ${name}`;
}

/** 47040016 -> "47.0 MB". */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Seconds as "51 s" or "3:07". */
export function duration(seconds: number | null | undefined): string {
  if (!known(seconds) || !Number.isFinite(seconds)) return NONE;
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

/** A number in at most so many characters, as fine as they allow. */
export function fitted(value: number, characters: number): string {
  const special = finite(value);
  if (special) return special;
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? 1 : 0;
  if (characters <= 4 && size < 1) {
    // Too narrow for a leading zero or a power of ten.
    const digits = characters - sign - 1;
    return size < 0.5 * 10 ** -digits ? "≈0" : value.toFixed(digits).replace("-", "−").replace("0.", ".");
  }
  const digits = Math.min(4, characters - sign - 1 - Math.max(1, Math.floor(Math.log10(size)) + 1));
  if (size >= 10 ** (characters - sign) || (digits > 0 ? size < 0.5 * 10 ** -digits : size < 0.5)) {
    return value.toExponential(characters - sign >= 7 ? 1 : 0).replace("-", "−").replace("e+", "e").replace("e-", "e−");
  }
  return value.toFixed(Math.max(0, digits)).replace("-", "−");
}
