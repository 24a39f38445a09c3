import { effect } from "@preact/signals-core";
import * as attribution from "./attribution.js";
import { chosen, listed } from "./confusion.js";
import { reports, run } from "./health.js";
import { cancelLandscape, landscape } from "./landscape.js";
import * as store from "./store.js";

/** Forgets what was seen of a session when there is another one, and what its weights said when they are new. */
export function forgetWithSession(): void {
  effect(() => {
    void store.session.value;
    attribution.asked.value = attribution.layer.value = attribution.found.value = undefined;
  });
  effect(() => {
    void store.session.value;
    void run.value;
    reports.value = [];
    cancelLandscape();
    landscape.value = chosen.value = listed.value = undefined;
  });
}
