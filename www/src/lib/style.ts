/** Adds the style sheet of a part of the page that is loaded only when it is wanted. */
export function adopt(...sheets: string[]): void {
  const adopted = sheets.map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, ...adopted];
}
