import { Malformed } from "@chancery/fault";

/** A manifest or signature file: `Name: value` lines in sections. JAR File Specification, "JAR Manifest". */
export interface JarManifest {
  readonly main: JarSection;
  /** By the name of the file that each is about; of two for one file the later stands. */
  readonly files: ReadonlyMap<string, JarSection>;
}

export interface JarSection {
  /** Its bytes, with the empty line at its end: what digests are of. */
  readonly bytes: Uint8Array;
  /** By attribute name in lower case; of two equal ones the later stands. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** A JAR with as many files as {@link MAX_JAR_MEMBERS}. */
const MAX_SECTIONS = 10_001;
/** Three for each of them and some that are continued. A mebibyte of empty lines took a fifth of a second. */
const MAX_LINES = 50_000;

export function parseJarManifest(bytes: Uint8Array, field: string): JarManifest {
  const [main, ...sections] = splitSections(bytes, field).map((section) => parseSection(section, field));
  if (main === undefined) throw new Malformed(`${field}: a manifest without a section`);
  const files = new Map<string, JarSection>();
  for (const section of sections) {
    const name = section.attributes.get("name");
    if (name === undefined || name === "") throw new Malformed(`${field}: a section of a manifest without a name`);
    files.set(name, section);
  }
  return { main, files };
}

/** Each section ends in an empty line; what a section's digest is of depends on which line ends are seen, as upstream sees them. */
function splitSections(bytes: Uint8Array, field: string): Uint8Array[] {
  let lines = 0;
  for (const octet of bytes) if (octet === 0x0a) lines++;
  if (lines > MAX_LINES) throw new Malformed(`${field}: more than ${MAX_LINES} lines in a manifest`);
  const text = latin1.decode(bytes);
  const sections: Uint8Array[] = [];
  for (let at = 0; at < text.length;) {
    const crlf = text.indexOf("\r\n\r\n", at);
    const lf = crlf >= 0 ? -1 : text.indexOf("\n\n", at);
    const end = crlf >= 0 ? crlf + 4 : lf + 2;
    if (end < at + 2) throw new Malformed(`${field}: a manifest whose last section does not end in an empty line`);
    if (text.slice(at, end).trim() === "") throw new Malformed(`${field}: an empty section in a manifest`);
    if (sections.length === MAX_SECTIONS)
      throw new Malformed(`${field}: more than ${MAX_SECTIONS} sections in a manifest`);
    sections.push(bytes.subarray(at, end));
    at = end;
  }
  return sections;
}

/** "No line may be longer than 72 bytes. If a value would make the initial line longer than this, it should be continued". */
function parseSection(bytes: Uint8Array, field: string): JarSection {
  const attributes = new Map<string, string>();
  const lines = decode(bytes, field).replaceAll("\r\n", "\n").replaceAll("\n ", "").split("\n");
  for (const line of lines) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    if (colon < 0) throw new Malformed(`${field}: a line of a manifest that is not "name: value"`);
    attributes.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { bytes, attributes };
}

const latin1 = new TextDecoder("latin1");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array, field: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Malformed(`${field}: a manifest that is not UTF-8`);
  }
}
