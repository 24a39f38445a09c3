import { html } from "lit";
import { View } from "../lib/view.js";
import { phrase, t } from "../messages/index.js";
import { ownOpen, takeDropped } from "../state/dropped.js";
import { build, fail } from "../state/engine.js";
import { datasets, status } from "../state/store.js";

/** What to do about a data set that is not installed: the command, or its official files dropped here. */
class Missing extends View {
  static override properties = { name: { attribute: false } };
  declare name: string;
  #over = false;

  async #take(files: FileList | null | undefined): Promise<void> {
    if (!files?.length) return;
    // The engine reads neither tables, such as `digits.csv.gz`, nor other archives.
    if (/\.(csv|zip|whl|tgz)/i.test(files[0]!.name)) {
      ownOpen.value = Array.from(files, (file) => ({ file, entry: null }));
      return;
    }
    status.value = "loading";
    try {
      await takeDropped(this.name, [...files]);
      await build();
    } catch (error) {
      status.value = "idle";
      fail(error);
    }
  }

  #hover(over: boolean): void {
    this.#over = over;
    this.requestUpdate();
  }

  override render() {
    const set = datasets.value.find(({ name }) => name === this.name);
    const title = phrase(set?.title ?? this.name);
    // The engine reads the publishers' own files of images; texts are installed.
    const droppable = set?.kind === "image";
    return html`<section class="panel waiting ${this.#over ? "over" : ""}" role="alert"
      @dragover=${() => this.#hover(true)}
      @dragleave=${() => this.#hover(false)}
      @drop=${(event: DragEvent) => {
        this.#hover(false);
        // Of any other set the page takes the files as the visitor's own data.
        if (!droppable) return;
        event.preventDefault();
        void this.#take(event.dataTransfer?.files);
      }}>
      <h2>${t("missing.title", { title })}</h2>
      <p>${t("missing.command")}</p>
      <pre class="mono">cargo xtask data ${this.name}</pre>
      ${droppable ? html`<p>${t("missing.drop")}</p>
      <label class="file">${t("missing.choose")}<input type="file" multiple accept=".gz,.idx,.bin,.tar,application/gzip" @change=${(event: Event) => this.#take((event.target as HTMLInputElement).files)}></label>` : html`<p>${t("missing.own")}</p>`}
    </section>`;
  }
}
customElements.define("gs-missing", Missing);
