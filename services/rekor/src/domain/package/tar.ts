import { Malformed } from "@chancery/fault";

export interface TarFile {
  readonly name: string;
  readonly content: Uint8Array;
}

const BLOCK = 512;
const MAX_MEMBERS = 1_024;
const latin1 = new TextDecoder("latin1");

/**
 * The regular files of a ustar archive (POSIX.1-2017, pax, "ustar Interchange Format"), in memory and never written
 * anywhere, so that their names are but names. The end may lack its two empty blocks, as in the segments of an APK. A pax
 * header that renames or resizes what follows, and GNU's long names, are refused.
 */
export function readTar(bytes: Uint8Array, field: string): TarFile[] {
  const files: TarFile[] = [];
  let members = 0;
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((octet) => octet === 0)) break;
    if (++members > MAX_MEMBERS) throw new Malformed(`${field}: more than ${MAX_MEMBERS} members in a tar archive`);
    checkSum(header, field);
    const size = octal(header.subarray(124, 136), field);
    const start = at + BLOCK;
    if (start + size > bytes.length) throw new Malformed(`${field}: ends inside a member of a tar archive`);
    const content = bytes.subarray(start, start + size);
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "0" || type === "\0") files.push({ name: nameOf(header), content });
    else if (type === "x" || type === "g") checkExtendedHeader(content, field);
    else if (type === "L" || type === "K" || type === "S") throw new Malformed(`${field}: a GNU extension of tar`);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** `name` and, for ustar, what goes before it in `prefix`. */
function nameOf(header: Uint8Array): string {
  const name = text(header.subarray(0, 100));
  const isUstar = latin1.decode(header.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? text(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** The sum of the header's octets, those of the sum itself counted as spaces. */
function checkSum(header: Uint8Array, field: string): void {
  let sum = 8 * 0x20;
  for (const [at, octet] of header.entries()) if (at < 148 || at >= 156) sum += octet;
  if (octal(header.subarray(148, 156), field) !== sum) throw new Malformed(`${field}: a tar header with a wrong sum`);
}

/** `<length> <keyword>=<value>\n` and so on. */
function checkExtendedHeader(content: Uint8Array, field: string): void {
  if (/^[0-9]+ (?:path|size|linkpath|GNU\.sparse[^=]*)=/m.test(latin1.decode(content))) {
    throw new Malformed(`${field}: a pax header that renames or resizes a member`);
  }
}

function octal(octets: Uint8Array, field: string): number {
  const digits = text(octets).trim();
  if (!/^[0-7]{0,11}$/.test(digits)) throw new Malformed(`${field}: not an octal number in a tar header`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function text(octets: Uint8Array): string {
  const end = octets.indexOf(0);
  return latin1.decode(end < 0 ? octets : octets.subarray(0, end));
}
