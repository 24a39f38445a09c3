import type { Failure, FailureCode, Note, NoteCode, Skipped, SkipReason } from "./types.js";

/** Nothing can be made of what came; the sentence is the page's. */
export class ReadingError extends Error {
  readonly failure: Failure;

  constructor(code: FailureCode, args: Failure["args"] = {}) {
    super(code);
    this.failure = { code, args };
  }
}

/** So many places are named of each reason. */
const PLACES = 5;

/** What was skipped and why, and what else should be known. */
export class Report {
  readonly #skipped = new Map<SkipReason, { count: number; places: string[] }>();
  readonly #notes: Note[] = [];

  skip(reason: SkipReason, place: string): void {
    const group = this.#skipped.get(reason) ?? { count: 0, places: [] };
    this.#skipped.set(reason, group);
    group.count++;
    if (group.places.length < PLACES) group.places.push(place);
  }

  note(code: NoteCode, args: Note["args"] = {}): void {
    this.#notes.push({ code, args });
  }

  get notes(): readonly Note[] {
    return this.#notes;
  }

  get skipped(): readonly Skipped[] {
    return [...this.#skipped].map(([reason, group]) => ({ reason, ...group }));
  }

  /** One that goes on from here: what is chosen anew is reported anew. */
  fork(): Report {
    const fork = new Report();
    for (const [reason, { count, places }] of this.#skipped) fork.#skipped.set(reason, { count, places: [...places] });
    fork.#notes.push(...this.#notes);
    return fork;
  }
}
