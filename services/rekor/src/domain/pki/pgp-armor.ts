import { decodeBase64, encodeBase64 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

export type ArmorLabel = "PUBLIC KEY BLOCK" | "SIGNATURE";

/** One armored block with its line end, and nothing around it. RFC 9580, Section 6.2. */
const BLOCK =
  /^-----BEGIN PGP ([A-Z ]+)-----[ \t]*\r?\n(?:[A-Za-z]+: [^\r\n]*\r?\n)*[ \t]*\r?\n([A-Za-z0-9+/=\r\n \t]*)-----END PGP \1-----[ \t]*(?:\r?\n|$)/;
const CHECKSUM = /^(.*?)(?:=([A-Za-z0-9+/]{4}))?$/s;

export function isArmored(bytes: Uint8Array): boolean {
  return bytes[0] === 0x2d;
}

/**
 * Blocks of one kind, and white space between them. Upstream passes over any text around a block, and logs a
 * signature with it: anyone could log it again with other text.
 */
export function parseArmor(bytes: Uint8Array, label: ArmorLabel, field: string, max: number): Uint8Array[] {
  let rest = new TextDecoder("latin1").decode(bytes).trimEnd();
  const blocks: Uint8Array[] = [];
  while (rest !== "") {
    const [whole, found, body = ""] = BLOCK.exec(rest) ?? [];
    if (whole === undefined) throw new Malformed(`${field}: not OpenPGP's ASCII armor, or text around it`);
    if (found?.startsWith("PRIVATE KEY")) throw new Malformed(`${field}: a private key, which no one else should see`);
    if (found !== label) throw new Malformed(`${field}: not a PGP ${label}`);
    if (blocks.length === max) throw new Malformed(`${field}: more than ${max} blocks`);
    blocks.push(decodeBody(body.replaceAll(/[\r\n \t]/g, ""), field));
    rest = rest.slice(whole.length).trimStart();
  }
  if (blocks.length === 0) throw new Malformed(`${field}: is empty`);
  return blocks;
}

function decodeBody(text: string, field: string): Uint8Array {
  const [, encoded = "", checksum] = CHECKSUM.exec(text) ?? [];
  const bytes = decodeBase64(encoded, field);
  if (checksum !== undefined && checksum !== encodeBase64(crc24(bytes))) {
    throw new Malformed(`${field}: the armor's checksum is wrong`);
  }
  return bytes;
}

/** As upstream writes it: no headers, lines of 64, a checksum, no line end after the last. */
export function encodeArmor(label: ArmorLabel, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return [
    `-----BEGIN PGP ${label}-----`,
    "",
    ...lines,
    `=${encodeBase64(crc24(bytes))}`,
    `-----END PGP ${label}-----`,
  ].join("\n");
}

/** RFC 9580, Section 6.1.1. */
function crc24(bytes: Uint8Array): Uint8Array {
  let crc = 0xb704ce;
  for (const octet of bytes) {
    crc ^= octet << 16;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x800000 ? ((crc << 1) ^ 0x1864cfb) & 0xffffff : crc << 1;
  }
  return Uint8Array.of(crc >> 16, (crc >> 8) & 0xff, crc & 0xff);
}
