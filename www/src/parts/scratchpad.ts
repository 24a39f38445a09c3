import { html, nothing } from "lit";
import type { GradscopeError, ScratchNode } from "gradscope";
import style from "../../styles/scratchpad.css";
import { brief, shape } from "../lib/format.js";
import { exampleOf, PROGRAM_NAMES, PROGRAMS, type Program } from "../lib/programs.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { errorText, hintText, lesson, t } from "../messages/index.js";
import * as scratch from "../state/scratch.js";
import { walk } from "../state/walk.js";
import { icons } from "./icons.js";
import "./scratchgraph.js";

adopt(style);

/** Most numbers of a tensor that a row of the table shows. */
const IN_ROW = 6;

/** Where a mistake stands: line and column from 0, and its width in characters. */
const placeOf = ({ args }: GradscopeError): { line: number; column: number; width: number } => ({
  line: Number(args.line) - 1,
  column: Number(args.column) - 1,
  width: Number(args.width),
});

/** The editor of a small program. */
class ScratchProgram extends View {
  #type = (event: Event): void => scratch.edit((event.target as HTMLTextAreaElement).value);

  #key = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    scratch.run();
  };

  #choose = (event: Event): void => {
    scratch.choose(PROGRAMS[(event.target as HTMLSelectElement).value as Program]);
  };

  /** The same text behind the editor gives it its size, and marks the mistake. */
  #backdrop(source: string, mistake: GradscopeError | undefined) {
    if (!mistake) return html`<pre aria-hidden="true">${source}${"\n"}</pre>`;
    const { line, column, width } = placeOf(mistake);
    const lines = source.split("\n");
    const before = lines.slice(0, line).map((text) => `${text}\n`).join("");
    const letters = [...(lines[line] ?? "")];
    const marked = letters.slice(column, column + width).join("") || " ";
    const after = [letters.slice(column + width).join(""), ...lines.slice(line + 1)].join("\n");
    return html`<pre aria-hidden="true">${before}${letters.slice(0, column).join("")}<mark>${marked}</mark>${after}${"\n"}</pre>`;
  }

  #mistake(mistake: GradscopeError) {
    const { line, column } = placeOf(mistake);
    // The line with its carets; the hint behind them is English, the page has its own.
    const picture = mistake.args.caret!.split("\n").map((text, k) => (k === 1 ? text.replace(/(\^+).*/, "$1") : text)).join("\n");
    const hint = hintText(mistake);
    return html`<div class="mistake" id="mistake" role="alert">
      <p>${icons.warn}<span><b>${t("scratch.at", { line: line + 1, column: column + 1 })}</b> ${errorText(mistake)}</span></p>
      <pre>${picture}</pre>
      ${hint ? html`<p class="hint">${hint}</p>` : nothing}</div>`;
  }

  #example(example: Program) {
    const claims = example === "hand" ? lesson("backprop-by-hand")?.claims : undefined;
    return html`<p class="about">${t(`scratch.about.${example}`)}</p>
      ${claims
        ? html`<table class="claims"><thead><tr><th scope="col">${t("explain.what")}</th><th scope="col">${t("explain.article")}</th><th scope="col">${t("explain.truth")}</th></tr></thead>
            <tbody>${claims.map(({ what, article, truth }) => html`<tr><th scope="row">${what}</th><td>${article}</td><td>${truth}</td></tr>`)}</tbody></table>`
        : nothing}`;
  }

  #row(values: readonly number[] | null | undefined): string {
    if (!values) return "–";
    return values.slice(0, IN_ROW).map((value) => brief(value)).join("  ") + (values.length > IN_ROW ? "  …" : "");
  }

  #table() {
    const report = scratch.report.value;
    if (!report) return nothing;
    const rows = report.statements.map(({ node, name }) => ({ name, node: report.nodes[node] as ScratchNode }));
    return html`<details><summary>${t("scratch.table")}</summary><div class="scroll-x"><table class="numbers">
      <thead><tr><th scope="col">${t("scratch.name")}</th><th scope="col">${t("scratch.shape")}</th><th scope="col">${t("scratch.value")}</th><th scope="col">${t("scratch.gradient")}</th></tr></thead>
      <tbody>${rows.map(({ name, node }) => html`<tr><th scope="row">${name || node.op}</th><td>${node.shape.length ? shape(node.shape) : "1"}</td><td>${this.#row(node.value)}</td><td>${this.#row(node.gradient)}</td></tr>`)}</tbody>
    </table></div></details>`;
  }

  override render() {
    const source = scratch.source.value;
    const mistake = scratch.mistake.value;
    const example = exampleOf(source);
    const wrong = mistake ? placeOf(mistake).line : -1;
    return html`
      <section class="scratch-program" aria-labelledby="scratch-title">
        <h2 class="title" id="scratch-title">${t("scratch.title")}</h2>
        <p class="lead">${t("scratch.lead")}</p>
        <div class="scratch-tools">
          <label class="pick"><span>${t("scratch.example")}</span><select @change=${this.#choose}>
            ${example ? nothing : html`<option value="" selected disabled>${t("scratch.own")}</option>`}
            ${PROGRAM_NAMES.map((name) => html`<option value=${name} ?selected=${name === example}>${t(`scratch.title.${name}`)}</option>`)}</select></label>
          <button @click=${scratch.run} title=${t("scratch.runKeys")}>${icons.play}${t("scratch.run")}</button>
          <button class="primary" ?disabled=${mistake !== undefined || walk.value !== undefined} @click=${scratch.stepThrough} title=${t("scratch.stepWhy")}>${icons.walk}${t("scratch.step")}</button>
        </div>
        <div class="editor"><ol aria-hidden="true">${source.split("\n").map((_, k) => html`<li class=${k === wrong ? "wrong" : ""}>${k + 1}</li>`)}</ol>
          <div class="sheet">${this.#backdrop(source, mistake)}<textarea spellcheck="false" autocapitalize="off" autocomplete="off" wrap="off" aria-label=${t("scratch.editor")}
            aria-invalid=${mistake ? "true" : "false"} aria-describedby=${mistake ? "mistake" : ""} .value=${source} @input=${this.#type} @keydown=${this.#key}></textarea></div></div>
        ${mistake ? this.#mistake(mistake) : nothing}
        ${example ? this.#example(example) : nothing}
        ${this.#table()}
        <details><summary>${t("scratch.language")}</summary><p class="about">${t("scratch.grammar")}</p><p class="about mono">${t("scratch.functions")}</p></details>
      </section>`;
  }
}
customElements.define("gs-scratch-program", ScratchProgram);

/** The editor and the graph of a small program. */
class Scratchpad extends View {
  override render() {
    return html`<gs-scratch-program></gs-scratch-program>
      <section class="scratch-graph" aria-label=${t("scratch.picture")}>
        <p class="legend"><span class="mono">−</span><i class="ramp"></i><span class="mono">+</span><span class="wide">${t("scratch.value")}</span>
          <span class="mono">−</span><i class="ramp gradient"></i><span class="mono">+</span><span>${t("scratch.gradient")}</span></p>
        <gs-scratch-graph></gs-scratch-graph>
      </section>`;
  }
}
customElements.define("gs-scratchpad", Scratchpad);
