/** A character as it is shown where it stands alone. */
export const visible = (text: string | undefined): string => (text === "\n" ? "⏎" : text === " " ? "␣" : text === "\t" ? "⇥" : (text ?? "?"));
