/** Arrow keys, Home and End go over the buttons of a group, which has so many in a row: only one of them is a stop of the Tab key. */
export function roving(event: KeyboardEvent, columns = 1): void {
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
  const at = buttons.indexOf(event.target as HTMLButtonElement);
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: buttons.length - 1 - at }[event.key];
  if (at < 0 || by === undefined || event.altKey || event.shiftKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  buttons[at + by]?.focus();
}
