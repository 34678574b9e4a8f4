import { utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { parseArmor } from "./pgp-armor.ts";

/** A text that was signed where it stands, RFC 9580, Section 7. */
export interface CleartextMessage {
  /** Without dash escapes and white space at line ends, lines ended by LF. */
  readonly text: string;
  /** The same with CRLF between the lines: what is signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

const BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE = "-----BEGIN PGP SIGNATURE-----";

export function parseCleartext(bytes: Uint8Array, field: string): CleartextMessage {
  const lines = decodeUtf8(bytes, field).split(/\r?\n/);
  const endOfHeaders = lines.findIndex((line) => line.trim() === "");
  const endOfText = lines.indexOf(BEGIN_SIGNATURE);
  if (lines[0] !== BEGIN || endOfHeaders < 0 || endOfText <= endOfHeaders) {
    throw new Malformed(`${field}: not a text signed with OpenPGP`);
  }
  // RFC 9580, Section 7.1: no other header than Hash, because readers would take others for signed.
  if (lines.slice(1, endOfHeaders).some((line) => !/^Hash: [A-Za-z0-9, -]+$/.test(line))) {
    throw new Malformed(`${field}: another header than Hash`);
  }
  const text = lines.slice(endOfHeaders + 1, endOfText).map((line) => line.replace(/^- /, "").replace(/[ \t]+$/, ""));
  const [signature] = parseArmor(utf8(lines.slice(endOfText).join("\n")), "SIGNATURE", field, 1);
  return { text: text.join("\n"), signed: utf8(text.join("\r\n")), signature: signature ?? new Uint8Array() };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array, field: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Malformed(`${field}: not UTF-8`);
  }
}
