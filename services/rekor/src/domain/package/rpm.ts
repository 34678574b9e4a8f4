import { hash as digest } from "node:crypto";
import { Malformed, Unverified } from "@chancery/fault";

/** An RPM package as far as its signatures go. */
export interface RpmPackage {
  readonly signatureHeader: RpmHeader;
  readonly header: RpmHeader;
  /** The header with its introduction: what is signed by signatures over the header. */
  readonly headerBytes: Uint8Array;
  /** The header and all that follows. */
  readonly headerAndPayload: Uint8Array;
}

/** Tags by number; a tag comes once. */
export interface RpmHeader {
  readonly field: string;
  readonly tags: ReadonlyMap<number, RpmTag>;
  readonly store: Uint8Array;
}

interface RpmTag {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

/** Tags of rpm's `rpmtag.h`. */
export const RpmTagNumber = {
  NAME: 1000,
  VERSION: 1001,
  RELEASE: 1002,
  EPOCH: 1003,
  ARCH: 1022,
  PAYLOAD_DIGEST: 5092,
  PAYLOAD_DIGEST_ALGORITHM: 5093,
  SIGNATURE_DSA: 267,
  SIGNATURE_RSA: 268,
  SIGNATURE_SHA1: 269,
  SIGNATURE_SHA256: 273,
  SIGNATURE_PGP: 1002,
  SIGNATURE_MD5: 1004,
  SIGNATURE_GPG: 1005,
} as const;

const LEAD_LENGTH = 96;
const LEAD_MAGIC = "edabeedb";
const HEADER_MAGIC = "8eade801";
/** A kernel's has some two hundred. */
const MAX_TAGS = 8_192;

/**
 * Format V3 of rpm.org's documentation: a lead of 96 bytes, the signature header padded to 8, the header, the payload.
 *
 *     header  8eade801, 4 bytes reserved, uint32 count, uint32 size, count × { tag, type, offset, count }, store of `size`
 */
export function parseRpm(bytes: Uint8Array, field: string): RpmPackage {
  if (bytes.subarray(0, 4).toHex() !== LEAD_MAGIC) throw new Malformed(`${field}: not an RPM package`);
  const signatures = readHeader(bytes, LEAD_LENGTH, field);
  const start = LEAD_LENGTH + Math.ceil((signatures.end - LEAD_LENGTH) / 8) * 8;
  const { header, end } = readHeader(bytes, start, field);
  return {
    signatureHeader: signatures.header,
    header,
    headerBytes: bytes.subarray(start, end),
    headerAndPayload: bytes.subarray(start),
  };
}

/** Every digest that the package carries of itself holds, and there is one of the payload. */
export function checkRpmDigests(rpm: RpmPackage, field: string): void {
  const { signatureHeader, header, headerBytes, headerAndPayload } = rpm;
  const sha256 = rpmText(signatureHeader, RpmTagNumber.SIGNATURE_SHA256);
  const [algorithm, claimed] =
    sha256 === undefined
      ? (["sha1", rpmText(signatureHeader, RpmTagNumber.SIGNATURE_SHA1)] as const)
      : (["sha256", sha256] as const);
  if (claimed !== undefined && claimed !== digest(algorithm, headerBytes)) {
    throw new Unverified(`${field}: not the header that its ${algorithm} digest is of`);
  }
  const payload = headerAndPayload.subarray(headerBytes.length);
  const payloadDigest = rpmText(header, RpmTagNumber.PAYLOAD_DIGEST);
  const payloadHash = PAYLOAD_HASHES.get(Number(rpmNumber(header, RpmTagNumber.PAYLOAD_DIGEST_ALGORITHM) ?? 0));
  if (payloadDigest !== undefined && payloadHash !== undefined) {
    if (digest(payloadHash, payload) !== payloadDigest)
      throw new Unverified(`${field}: not the payload of this header`);
    return;
  }
  // Packages from before 2017 have no other digest of their payload.
  const md5 = rpmBytes(signatureHeader, RpmTagNumber.SIGNATURE_MD5);
  if (md5 === undefined || md5.length === 0) throw new Malformed(`${field}: no digest of the payload`);
  if (digest("md5", headerAndPayload) !== md5.toHex()) throw new Unverified(`${field}: not the payload of this header`);
}

/** Hash algorithms as OpenPGP numbers them. */
const PAYLOAD_HASHES: ReadonlyMap<number, string> = new Map([
  [8, "sha256"],
  [9, "sha384"],
  [10, "sha512"],
  [11, "sha224"],
  [1, "md5"],
  [2, "sha1"],
]);

function readHeader(bytes: Uint8Array, start: number, field: string): { header: RpmHeader; end: number } {
  if (start + 16 > bytes.length) throw new Malformed(`${field}: ends inside an RPM header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  if (bytes.subarray(start, start + 4).toHex() !== HEADER_MAGIC) throw new Malformed(`${field}: not an RPM header`);
  const [count, size] = [view.getUint32(8), view.getUint32(12)];
  if (count > MAX_TAGS) throw new Malformed(`${field}: more than ${MAX_TAGS} tags in an RPM header`);
  const storeStart = 16 + 16 * count;
  if (storeStart + size > view.byteLength) throw new Malformed(`${field}: ends inside an RPM header`);
  const tags = new Map<number, RpmTag>();
  for (let at = 16; at < storeStart; at += 16) {
    const tag = view.getUint32(at);
    // A second one would be read by some and not by others.
    if (tags.has(tag)) throw new Malformed(`${field}: the tag ${tag} comes twice in an RPM header`);
    if (view.getUint32(at + 8) > size) throw new Malformed(`${field}: the RPM tag ${tag} is outside its header`);
    tags.set(tag, { type: view.getUint32(at + 4), offset: view.getUint32(at + 8), count: view.getUint32(at + 12) });
  }
  const end = start + storeStart + size;
  return { header: { field, tags, store: bytes.subarray(start + storeStart, end) }, end };
}

const STRING_TYPES = new Set([6, 8, 9]);
const BINARY_TYPE = 7;
/** Bytes of an INT8, INT16, INT32 and INT64; CHAR is as INT8. */
const INTEGER_SIZES: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 4],
  [5, 8],
]);

/** The first of a tag's texts; undefined when the tag is not there. */
export function rpmText({ tags, store, field }: RpmHeader, tag: number): string | undefined {
  const found = tags.get(tag);
  if (found === undefined) return undefined;
  const end = found.offset < store.length ? store.indexOf(0, found.offset) : -1;
  if (!STRING_TYPES.has(found.type) || found.count === 0 || end < 0) {
    throw new Malformed(`${field}: the RPM tag ${tag} is not a text`);
  }
  return decodeText(store.subarray(found.offset, end), tag, field);
}

export function rpmBytes({ tags, store, field }: RpmHeader, tag: number): Uint8Array | undefined {
  const found = tags.get(tag);
  if (found === undefined) return undefined;
  if (found.type !== BINARY_TYPE || found.offset + found.count > store.length) {
    throw new Malformed(`${field}: the RPM tag ${tag} is not binary`);
  }
  return store.subarray(found.offset, found.offset + found.count);
}

/** The first of a tag's numbers; undefined when the tag is not there or has none. */
export function rpmNumber({ tags, store, field }: RpmHeader, tag: number): bigint | undefined {
  const found = tags.get(tag);
  if (found === undefined || found.count === 0) return undefined;
  const size = INTEGER_SIZES.get(found.type);
  if (size === undefined || found.offset + size > store.length) {
    throw new Malformed(`${field}: the RPM tag ${tag} is not a number`);
  }
  return BigInt(`0x${store.subarray(found.offset, found.offset + size).toHex()}`);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(bytes: Uint8Array, tag: number, field: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Malformed(`${field}: the RPM tag ${tag} is not UTF-8`);
  }
}
