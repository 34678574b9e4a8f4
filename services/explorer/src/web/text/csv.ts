import { printable } from "./printable.ts";

/** What an office program takes for the beginning of a formula. */
const FORMULA = "[=+\\-@|%\\uff1d\\uff0b\\uff0d\\uff20]";
const BEGINS = new RegExp(`^\\s*${FORMULA}`);
/** Where commas are in numbers, a cell ends at a semicolon, quoted or not. */
const AFTER_SEMICOLON = new RegExp(`(;[\\s"']*)(?=${FORMULA})`, "g");

/**
 * RFC 4180, for spreadsheets: a cell that begins like a formula is given an apostrophe, or a signer's name could run
 * in the reader's office program (CWE-1236); what cannot be seen is told by its number, as on the pages, or a name would
 * be read there as another. The bytes as they are: in JSON.
 */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(text: string): string {
  const seen = printable(text).replaceAll(AFTER_SEMICOLON, "$1'");
  const harmless = BEGINS.test(seen) ? `'${seen}` : seen;
  return /[",;]|^'/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
