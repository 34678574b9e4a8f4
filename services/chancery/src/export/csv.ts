/**
 * Cells as RFC 4180 has them, which no spreadsheet takes for a formula.
 *
 * What is logged was written by strangers. A cell that begins with `=`, `+`, `-` or `@` (or their full-width forms, or a
 * space, a tab or a return that is passed over before one) is a formula to a spreadsheet, and may send the sheet
 * away: it gets an apostrophe before it, as OWASP advises, and so does a cell that begins with an apostrophe, so that
 * taking one away gives back what was there. Control and formatting characters are shown as `\u{…}`: RFC 4180 has
 * none of them, each line is one record, and no text turns another around. JSON Lines have every text as it is.
 */
const FORMULA = /^[\s']*[=+\-@＝＋－＠]|^'/;
/** Nothing below has anything to change in it: most cells, and the expressions for all of Unicode took a third of the time. */
const PLAIN = /^[A-Za-z0-9][ !#-~]*$/;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export type Cell = string | number | undefined;

export function csvRecord(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

/** Every text is quoted, so that no spreadsheet's own separator (a semicolon, a tab) parts it. */
function csvCell(value: Cell): string {
  if (value === undefined || value === "") return "";
  if (typeof value === "number") return String(value);
  if (PLAIN.test(value)) return `"${value}"`;
  const guarded = FORMULA.test(value) ? `'${value}` : value;
  const seen = guarded.replaceAll(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return `"${seen.replaceAll('"', '""')}"`;
}
