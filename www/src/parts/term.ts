import { html, nothing, type TemplateResult } from "lit";
import type { Term } from "gradscope";
import { general } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import { cellOf, elementLabel, isGradient, select } from "../state/cell.js";

/** What a term writes: names and places, or numbers; both as links to their cells, or names as mere text. */
export type Style = "symbols" | "numbers" | "text";

const INFIX: Readonly<Record<string, string>> = { add: "+", sub: "−", mul: "·", div: "/", greater: ">", equal: "=" };
/** How tightly what is inside must bind to stand without brackets. */
const BINDING: Readonly<Record<string, number>> = { add: 1, sub: 1, mul: 2, div: 2, greater: 0, equal: 0 };

const NAMED: Readonly<Record<string, string>> = { sigmoid: "σ", log: "ln", sqrt: "√", normal_cdf: "Φ", maximum: "max", minimum: "min", abs: "abs" };

/** An element as a link to its cell. */
function element(term: Extract<Term, { type: "element" }>, style: Style): TemplateResult | string {
  const kind = term.upstream ? "upstream" : isGradient(term.input) ? "gradient" : "value";
  const text = style === "numbers" ? general(term.value) : elementLabel(term.input, term.element, term.upstream ? "δ" : undefined);
  if (style === "text") return text;
  return html`<button class="operand ${kind}" title=${`${elementLabel(term.input, term.element)} = ${general(term.value)}`}
    @click=${() => select(cellOf(term.input, term.element))}>${text}</button>`;
}

const bracket = (content: TemplateResult | string, needed: boolean): TemplateResult | string => (needed ? html`(${content})` : content);

/** A term on one line; sums show their first terms and how many there are. */
export function line(term: Term, style: Style, depth = 0, outer = 0): TemplateResult | string {
  switch (term.type) {
    case "element": return element(term, style);
    case "number": return general(term.value);
    case "random": return style === "numbers" ? general(term.value) : t("term.random");
    case "sum": {
      if (term.count === 0) return "0";
      if (depth > 2) return style === "numbers" || !term.terms[0] ? general(term.value) : html`Σ(${line(term.terms[0], style, depth + 1)}, …)`;
      const shown = term.terms.slice(0, depth === 0 ? 2 : 1);
      const parts = shown.map((inner, k) => html`${k ? " + " : ""}${line(inner, style, depth + 1, 1)}`);
      const more = term.count > shown.length;
      return bracket(html`${parts}${more ? html` + … <span class="n-terms">${t("terms.count", { n: term.count })}</span>` : nothing}`, outer > 1 && (more || shown.length > 1));
    }
    case "product": {
      const content = html`${term.factors.map((factor, k) => html`${k ? html` <i class="times">×</i> ` : ""}${line(factor, style, depth + 1, 2)}`)}`;
      // Two numbers stay on one line; names may be longer than it.
      const pair = style === "numbers" && term.factors.length === 2 && term.factors.every(({ type }) => type === "element" || type === "number");
      return bracket(pair ? html`<span class="factors">${content}</span>` : content, outer > 2);
    }
    case "max":
    case "argMax": {
      const shown = term.terms.slice(0, 4);
      return html`${term.type === "max" ? "max" : "argmax"}(${shown.map((inner, k) => html`${k ? ", " : ""}${line(inner, style, depth + 1)}`)}${term.count > shown.length ? ", …" : ""})`;
    }
    case "firstMax":
      return style === "numbers" ? (term.won ? "1" : "0") : html`[${line(term.own, style, depth + 1)} ${t("term.isLargest")}]`;
    case "equal": return style === "numbers" ? general(term.value) : html`[${line(term.left, style, depth + 1)} = ${line(term.right, style, depth + 1)}]`;
    case "call": {
      const operator = INFIX[term.function];
      const [first, second] = term.arguments;
      if (term.function === "neg" && first) return bracket(html`−${line(first, style, depth + 1, 2)}`, outer > 1);
      if (operator && first && second) {
        const binding = BINDING[term.function]!;
        const content = html`${line(first, style, depth + 1, binding)} ${operator} ${line(second, style, depth + 1, binding + (operator === "−" || operator === "/" ? 1 : 0))}`;
        return binding === 0 ? html`[${content}]` : bracket(content, outer > binding);
      }
      return html`${NAMED[term.function] ?? term.function}(${term.arguments.map((inner, k) => html`${k ? ", " : ""}${line(inner, style, depth + 1)}`)})`;
    }
  }
}

/** The parts of a term, where it has any: what a list can show beneath it. */
export function partsOf(term: Term): readonly Term[] {
  switch (term.type) {
    case "sum":
    case "max":
    case "argMax": return term.terms;
    case "product": return term.factors;
    case "firstMax": return [term.own, term.winner];
    case "equal": return [term.left, term.right];
    case "call": return term.arguments;
    default: return [];
  }
}

/** Whether a term is worth opening: it has more within than its line shows. */
const deep = (term: Term): boolean => partsOf(term).some((inner) => inner.type === "sum" || inner.type === "max" || inner.type === "argMax" || inner.type === "firstMax" || (inner.type === "call" && deep(inner)) || (inner.type === "product" && deep(inner)));

/** A bar from the middle, as long as a value beside the largest. */
function bar(value: number, largest: number, gradient: boolean): TemplateResult {
  const colours = palette.value;
  const share = Math.min(1, largest > 0 ? Math.abs(value) / largest : 0) * 50;
  const colour = value < 0 ? (gradient ? colours.fall : colours.negative) : gradient ? colours.rise : colours.positive;
  return html`<span class="term-bar" aria-hidden="true"><i style="width:${share}%;${value < 0 ? "right" : "left"}:50%;background:${css(colour)}"></i></span>`;
}

/** One row of the list: numbers, a bar, the value; what has more within opens. */
function row(term: Term, largest: number, gradient: boolean): TemplateResult {
  const content = html`<span class="term-line mono">${line(term, "numbers", 1)}</span>${bar(term.value, largest, gradient)}<span class="term-value mono">${general(term.value)}</span>`;
  const names = html`<span class="term-names mono">${line(term, "text", 1)}</span>`;
  if (!deep(term)) return html`<li class="term">${content}${names}</li>`;
  return html`<li><details class="term-open"><summary class="term">${content}</summary>${names}${list(term, gradient)}</details></li>`;
}

/** The terms of a sum, or the parts of anything else, as rows. */
export function list(term: Term, gradient: boolean): TemplateResult | typeof nothing {
  const parts = partsOf(term);
  if (parts.length === 0) return nothing;
  const rest = term.type === "sum" ? { n: term.count - term.terms.length, value: term.rest } : undefined;
  const largest = Math.max(...parts.map(({ value }) => Math.abs(value)), Math.abs(rest?.value ?? 0));
  return html`<ul class="terms">${parts.map((inner) => row(inner, largest, gradient))}
    ${rest && rest.n > 0 ? html`<li class="term rest"><span class="term-line">${t("terms.more", { n: rest.n })}</span>${bar(rest.value, largest, gradient)}<span class="term-value mono">${general(rest.value)}</span></li>` : nothing}</ul>`;
}

/** The sum that a term comes down to, if one is within it. */
export function sumIn(term: Term): Extract<Term, { type: "sum" }> | undefined {
  if (term.type === "sum") return term;
  for (const inner of partsOf(term)) {
    const found = sumIn(inner);
    if (found) return found;
  }
  return undefined;
}

/** The elements within a term. */
export function elementsIn(term: Term): Extract<Term, { type: "element" }>[] {
  return term.type === "element" ? [term] : partsOf(term).flatMap(elementsIn);
}
