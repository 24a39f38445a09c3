// A small set of reviews in the place of the one that the first command does not install.

import { gzipSync } from "node:zlib";

const LIKED = ["bright", "quick", "warm", "clever", "lovely"];
const DISLIKED = ["dull", "slow", "cold", "stupid", "awful"];
const MIDST = ["film", "story", "music", "cast", "ending", "picture"];

/** Documents that praise or blame several parts of a film, by number. */
function lines(from, to) {
  const line = (k) => {
    const words = k % 2 ? LIKED : DISLIKED;
    const said = MIDST.filter((_, i) => (k + i) % 3).map((part, i) => `the ${part} was ${words[(k + i) % 5]} and ${words[(k * 7 + i) % 5]}`);
    return `${k % 2}\tNumber ${k}: ${said.join(", ")}.\n`;
  };
  return Array.from({ length: to - from }, (_, k) => line(from + k)).join("");
}

/** Serves them as `reviews-en` to the page and to its workers. */
export async function serveReviews(page) {
  const parts = { train: lines(0, 240), test: lines(240, 300) };
  const part = (name) => ({ file: `${name}.txt.gz`, count: parts[name].split("\n").length - 1, size: parts[name].length });
  const manifest = {
    name: "reviews-en", title: "Film reviews, English", source: "a test", licence: "none", kind: "documents", classes: ["negative", "positive"],
    train: part("train"), test: part("test"), bytes: 2000,
  };
  const headers = { "Cross-Origin-Resource-Policy": "same-origin" };
  await page.context().route("**/data/index.json", (route) => route.fulfill({ contentType: "application/json", headers, body: JSON.stringify([manifest]) }));
  for (const name of ["train", "test"]) {
    const body = gzipSync(parts[name]);
    await page.context().route(`**/data/reviews-en/${name}.txt.gz`, (route) => route.fulfill({ contentType: "application/octet-stream", headers, body }));
  }
}
