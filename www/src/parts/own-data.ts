import { html, nothing } from "lit";
import { View } from "../lib/view.js";
import { errorText } from "../messages/index.js";
import { o, said } from "../messages/own.js";
import type { Dropped } from "../reading/types.js";
import { ownOpen } from "../state/dropped.js";
import { cancel, close, paste, read, refused, stage, title, use } from "../state/own.js";
import { chosenFiles, filesOf } from "../state/own-files.js";
import "./own-preview.js";
import "./own-style.js";

/** The dialog in which a visitor's own data are read, looked at and taken. */
class OwnDataDialog extends View {
  /** What was dropped last, so that it is read once. */
  #found: unknown;

  protected override updated(): void {
    const dialog = this.querySelector("dialog");
    if (dialog && !dialog.open) dialog.showModal();
    // What had the focus may be gone, and keys would be the page's again.
    if (!dialog?.contains(document.activeElement)) this.querySelector("h2")?.focus();
    const found = ownOpen.peek();
    if (!found?.length || found === this.#found) return;
    this.#found = found;
    void filesOf(found).then(read);
  }

  #choose(files: readonly Dropped[], input: HTMLInputElement): void {
    read(files);
    input.value = "";
  }

  #fileInput(text: string, folder: boolean) {
    return html`<label class="file">${text}<input type="file" multiple ?webkitdirectory=${folder}
      @change=${({ target }: { target: HTMLInputElement }) => this.#choose(chosenFiles(target.files), target)}></label>`;
  }

  #paste(event: Event): void {
    event.preventDefault();
    const { value } = this.querySelector("textarea")!;
    if (value.trim()) paste(value, o("pasted"));
  }

  #sources() {
    return html`<div class="own-drop"><p><b>${o("drop")}</b></p><p>${o("kinds")}</p>
        <div class="buttons">${this.#fileInput(o("files"), false)}${this.#fileInput(o("folder"), true)}</div></div>
      <form class="own-paste" @submit=${(event: Event) => this.#paste(event)}>
        <label for="own-text">${o("paste")}</label>
        <textarea id="own-text" rows="4" spellcheck="false"></textarea>
        <button>${o("readText")}</button>
      </form>`;
  }

  #progress(done: number, total: number) {
    const share = total > 0 ? done / total : undefined;
    return html`<span class="segment-bar ${share === undefined ? "unknown" : ""}"><i style="width:${(share ?? 0) * 100}%"></i></span>`;
  }

  #body() {
    const now = stage.value;
    switch (now.kind) {
      case "empty": return this.#sources();
      case "reading":
        return html`<div role="status"><p>${o("reading", { name: title.value })}</p>${this.#progress(now.done, now.total)}</div>
          <div class="buttons"><button @click=${cancel}>${o("cancel")}</button></div>`;
      case "failed":
        return html`<p class="own-failure" role="alert">${said("failure", now.failure.code, now.failure.args)}</p>${this.#sources()}`;
      case "ready":
      case "opening": {
        const { problem } = now.preview;
        const again = now.kind === "ready" && now.again;
        return html`<gs-own-preview .preview=${now.preview} aria-busy=${again}></gs-own-preview>
          ${again ? this.#progress(now.done, now.total) : nothing}
          ${problem ? html`<p class="own-failure" role="alert">${said("failure", problem.code, problem.args)}</p>` : nothing}
          ${refused.value ? html`<p class="own-failure" role="alert">${errorText(refused.value)}</p>` : nothing}
          <div class="buttons own-end"><button @click=${cancel}>${o("other")}</button>
            <button class="primary" ?disabled=${again || now.kind === "opening" || problem !== undefined} @click=${() => this.#use()}>${now.kind === "opening" ? o("opening") : o("use")}</button></div>`;
      }
    }
  }

  async #use(): Promise<void> {
    // Closed as by hand, so that the focus goes back to where it was.
    if (await use()) this.querySelector("dialog")?.close();
  }

  override render() {
    void ownOpen.value; // what is dropped while it is open
    return html`<dialog class="own" aria-labelledby="own-title" @close=${close}>
      <header><h2 class="title" id="own-title" tabindex="-1">${o("title")}</h2><button class="plain" @click=${() => this.querySelector("dialog")!.close()}>${o("close")}</button></header>
      <p>${o("lead")}</p>
      ${this.#body()}
    </dialog>`;
  }
}
customElements.define("gs-own-data", OwnDataDialog);
