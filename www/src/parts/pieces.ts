import { html, type TemplateResult } from "lit";
import { t } from "../messages/index.js";

/** Tokens side by side, every second on a ground of its own; each says its number. `choose` is called with a place. */
export const pieces = (tokens: ArrayLike<number>, names: readonly string[], chosen?: number, choose?: (place: number) => void): TemplateResult[] =>
  Array.from(tokens, (token, k) => html`<span class="piece ${k === chosen ? "on" : ""}" title=${t("documents.token", { number: String(token) })}
    @click=${() => choose?.(k)}>${(names[token] ?? "?").split("\n").map((line, k) => (k ? html`<i aria-hidden="true">⏎</i>\n${line}` : line))}</span>`);
