import { html, nothing } from "lit";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import type { PlainKey } from "../messages/types.js";
import { ownOpen } from "../state/dropped.js";
import { pane, scratchOpen } from "../state/store.js";
import { walk } from "../state/walk.js";
import "./topbar.js";
import "./notices.js";
import "./sample.js";
import "./layers.js";
import "./hyper.js";
import "./centre.js";
import "./inspect.js";
import "./transport.js";
import "./help.js";

const PANES: readonly { name: typeof pane.value; text: PlainKey }[] = [
  { name: "network", text: "pane.network" },
  { name: "model", text: "pane.model" },
  { name: "inspect", text: "pane.inspect" },
];

/** The whole page. */
class App extends View {
  override render() {
    // What few visitors open is loaded when they do.
    if (scratchOpen.value) void import("./scratchpad.js");
    if (ownOpen.value) void import("./own-data.js");
    const own = ownOpen.value ? html`<gs-own-data></gs-own-data>` : nothing;
    if (scratchOpen.value && !walk.value) {
      return html`
        <gs-topbar></gs-topbar>
        <gs-notices></gs-notices>
        <main class="panes alone"><gs-scratchpad></gs-scratchpad></main>
        <gs-help></gs-help>${own}
      `;
    }
    const program = scratchOpen.value;
    return html`
      <gs-topbar></gs-topbar>
      <gs-notices></gs-notices>
      <nav class="panes-strip" aria-label=${t("pane.label")}>
        ${PANES.map(({ name, text }) => html`<button aria-pressed=${pane.value === name} @click=${() => (pane.value = name)}>${t(text)}</button>`)}
      </nav>
      <main class="panes ${program ? "program" : ""}" data-pane=${pane.value}>
        <section class="pane-model" aria-label=${t("pane.model")}>
          ${program ? html`<gs-scratch-program></gs-scratch-program>` : html`<gs-sample></gs-sample><gs-hyper></gs-hyper><gs-layers></gs-layers>`}
        </section>
        <section class="pane-network" aria-label=${t("pane.network")}>${program ? html`<gs-stepper></gs-stepper>` : html`<gs-centre></gs-centre>`}</section>
        <section class="pane-inspect" aria-label=${t("pane.inspect")}><gs-inspect></gs-inspect></section>
      </main>
      <gs-transport></gs-transport>
      <gs-help></gs-help>${own}
    `;
  }
}
customElements.define("gs-app", App);
