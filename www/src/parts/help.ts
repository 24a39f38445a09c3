import { html, nothing } from "lit";
import { KEYS, LOCAL_KEYS } from "../keys.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { helpOpen } from "../state/store.js";

/** The dialog that lists the keys. */
class Help extends View {
  protected override updated(): void {
    if (helpOpen.value) this.querySelector("dialog")!.showModal();
  }

  override render() {
    if (!helpOpen.value) return nothing;
    return html`<dialog aria-labelledby="help-title" @close=${() => (helpOpen.value = false)}>
      <h2 class="title" id="help-title">${t("help.title")}</h2>
      <p>${t("help.text")}</p>
      <dl class="keys">${[...KEYS, ...LOCAL_KEYS].map(({ keys, text }) => html`<dt><kbd>${keys}</kbd></dt><dd>${t(text)}</dd>`)}</dl>
      <form method="dialog"><button class="primary">${t("help.close")}</button></form>
    </dialog>`;
  }
}
customElements.define("gs-help", Help);
