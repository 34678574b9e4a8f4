import { FULCIO_EXTENSIONS } from "@chancery/x509";
import type { Cell } from "./csv.ts";

/** What a certificate says of the workflow it was issued to, by the names of Fulcio's documentation; the issuer stands apart. */
export const EXTENSION_COLUMNS: readonly string[] = [
  ...new Set(FULCIO_EXTENSIONS.map(({ name }) => name).filter((name) => name !== "issuer")),
].map((name) => name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()));

export function extensionCells(extensions: Readonly<Record<string, string>>): Cell[] {
  return EXTENSION_COLUMNS.map((name) => extensions[name]);
}
