import { html, nothing, type TemplateResult } from "lit";
import { drawImage } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { count, shape } from "../lib/format.js";
import { View } from "../lib/view.js";
import { language } from "../state/settings.js";
import { o, said } from "../messages/own.js";
import { ENCODINGS, type ColumnFacts, type Encoding, type Preview, type TableChoice, type TablePreview } from "../reading/types.js";
import { choose, title, wishes } from "../state/own.js";

/** Shares for testing that can be chosen. */
const SHARES = [0, 0.1, 0.2, 0.3];
const SIDES = [28, 32, 64];
/** Columns that are shown of the first rows. */
const COLUMNS = 40;
/** Pixels of a picture on the screen. */
const THUMBNAIL = 40;

const percent = (share: number): string => new Intl.NumberFormat(language.value, { style: "percent" }).format(share);

/** Some pictures of a class, side by side. */
class Strip extends Drawing {
  pictures: readonly Uint8Array[] = [];
  shape: readonly number[] = [];
  label = "";
  protected override reads(): string {
    return this.label;
  }
  protected override heightFor(): number {
    return THUMBNAIL;
  }
  protected override draw(context: CanvasRenderingContext2D): void {
    const width = (THUMBNAIL * (this.shape[1] ?? 1)) / (this.shape[0] ?? 1);
    this.pictures.forEach((bytes, k) => {
      context.save();
      context.translate(k * (width + 4), 0);
      drawImage(context, Float32Array.from(bytes, (byte) => byte / 255), this.shape, width, THUMBNAIL);
      context.restore();
    });
  }
}
customElements.define("gs-own-strip", Strip);

const select = (label: string, chosen: string, options: readonly (readonly [string, string])[], change: (value: string) => void): TemplateResult =>
  html`<label><span>${label}</span><select data-chosen=${chosen} @change=${(event: Event) => change((event.target as HTMLSelectElement).value)}>
    ${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>`;

const kindOf = ({ kind, distinct }: ColumnFacts): string =>
  kind === "number" ? o("column.number") : kind === "text" ? o("column.text") : o("column.category", { n: distinct });

/** What was read: its facts, what can be chosen, some of it, and what was done and skipped. */
class OwnPreview extends View {
  static override properties = { preview: { attribute: false } };
  declare preview: Preview;

  protected override updated(): void {
    // Once its options are there, which may be others than before.
    for (const select of this.querySelectorAll("select")) select.value = select.dataset.chosen ?? select.value;
  }

  #facts(of: Preview): TemplateResult {
    const facts: [string, string | number][] = of.kind === "text"
      ? [[o("fact.characters"), count(of.characters)], [o("fact.vocabulary"), count(of.vocabulary)], [o("fact.context"), of.context]]
      : [
        [o("fact.examples"), of.test ? o("fact.counts", { train: of.train, test: of.test }) : count(of.train)],
        ...(of.classes.length ? [[o("fact.classes"), count(of.classes.length)] as [string, string]] : []),
        ...(of.kind === "documents"
          ? [[o("fact.words"), count(of.vocabulary)], [o("fact.length"), of.length]] as [string, string | number][]
          : [[o("fact.shape"), shape(of.shape)]] as [string, string][]),
        ...(of.kind === "table" ? [[o("fact.target"), of.target.name]] as [string, string][] : []),
      ];
    return html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd class="mono">${value}</dd>`)}</dl>`;
  }

  #reading(as: "table" | "text", encoding: Encoding | undefined): TemplateResult {
    const { encoding: wanted = "auto" } = wishes.value;
    return html`${select(o("choice.as"), as, [["table", o("choice.asTable")], ["text", o("choice.asText")]], (value) => choose({ as: value as typeof as, header: undefined, target: undefined, inputs: undefined, classes: undefined }))}
      ${encoding ? select(o("choice.encoding"), wanted, [["auto", `${o("choice.encoding.auto")}: ${encoding}`], ...ENCODINGS.map((of) => [of, of] as const)],
        (value) => choose({ encoding: value === "auto" ? undefined : value as Encoding, header: undefined, target: undefined, inputs: undefined, classes: undefined })) : nothing}`;
  }

  #table({ columns, choice, encoding }: { columns: readonly ColumnFacts[]; choice: TableChoice; encoding: Encoding | undefined }): TemplateResult {
    const aim = columns[choice.target];
    const toggle = (k: number, on: boolean): void => choose({ inputs: on ? [...choice.inputs, k].sort((a, b) => a - b) : choice.inputs.filter((other) => other !== k) });
    return html`${this.#reading("table", encoding)}
      <label class="flag"><span>${o("choice.header")}</span><input type="checkbox" .checked=${choice.header}
        @change=${(event: Event) => choose({ header: (event.target as HTMLInputElement).checked, target: undefined, inputs: undefined, classes: undefined })}></label>
      ${select(o("choice.target"), String(choice.target), columns.map(({ name }, k) => [String(k), name]), (value) => choose({ target: Number(value), classes: undefined }))}
      ${aim?.kind === "number" ? select(o("choice.classes"), choice.classes ? "class" : "number", [["class", o("choice.asClass")], ["number", o("choice.asNumber")]], (value) => choose({ classes: value === "class" })) : nothing}
      <fieldset><legend>${o("choice.inputs")}</legend>${columns.map((column, k) => (k === choice.target ? nothing
        : html`<label class="flag"><input type="checkbox" .checked=${choice.inputs.includes(k)} @change=${(event: Event) => toggle(k, (event.target as HTMLInputElement).checked)}><span>${column.name} <small>${kindOf(column)}</small></span></label>`))}</fieldset>`;
  }

  #choices(of: Preview): TemplateResult | typeof nothing {
    if (of.kind === "pictures" && of.fixed && of.testGiven) return nothing;
    return html`<section class="form own-choices" aria-labelledby="own-choices"><h3 id="own-choices">${o("choice.title")}</h3>
      ${of.kind === "table" ? this.#table(of) : of.kind === "documents" && of.table ? this.#table(of.table) : of.kind === "text" ? this.#reading("text", of.encoding) : nothing}
      ${of.kind === "pictures" && !of.fixed
        ? html`${select(o("choice.size"), String(of.side), [["0", o("choice.common", { width: String(of.common[0]), height: String(of.common[1]) })], ...SIDES.map((side) => [String(side), `${side}×${side}`] as const)], (side) => choose({ side: Number(side) }))}
            ${select(o("choice.colour"), of.grey ? "grey" : "rgb", [["grey", o("choice.grey")], ["rgb", o("choice.rgb")]], (value) => choose({ grey: value === "grey" }))}`
        : nothing}
      ${of.kind === "text" || of.testGiven ? nothing
        : select(o("choice.test"), String(wishes.value.test), SHARES.map((share) => [String(share), share === 0 ? o("choice.testNone") : o(of.classes.length ? "choice.testShare" : "choice.testPart", { percent: percent(share) })]), (share) => choose({ test: Number(share) }))}
    </section>`;
  }

  #rows({ columns, rows, choice }: TablePreview): TemplateResult {
    const mark = (k: number): string => (k === choice.target ? "target" : choice.inputs.includes(k) ? "" : "unused");
    return html`<section><h3>${o("preview.rows")}</h3><div class="own-scroll" tabindex="0" role="group" aria-label=${o("preview.rows")}><table class="own-table">
      <thead><tr>${columns.slice(0, COLUMNS).map(({ name }, k) => html`<th scope="col" class=${mark(k)}>${name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.slice(0, COLUMNS).map((cell, k) => html`<td class=${mark(k)}>${cell}</td>`)}</tr>`)}</tbody></table></div></section>`;
  }

  #classes(of: Exclude<Preview, { kind: "text" }>): TemplateResult | typeof nothing {
    if (!of.classes.length) return nothing;
    const thumbnails = of.kind === "pictures" ? of.thumbnails : undefined;
    return html`<section><h3>${o("preview.classes")}</h3><div class="own-scroll" tabindex="0" role="group" aria-label=${o("preview.classes")}><table class="own-table">
      <thead><tr><th scope="col">${o("preview.class")}</th><th scope="col">${o("preview.train")}</th><th scope="col">${o("preview.test")}</th>${thumbnails ? html`<th scope="col">${o("preview.pictures")}</th>` : nothing}</tr></thead>
      <tbody>${of.classes.map(({ name, train, test }, k) => html`<tr><th scope="row">${name}</th><td>${count(train)}</td><td>${count(test)}</td>
        ${thumbnails ? html`<td class="pictures">${thumbnails[k]?.length ? html`<gs-own-strip .pictures=${thumbnails[k]} .shape=${of.shape} .label=${o("preview.thumbnails", { n: thumbnails[k].length, name })}></gs-own-strip>` : nothing}</td>` : nothing}</tr>`)}</tbody></table></div></section>`;
  }

  #beginning(of: Preview): TemplateResult | typeof nothing {
    switch (of.kind) {
      case "text": return html`<section><h3>${o("preview.text")}</h3><pre class="own-scroll" tabindex="0" role="group" aria-label=${o("preview.text")}>${of.beginning}</pre></section>`;
      case "table": return this.#rows(of);
      case "documents": return html`<section><h3>${o("preview.documents")}</h3><ul class="own-documents">${of.samples.map(({ label, text }) => html`<li><b>${label}</b> ${text}</li>`)}</ul></section>`;
      case "pictures": return nothing;
    }
  }

  override render() {
    const of = this.preview;
    return html`<div class="own-head"><h3>${title.value}</h3><p>${o(`kind.${of.kind}`)}</p></div>
      <div class="own-columns"><div>${this.#facts(of)}${this.#choices(of)}</div>
        <div>${this.#beginning(of)}${of.kind === "text" ? nothing : this.#classes(of)}</div></div>
      ${report(of)}`;
  }
}
customElements.define("gs-own-preview", OwnPreview);

/** What was done to the data, and what is in no example and why. */
export const report = ({ notes, skipped }: Preview): TemplateResult => html`<section class="own-report">
  ${notes.length ? html`<h3>${o("preview.notes")}</h3><ul>${notes.map(({ code, args }) => html`<li>${said("note", code, args)}</li>`)}</ul>` : nothing}
  <h3>${o("preview.skipped")}</h3>
  ${skipped.length
    ? html`<ul>${skipped.map(({ reason, count: n, places }) => html`<li>${said("skip", reason, { n })}
        <span class="mono">${n > places.length ? o("preview.more", { places: places.join(" · ") }) : places.join(" · ")}</span></li>`)}</ul>`
    : html`<p>${o("preview.none")}</p>`}</section>`;
