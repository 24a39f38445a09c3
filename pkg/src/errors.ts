import type { Error as ErrorData, ErrorCode } from "./generated/protocol.js";

/** What every method of the API rejects with: `code` for programs, `args` for a sentence in any language, `message` in English. */
export class GradscopeError extends Error {
  override readonly name = "GradscopeError";
  /** What went wrong. */
  readonly code: ErrorCode;
  /** The place: a layer, a node, a file, a key such as `"layers[2].kernel_size"`. */
  readonly where: string | undefined;
  /** The values that the sentence needs. */
  readonly args: Readonly<Record<string, string>>;

  constructor(data: ErrorData) {
    super(data.where ? `${data.where}: ${data.message}` : data.message);
    this.code = data.code;
    this.where = data.where ?? undefined;
    const args: Record<string, string> = {};
    for (const [key, value] of Object.entries(data.args)) if (value !== undefined) args[key] = value;
    this.args = args;
  }
}

/** The error of a worker that stopped: nothing that was asked of it will be answered. */
export const workerDied = (reason: string): GradscopeError =>
  new GradscopeError({ code: "worker_died", message: `the engine's worker stopped: ${reason}`, args: { reason } });
