import { Malformed } from "@chancery/fault";

/** RFC 4648, Section 4: standard alphabet, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** RFC 4648, Section 5, without padding, as JOSE writes it. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * Accepts exactly what {@link encodeBase64} writes: one text for one byte string. Padding, trailing bits and white
 * space would otherwise let a third party re-spell a signed value into a second, equally valid log entry.
 */
export function decodeBase64(text: string, field: string): Uint8Array {
  const bytes = decode(text, "base64", "strict");
  // What is left is white space, which the platform skips and which makes the text longer.
  if (bytes === undefined || text.length !== 4 * Math.ceil(bytes.length / 3)) {
    throw new Malformed(`${field}: not canonical base64`);
  }
  return bytes;
}

/** The base64 of text of a character an octet. Without bytes of the text's own it takes a third of the time. */
export function encodeBase64OfText(text: string): string {
  return btoa(text);
}

/** What {@link decodeBase64} accepts, as text of a character an octet. */
export function decodeBase64AsText(base64: string, field: string): string {
  const text = tryAtob(base64);
  // The platform's decoder skips white space, and takes texts without padding or with bits that mean nothing.
  if (text === undefined || btoa(text) !== base64) throw new Malformed(`${field}: not canonical base64`);
  return text;
}

function tryAtob(base64: string): string | undefined {
  try {
    return atob(base64);
  } catch {
    return undefined;
  }
}

/** Accepts what {@link encodeBase64} writes, cut into lines by line feeds, wherever they are. */
export function decodeBase64Lines(text: string, field: string): Uint8Array {
  const bytes = WHITE_SPACE_IN_LINES.test(text) ? undefined : decode(text, "base64", "strict");
  if (bytes === undefined) throw new Malformed(`${field}: not canonical base64`);
  return bytes;
}

/** Of what the platform passes over, all but the line feed. */
const WHITE_SPACE_IN_LINES = /[ \t\f\r]/;

/** Accepts exactly what {@link encodeBase64Url} writes. */
export function decodeBase64Url(text: string, field: string): Uint8Array {
  const bytes = decode(text, "base64url");
  if (bytes === undefined || text.length !== Math.ceil((bytes.length * 4) / 3) || hasIdleBits(text)) {
    throw new Malformed(`${field}: not canonical base64url`);
  }
  return bytes;
}

/** Whether bits of its last character are set that belong to no octet. Texts that decode, of no more characters than their octets need. */
function hasIdleBits(text: string): boolean {
  const idle = [0, 0, 0b1111, 0b11][text.length % 4] ?? 0;
  return (BASE64URL.indexOf(text.slice(-1)) & idle) !== 0;
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/**
 * What Go's protojson and encoding/base64 accept together, and so what deployed clients may send: either alphabet
 * (not both in one text), padding optional, line breaks ignored, trailing bits not looked at. Only for values that are
 * re-encoded before they are stored or compared.
 */
export function decodeBase64Lenient(text: string, field: string): Uint8Array {
  const canonical = decode(text, "base64", "strict");
  // As nearly every one is written.
  if (canonical !== undefined && text.length === 4 * Math.ceil(canonical.length / 3)) return canonical;
  const match = LENIENT.exec(text.replaceAll(/[\r\n]/g, ""));
  const [, standard, url] = match ?? [];
  const bytes = standard === undefined ? decode(url, "base64url") : decode(standard, "base64");
  if (bytes === undefined) throw new Malformed(`${field}: not base64`);
  return bytes;
}

const LENIENT = /^(?:([A-Za-z0-9+/]*)|([A-Za-z0-9_-]*))={0,2}$/;

/**
 * The platform's decoder skips ASCII white space, and unless `strict` takes a last group without its padding or with
 * bits set that mean nothing; the callers above do not let that pass.
 */
function decode(
  text: string | undefined,
  alphabet: "base64" | "base64url",
  lastChunkHandling: "loose" | "strict" = "loose",
): Uint8Array | undefined {
  if (text === undefined) return undefined;
  try {
    return Uint8Array.fromBase64(text, { alphabet, lastChunkHandling });
  } catch {
    return undefined;
  }
}
