import { createHash, createPublicKey } from "node:crypto";

/*
 * Fulcio's leaf written out literally, with no code of the package: the oracle of its fast writer. Every number is
 * here as X.690 and RFC 5280 print it.
 */

const bytes = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  Buffer.concat(parts.map((part) => Uint8Array.from(part)));

/** X.690, Section 8.1.3: the short form below 128, else as few octets as hold the number. */
function length(count: number): number[] {
  if (count < 128) return [count];
  const hex = count.toString(16);
  const octets = [...Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex")];
  return [0x80 + octets.length, ...octets];
}

export function tlv(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = bytes(...parts);
  return bytes([tag], length(content.length), content);
}

const CODE_SIGNING = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/** 1.3.6.1.4.1.57264.1, less its tag and length: 57264 is 3 · 128² + 63 · 128 + 48. */
const FULCIO = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01];
/** 1.3.6.1.4.1.11129.2.4 */
const TRANSPARENCY = [0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04];
const CRITICAL = [0x01, 0x01, 0xff];
const standard = (arc: number) => [0x06, 0x03, 0x55, 0x1d, arc];

export const POISON = tlv(0x30, tlv(0x06, TRANSPARENCY, [3]), CRITICAL, [0x04, 0x02, 0x05, 0x00]);
export const sctListExtension = (list: Uint8Array) =>
  tlv(0x30, tlv(0x06, TRANSPARENCY, [2]), tlv(0x04, tlv(0x04, list)));

/** In the order of the table; the names are upstream's, the second issuer is its UTF8String. */
const ARCS: readonly (readonly [number, string, "raw" | "utf8"])[] = [
  [1, "issuer", "raw"],
  [2, "github-workflow-trigger", "raw"],
  [3, "github-workflow-sha", "raw"],
  [4, "github-workflow-name", "raw"],
  [5, "github-workflow-repository", "raw"],
  [6, "github-workflow-ref", "raw"],
  [8, "issuer", "utf8"],
  [9, "build-signer-uri", "utf8"],
  [10, "build-signer-digest", "utf8"],
  [11, "runner-environment", "utf8"],
  [12, "source-repository-uri", "utf8"],
  [13, "source-repository-digest", "utf8"],
  [14, "source-repository-ref", "utf8"],
  [15, "source-repository-identifier", "utf8"],
  [16, "source-repository-owner-uri", "utf8"],
  [17, "source-repository-owner-identifier", "utf8"],
  [18, "build-config-uri", "utf8"],
  [19, "build-config-digest", "utf8"],
  [20, "build-trigger", "utf8"],
  [21, "run-invocation-uri", "utf8"],
  [22, "source-repository-visibility-at-signing", "utf8"],
  [23, "deployment-environment", "utf8"],
  [24, "token-subject", "utf8"],
];

export interface LiteralLeaf {
  readonly spki: Uint8Array;
  readonly san: { readonly type: string; readonly value: string };
  readonly extensions: Readonly<Record<string, string>>;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serial: Uint8Array;
  /** DER of the issuer's name and its key identifier, and the whole AlgorithmIdentifier of its signatures. */
  readonly issuer: Uint8Array;
  readonly issuerKeyIdentifier: Uint8Array;
  readonly algorithm: Uint8Array;
}

/** The TBSCertificate; `last` is the poison, the SCT list or nothing. */
export function literalTbs(leaf: LiteralLeaf, last: Uint8Array = new Uint8Array()): Buffer {
  return tlv(
    0x30,
    [0xa0, 0x03, 0x02, 0x01, 0x02],
    serialNumber(leaf.serial),
    leaf.algorithm,
    leaf.issuer,
    tlv(0x30, time(leaf.notBefore), time(leaf.notAfter)),
    [0x30, 0x00],
    leaf.spki,
    tlv(0xa3, tlv(0x30, extensions(leaf), last)),
  );
}

function extensions({ spki, san, extensions: said, issuerKeyIdentifier }: LiteralLeaf): Buffer {
  return bytes(
    tlv(0x30, standard(15), CRITICAL, [0x04, 0x04, 0x03, 0x02, 0x07, 0x80]),
    tlv(0x30, standard(37), tlv(0x04, tlv(0x30, CODE_SIGNING))),
    tlv(0x30, standard(14), tlv(0x04, tlv(0x04, keyIdentifier(spki)))),
    tlv(0x30, standard(35), tlv(0x04, tlv(0x30, tlv(0x80, issuerKeyIdentifier)))),
    tlv(0x30, standard(17), CRITICAL, tlv(0x04, tlv(0x30, generalName(san)))),
    ...ARCS.map(([arc, name, encoding]) => {
      const text = Buffer.from(said[name] ?? "");
      if (text.length === 0) return [];
      const value = encoding === "raw" ? text : tlv(0x0c, text);
      return tlv(0x30, tlv(0x06, FULCIO, [arc]), tlv(0x04, value));
    }),
  );
}

function generalName({ type, value }: LiteralLeaf["san"]): Buffer {
  if (type === "username") return tlv(0xa0, tlv(0x06, FULCIO, [7]), tlv(0xa0, tlv(0x0c, Buffer.from(value))));
  return tlv({ email: 0x81, dns: 0x82, uri: 0x86 }[type] ?? 0, Buffer.from(value, "latin1"));
}

/** SHA-1 of the key's bits (RFC 5280, Section 4.2.1.2, method 1); of an EC key they are its uncompressed point. */
function keyIdentifier(spki: Uint8Array): Buffer {
  const { x = "", y = "" } = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }).export({
    format: "jwk",
  }) as { x?: string; y?: string };
  return createHash("sha1")
    .update(bytes([4], Buffer.from(x, "base64url"), Buffer.from(y, "base64url")))
    .digest();
}

function serialNumber(serial: Uint8Array): Buffer {
  const hex = BigInt(`0x${Buffer.from(serial).toString("hex")}`).toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return tlv(0x02, octets[0]! >= 0x80 ? [0] : [], octets);
}

/** RFC 5280, Section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050, seconds whole. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/\.\d+Z|\D/g, "");
  return date.getUTCFullYear() < 2050
    ? tlv(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(0x18, Buffer.from(`${digits}Z`));
}
