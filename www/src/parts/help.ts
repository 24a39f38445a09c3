import { html, nothing } from "lit";
import { KEYS, LOCAL_KEYS, STEP_KEYS } from "../keys.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import { helpOpen } from "../state/store.js";

/** The dialog that lists the keys. */
class Help extends View {
  protected override updated(): void {
    const dialog = this.querySelector("dialog");
    dialog?.showModal();
    // The button that has the focus is at its end.
    dialog?.scrollTo(0, 0);
  }

  #list(title: string, keys: readonly { keys: string; text: PlainKey }[]) {
    return html`<h3>${title}</h3><dl class="keys">${keys.map(({ keys, text }) => html`<dt><kbd>${keys}</kbd></dt><dd>${t(text)}</dd>`)}</dl>`;
  }

  override render() {
    if (!helpOpen.value) return nothing;
    return html`<dialog aria-labelledby="help-title" @close=${() => (helpOpen.value = false)}>
      <h2 class="title" id="help-title">${t("help.title")}</h2>
      <p>${t("help.text")}</p>
      ${this.#list(t("help.page"), [...KEYS, ...LOCAL_KEYS])}
      ${this.#list(t("help.stepper"), STEP_KEYS)}
      <form method="dialog"><button class="primary">${t("help.close")}</button></form>
    </dialog>`;
  }
}
customElements.define("gs-help", Help);
