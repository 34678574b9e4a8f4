import { Malformed } from "@chancery/fault";

/** The lines `name = value` of a `.PKGINFO`. */
export type PackageInfo = Readonly<Record<string, string>>;

const MAX_LINES = 8_192;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Upstream reads the file as INI, and logs what it read, so the same is read here: `=` or `:` ends a name, `#` and `;`
 * begin a comment anywhere, quotes around a value are taken off, the last of several equal names stands. What a `.PKGINFO`
 * has no use for is refused: sections, quoted names, values of several lines.
 */
export function parsePackageInfo(bytes: Uint8Array, field: string): PackageInfo {
  const info: Record<string, string> = Object.create(null) as Record<string, string>;
  const lines = decode(bytes, field).split("\n");
  if (lines.length > MAX_LINES) throw new Malformed(`${field}: .PKGINFO has more than ${MAX_LINES} lines`);
  for (const line of lines.map((each) => each.trim())) {
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const delimiter = line.search(/[=:]/);
    const name = line.slice(0, Math.max(delimiter, 0)).trim();
    if (name === "" || name === "-" || /^["`[]/.test(name))
      throw new Malformed(`${field}: a line that is not "name = value"`);
    info[name] = valueOf(line.slice(delimiter + 1).trim(), field);
  }
  return info;
}

function valueOf(text: string, field: string): string {
  const quote = text.startsWith('"""') && text.length > 3 ? '"""' : text.startsWith("`") ? "`" : undefined;
  if (quote !== undefined) {
    const end = text.lastIndexOf(quote);
    if (end < quote.length) throw new Malformed(`${field}: a value of several lines`);
    return text.slice(quote.length, end);
  }
  if (text.endsWith("\\")) throw new Malformed(`${field}: a value of several lines`);
  const value = (/^[^#;]*/.exec(text)?.[0] ?? "").trim();
  return /^(?:"[^"]*"|'[^']*')$/.test(value) ? value.slice(1, -1) : value;
}

function decode(bytes: Uint8Array, field: string): string {
  try {
    const text = decoder.decode(bytes);
    // White space to some and not to others.
    if (!/[\u0085\ufeff]/.test(text)) return text;
  } catch {
    // Named below.
  }
  throw new Malformed(`${field}: not UTF-8`);
}
