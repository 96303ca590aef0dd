/** A row of a sheet, which is a line of the text. `start` is where that begins, in code points. */
export interface Line {
  text: string;
  start: number;
}

/** A cell, and the part [from, to) of its line, in units of JavaScript. */
export interface Cell {
  text: string;
  from: number;
  to: number;
}

const ASTRAL = /[\ud800-\udfff]/;

/** How many code points a text has. */
export function points(text: string): number {
  return ASTRAL.test(text) ? [...text].length : text.length;
}

/** The lines of a piece of text that begins at code point `start`. */
export function linesOf(text: string, start: number): Line[] {
  let at = start;
  return text.split("\n").map((line) => {
    const found = { text: line, start: at };
    at += points(line) + 1;
    return found;
  });
}

/** The cells of a line of a Markdown table: what stands between bars, but for those that are escaped. */
export function cellsOf(line: string): Cell[] {
  const bars = [...line.matchAll(/(?<!\\)\|/g)].map((found) => found.index);
  return bars.slice(0, -1).map((bar, at) => {
    const from = bar + 1;
    const to = bars[at + 1] as number;
    return { text: line.slice(from, to).trim().replaceAll("\\|", "|"), from, to };
  });
}

/** The part of a line that a span [start, end) of the text covers, in units of JavaScript; null where it covers none. */
export function covered(line: Line, start: number, end: number): [number, number] | null {
  const length = points(line.text);
  const from = Math.max(0, start - line.start);
  const to = Math.min(length, end - line.start);
  if (from >= to) return null;
  if (length === line.text.length) return [from, to];
  const all = [...line.text];
  return [all.slice(0, from).join("").length, all.slice(0, to).join("").length];
}

/** A for column 1, AA for 27. */
export function letters(column: number): string {
  let found = "";
  for (let left = column; left > 0; left = Math.floor((left - 1) / 26)) {
    found = String.fromCharCode(65 + ((left - 1) % 26)) + found;
  }
  return found;
}
