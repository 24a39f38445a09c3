import { html, nothing, svg } from "lit";
import type { ScratchNode, ScratchReport } from "gradscope";
import { layered, type Box } from "../lib/dag.js";
import { brief, shape } from "../lib/format.js";
import { WideView } from "../lib/view.js";
import { t } from "../messages/index.js";
import * as scratch from "../state/scratch.js";

/** Most rows and columns of a tensor that a box shows, and their size. */
const MOST = 4;
const CELL = { width: 54, height: 18 };
const HEAD = 40;
const PADDING = 8;

const INFIX: Readonly<Record<string, string>> = { add: "+", sub: "−", mul: "×", div: "/", pow: "^", matmul: "@" };

/** Rows and columns that are shown of a tensor's last two axes, or of its longer ones where it has more and others are 1. */
function extents({ shape: sizes }: ScratchNode): { rows: number; columns: number; of: number; cut: boolean } {
  const axes = [...sizes];
  while (axes.length > 2 && axes.includes(1)) axes.splice(axes.indexOf(1), 1);
  const [rows, columns] = axes.length > 1 ? [axes.at(-2)!, axes.at(-1)!] : [1, axes.at(-1) ?? 1];
  const cut = rows > MOST || columns > MOST || axes.length > 2;
  return { rows: Math.min(rows, MOST), columns: Math.min(columns, MOST), of: columns, cut };
}

/** A graph as it is drawn: written numbers stand in the box that takes them. */
export interface Drawn {
  nodes: readonly { node: ScratchNode; id: number; name: string; text: string }[];
  inputs: readonly (readonly number[])[];
}

export function drawn({ nodes, statements }: ScratchReport): Drawn {
  const names = new Map(statements.filter(({ name }) => name).map(({ node, name }) => [node, name]));
  const label = (id: number): string => {
    const { op, value } = nodes[id]!;
    return op === "constant" ? brief(value[0]) : (names.get(id) ?? "·");
  };
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  // A number is written where it is used; a step size that nothing uses is no part of the graph.
  const shown = ({ op }: ScratchNode, id: number): boolean => (op === "constant" ? !used.has(id) : op !== "scalar" || used.has(id));
  const ids = nodes.map((_, id) => id).filter((id) => shown(nodes[id]!, id));
  const position = new Map(ids.map((id, k) => [id, k]));
  const text = ({ op, inputs }: ScratchNode): string => {
    if (op === "variable" || op === "data" || op === "scalar" || op === "constant") return t(`scratch.${op}`);
    const sign = INFIX[op];
    const parts = inputs.map(label);
    return sign && parts.length === 2 ? parts.join(` ${sign} `) : op === "neg" ? `−${parts[0]}` : `${op}(${parts.join(", ")})`;
  };
  return {
    nodes: ids.map((id) => ({ id, node: nodes[id]!, name: names.get(id) ?? "", text: text(nodes[id]!) })),
    inputs: ids.map((id) => nodes[id]!.inputs.flatMap((input) => position.get(input) ?? [])),
  };
}

/** A graph that is too wide is shown smaller, down to this; what is wider still is scrolled. */
const SMALLEST = 0.75;
/** Room around it. */
const MARGIN = 32;

/** The program's graph, left to right: each value in the upper half of its box, its gradient in the lower. */
class ScratchGraph extends WideView {
  #grid(node: ScratchNode, values: readonly number[] | null | undefined, kind: "value" | "gradient") {
    const { rows, columns, of } = extents(node);
    if (!values) return html`<div class="cells hatch" style="height:${rows * CELL.height}px"><span>${t("scratch.noGradient")}</span></div>`;
    const most = Math.max(...values.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE);
    const colour = (value: number | undefined): string => {
      if (value === undefined) return "";
      if (!Number.isFinite(value)) return "background:color-mix(in srgb, var(--bad) 40%, transparent)";
      const [above, below] = kind === "value" ? ["--positive", "--negative"] : ["--rise", "--fall"];
      return `background:color-mix(in srgb, var(${value < 0 ? below : above}) ${Math.round((38 * Math.abs(value)) / most)}%, transparent)`;
    };
    const cells = Array.from({ length: rows * columns }, (_, k) => values[Math.floor(k / columns) * of + (k % columns)]);
    return html`<div class="cells ${kind}" style="grid-template-columns:repeat(${columns}, 1fr)">${cells.map((value) => html`<span style=${colour(value)}>${brief(value)}</span>`)}</div>`;
  }

  override render() {
    const report = scratch.report.value;
    if (!report) return nothing;
    const { nodes, inputs } = drawn(report);
    const boxes = nodes.map(({ node, name, text }): Box => {
      const { rows, columns } = extents(node);
      const letters = Math.max(text.length, name.length + shape(node.shape).length + 3);
      return { width: 2 * PADDING + Math.max(columns * CELL.width, Math.min(224, letters * 6.8), 84), height: HEAD + 2 * rows * CELL.height + 11 };
    });
    const { width, height, at, edges } = layered(boxes, inputs);
    return html`<div class="graph-scroll" tabindex="0" role="region" aria-label=${t("scratch.graph", { n: nodes.length })}>
      <div class="graph ${scratch.mistake.value ? "stale" : ""}" style="width:${width}px;height:${height}px;zoom:${Math.min(1, Math.max(SMALLEST, this.width.value / (width + MARGIN)))}">
        <svg width=${width} height=${height} aria-hidden="true">
          <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 1 7 4 0 7z"></path></marker></defs>
          ${edges.map(({ path }) => svg`<path class="edge" d=${path} marker-end="url(#arrow)"></path>`)}
        </svg>
        ${nodes.map(({ id, node, name, text }, k) => html`<div class="node of-${node.op} ${id === report.loss ? "loss" : ""}" title=${node.name}
          style="left:${at[k]!.x}px;top:${at[k]!.y}px;width:${boxes[k]!.width}px;height:${boxes[k]!.height}px">
          <p><b>${name || (node.inputs.length ? html`<i>${node.op}</i>` : nothing)}</b><span>${node.shape.length ? shape(node.shape) : ""}${extents(node).cut ? "…" : ""}</span></p>
          <p class="text">${text}</p>
          ${this.#grid(node, node.value, "value")}${this.#grid(node, node.gradient, "gradient")}
        </div>`)}
      </div>
    </div>`;
  }
}
customElements.define("gs-scratch-graph", ScratchGraph);
