import { effect } from "@preact/signals-core";
import { b } from "../messages/bench.js";
import { applySettings } from "../state/settings.js";
import { loadShipped } from "./shipped.js";
import "./page.js";

applySettings();
effect(() => {
  document.title = `Gradscope: ${b("title")}`;
});
void loadShipped();
