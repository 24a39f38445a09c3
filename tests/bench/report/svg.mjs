// Charts as SVG, readable on light and on dark ground: no script, no font of its own.

import { number } from "./table.mjs";

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #3c3f46 }
  .title { font-weight: 600; font-size: 13px }
  .dim { fill: #6b6e77 } .grid { stroke: #d9d9d4 } .axis { stroke: #8a8c92 }
  .ours { fill: #d95f0e } .peer { fill: #7c8cab } .whisker { stroke: #3c3f46; stroke-width: 1.5 }
  .l0 { stroke: #d95f0e; fill: #d95f0e } .l1 { stroke: #2166c5; fill: #2166c5 } .l2 { stroke: #20864a; fill: #20864a } .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #d4d6dc } .dim { fill: #9da1ac } .grid { stroke: #31343c } .axis { stroke: #6d717c }
    .ours { fill: #ff964c } .peer { fill: #7f8fb0 } .whisker { stroke: #d4d6dc }
    .l0 { stroke: #ff964c; fill: #ff964c } .l1 { stroke: #60a5ff; fill: #60a5ff } .l2 { stroke: #54ce86; fill: #54ce86 } .line { fill: none }
  }`;

const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const text = (x, y, content, attributes = "") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escape(content)}</text>`;
const line = (x1, y1, x2, y2, kind) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" class="${kind}"/>`;

const document = (width, height, title, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}"><style>${STYLE}</style>\n${parts.join("\n")}\n</svg>\n`;

/** Powers of ten from below the least to above the largest. */
const decades = (values) => {
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  return Array.from({ length: Math.max(high - low, 1) + 1 }, (_, k) => 10 ** (low + k));
};

const scale = (ticks, from, to) => (value) => from + ((Math.log10(value) - Math.log10(ticks[0])) / (Math.log10(ticks.at(-1)) - Math.log10(ticks[0]))) * (to - from);

/** Bars along a logarithmic axis, each with what was least and most: `{ label, ms: { median, min, max }, ours }`. */
export function bars(title, rows) {
  const [width, left, top, row] = [720, 220, 48, 24];
  const height = top + rows.length * row + 28;
  const ticks = decades(rows.flatMap(({ ms }) => [ms.min, ms.max]));
  const x = scale(ticks, left, width - 76);
  const grid = ticks.flatMap((tick) => [line(x(tick), top - 6, x(tick), height - 24, "grid"), text(x(tick), height - 8, `${number(tick)} ms`, 'text-anchor="middle" class="dim"')]);
  const drawn = rows.flatMap(({ label, ms, ours }, k) => {
    const y = top + k * row;
    return [
      text(left - 8, y + 14, label, 'text-anchor="end"'),
      `<rect x="${left}" y="${y + 3}" width="${Math.max(1, x(ms.median) - left).toFixed(1)}" height="${row - 9}" class="${ours ? "ours" : "peer"}"/>`,
      line(x(ms.min), y + 10.5, x(ms.max), y + 10.5, "whisker"),
      text(Math.max(x(ms.max), x(ms.median)) + 6, y + 14, number(ms.median), 'class="dim"'),
    ];
  });
  return document(width, height, title, [text(8, 20, title, 'class="title"'), ...grid, ...drawn]);
}

/** Lines over two logarithmic axes: `{ label, points: [{ at, ms }] }`. */
export function lines(title, axis, series) {
  const [width, height, left, right, top, bottom] = [720, 320, 72, 90, 40, 44];
  const points = series.flatMap(({ points }) => points);
  const xs = [...new Set(points.map(({ at }) => at))].sort((a, b) => a - b);
  const ticks = decades(points.map(({ ms }) => ms));
  const x = scale([xs[0], xs.at(-1)], left, width - right);
  const y = scale(ticks, height - bottom, top);
  const parts = [
    text(8, 20, title, 'class="title"'), text(width - right, height - 8, axis, 'text-anchor="end" class="dim"'),
    ...ticks.flatMap((tick) => [line(left, y(tick), width - right, y(tick), "grid"), text(left - 8, y(tick) + 4, `${number(tick)} ms`, 'text-anchor="end" class="dim"')]),
    ...xs.map((at) => text(x(at), height - bottom + 16, String(at), 'text-anchor="middle" class="dim"')),
    line(left, height - bottom, width - right, height - bottom, "axis"),
    ...series.flatMap(({ label, points }, k) => points.length === 0 ? [] : [
      `<polyline points="${points.map(({ at, ms }) => `${x(at).toFixed(1)},${y(ms).toFixed(1)}`).join(" ")}" class="line l${k}"/>`,
      ...points.map(({ at, ms }) => `<circle cx="${x(at).toFixed(1)}" cy="${y(ms).toFixed(1)}" r="3" class="l${k}"><title>${number(ms)} ms</title></circle>`),
      text(x(points.at(-1).at) + 8, y(points.at(-1).ms) + 4, label),
    ]),
  ];
  return document(width, height, title, parts);
}
