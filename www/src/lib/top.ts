/** Where the `most` largest of some numbers stand, the largest first; of equal ones the first. What is no number is passed over. */
export function top(values: ArrayLike<number>, most: number): number[] {
  const found: number[] = [];
  if (most < 1) return found;
  for (let k = 0; k < values.length; k++) {
    const value = values[k]!;
    if (Number.isNaN(value) || (found.length === most && !(value > values[found.at(-1)!]!))) continue;
    if (found.length === most) found.pop();
    // The list is short, and mostly nothing gets so far.
    const place = found.findIndex((other) => values[other]! < value);
    found.splice(place < 0 ? found.length : place, 0, k);
  }
  return found;
}
