/**
 * What strangers wrote, made safe to look at. Markup is no danger here (text nodes only); what remains are characters
 * that change how their neighbours are read: right-to-left overrides that turn `gpj.exe` around, zero-width ones that
 * make two names look alike, controls, line separators, and towers of combining marks that run over other lines.
 */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  /** Shown as `U+202E`, set apart from what it stands in. */
  | { readonly kind: "escape"; readonly text: string };

/** Controls, formats, surrogates, private, unassigned, separators, everything that is invisible, and spaces but U+0020. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}/gu;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    found.push({ kind: "escape", text: codePointName(match[0]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}

/** The same as one string, for titles and attributes. */
export function printable(text: string): string {
  return pieces(text)
    .map((piece) => (piece.kind === "text" ? piece.text : `\\u{${piece.text.slice(2)}}`))
    .join("");
}

/** White space that formats a document stays in it: JSON and PEM have lines. */
export function printableLines(text: string): string {
  return text
    .split("\n")
    .map((line) => printable(line.replaceAll("\t", "    ").replace(/\r$/, "")))
    .join("\n");
}

function codePointName(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
