/** As much of Papa Parse as is used; its own types would bring those of Node. */
declare module "papaparse" {
  interface Parsed {
    data: string[][];
    errors: { type: "Quotes" | "Delimiter" | "FieldMismatch"; row?: number }[];
    meta: { delimiter: string };
  }
  const Papa: { parse(text: string, options: { delimiter?: string; preview?: number; skipEmptyLines?: "greedy" }): Parsed };
  export default Papa;
}
