import { html, type TemplateResult } from "lit";
import { t } from "../messages/index.js";
import type { Argument } from "../messages/types.js";
import { penalties, type Field, type Spec } from "../state/spec.js";

/** The label of an argument: its own name as Keras writes it, with what it means as a tooltip. */
const label = (key: Argument): TemplateResult => html`<span class="arg" title=${t(`arg.${key}`)}>${key}</span>`;

/** Numbers above 0 between commas, blanks or crosses. */
const list = (text: string, whole: boolean): number[] | undefined => {
  const parts = text.split(/[\s,×x]+/).filter(Boolean).map(Number);
  return parts.length > 0 && parts.every((n) => n > 0 && (whole ? Number.isInteger(n) : Number.isFinite(n))) ? parts : undefined;
};

/** A control for one argument of a spec; `set` gets the new value, or `undefined` for Keras's default. */
export function field(spec: Spec, of: Field, set: (key: string, value: unknown) => void): TemplateResult {
  const value = spec[of.key];
  const input = (event: Event): HTMLInputElement => event.target as HTMLInputElement;
  switch (of.kind) {
    case "whole": {
      const shown = Array.isArray(value) ? value[0] : value;
      return html`<label>${label(of.key)}<input type="number" inputmode="numeric" min=${of.least} step="1" .value=${String(shown ?? of.fallback ?? "")}
        placeholder=${t("layers.default")} @change=${(event: Event) => {
          const text = input(event).value;
          set(of.key, text === "" ? undefined : Math.max(of.least, Math.round(Number(text))));
        }}></label>`;
    }
    case "number":
      return html`<label>${label(of.key)}<input type="number" inputmode="decimal" min=${of.least} max=${of.most} step="any" .value=${String(value ?? of.fallback)}
        @change=${(event: Event) => {
          const typed = input(event).value;
          set(of.key, typed === "" ? undefined : Math.min(of.most, Math.max(of.least, Number(typed))));
        }}></label>`;
    case "choice":
      return html`<label>${label(of.key)}<select @change=${(event: Event) => set(of.key, input(event).value)}>
        ${of.of.map((choice) => html`<option ?selected=${choice === (value ?? of.fallback)}>${choice}</option>`)}</select></label>`;
    case "flag":
      return html`<label class="flag">${label(of.key)}<input type="checkbox" .checked=${Boolean(value ?? of.fallback)}
        @change=${(event: Event) => set(of.key, input(event).checked)}></label>`;
    case "list": {
      const shown = Array.isArray(value) ? value.join(", ") : "";
      return html`<label>${label(of.key)}<input type="text" .value=${shown}
        @change=${(event: Event) => {
          const parsed = list(input(event).value, of.whole);
          if (parsed) set(of.key, parsed);
          else input(event).value = shown;
        }}></label>`;
    }
    case "names": {
      const shown = Array.isArray(value) ? value.join(", ") : "";
      return html`<label>${label(of.key)}<input type="text" .value=${shown} placeholder=${t("layers.before")}
        @change=${(event: Event) => {
          const names = input(event).value.split(/[\s,]+/).filter(Boolean);
          set(of.key, names.length > 0 ? names : undefined);
        }}></label>`;
    }
    case "optional":
      return html`<label>${label(of.key)}<input type="number" inputmode="decimal" min=${of.least} step="any" .value=${String(value ?? "")} placeholder=${t("field.none")}
        @change=${(event: Event) => {
          const typed = input(event).value;
          set(of.key, typed !== "" && Number(typed) > of.least ? Number(typed) : undefined);
        }}></label>`;
    case "penalty": {
      const weights = penalties(spec.kernel_regularizer);
      return field({ type: "", [of.key]: weights[of.term] || undefined }, { key: of.key, kind: "optional", least: 0 }, (_, weight) => {
        const next = { ...weights, [of.term]: weight ?? 0 };
        set("kernel_regularizer", next.l1 || next.l2 ? { type: "L1L2", ...next } : undefined);
      });
    }
  }
}
