import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { parsePublicKey, sha256 } from "@chancery/crypto";
import {
  concatBytes,
  decodeBase64,
  decodeHex,
  encodeBase64,
  encodeHex,
  equalBytes,
  TlsReader,
  TlsWriter,
  utf8,
} from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { parseCheckpoint } from "./checkpoint.ts";
import { isKeyName, type NoteSignature, type SignedNote } from "./note.ts";
import { KEY_HASH_SIZE } from "./note-key.ts";

/** How a cosigner signs. c2sp.org/tlog-cosignature has these two; new witnesses should use the second. */
export type CosignatureScheme = "ed25519" | "ml-dsa-44";

/** Somebody who says that a log only grew, a witness say, and the key that says it. */
export interface Cosigner {
  readonly name: string;
  readonly scheme: CosignatureScheme;
  /** The bare key: 32 bytes of RFC 8032, or 1,312 of FIPS 204. */
  readonly publicKey: Uint8Array;
}

/** "As of the specified time, the consistent tree head with the largest size the cosigner has observed". */
export interface Cosignature {
  readonly cosigner: Cosigner;
  /** Seconds since 1970; zero where the cosigner says nothing about the time. */
  readonly timestamp: bigint;
}

interface Scheme {
  /** Of the key ID and the verifier key. c2sp.org/signed-note, "Signature types". */
  readonly type: number;
  readonly keySize: number;
  readonly signatureSize: number;
  /** DER of a SubjectPublicKeyInfo up to the bare key: RFC 8410, Section 4, and RFC 9881, Section 4. */
  readonly spkiHeader: string;
}

const SCHEMES: Readonly<Record<CosignatureScheme, Scheme>> = {
  ed25519: { type: 0x04, keySize: 32, signatureSize: 64, spkiHeader: "302a300506032b6570032100" },
  "ml-dsa-44": {
    type: 0x06,
    keySize: 1312,
    signatureSize: 2420,
    spkiHeader: "30820532300b06096086480165030403110382052100",
  },
};

const MAX_TIMESTAMP = 2n ** 63n - 1n;

/** `<name>+<key ID in hex>+<base64 of type and key>`, as operators exchange keys. c2sp.org/signed-note, "Verifier keys". */
export function encodeCosignerKey(cosigner: Cosigner): string {
  const { type } = SCHEMES[cosigner.scheme];
  const key = encodeBase64(concatBytes(Uint8Array.of(type), cosigner.publicKey));
  return `${cosigner.name}+${encodeHex(cosignerKeyHash(cosigner))}+${key}`;
}

/** Refuses a key that its ID does not fit, so that one mistyped character is not a witness who never answers. */
export function parseCosignerKey(text: string, field = "cosigner key"): Cosigner {
  // Base64 has `+` in it, names and hexadecimal do not.
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text);
  const [, name, id, base64] = match ?? [];
  if (name === undefined || id === undefined || base64 === undefined || !isKeyName(name)) {
    throw new Malformed(`${field}: is not <name>+<key ID>+<key>`);
  }
  const bytes = decodeBase64(base64, `${field}: key`);
  const scheme = (Object.keys(SCHEMES) as CosignatureScheme[]).find((known) => SCHEMES[known].type === bytes[0]);
  if (scheme === undefined) throw new Unsupported(`${field}: is not of a cosignature type, 4 or 6`);
  const cosigner = { name, scheme, publicKey: bytes.slice(1) };
  keyObject(cosigner, field);
  if (!equalBytes(decodeHex(id, `${field}: key ID`), cosignerKeyHash(cosigner))) {
    throw new Malformed(`${field}: key ID is not that of the key`);
  }
  return cosigner;
}

/** "SHA-256(<name> || "\n" || type || cosigner public key)[:4]" */
export function cosignerKeyHash({ name, scheme, publicKey }: Cosigner): Uint8Array {
  const id = sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(SCHEMES[scheme].type), publicKey));
  return id.slice(0, KEY_HASH_SIZE);
}

/**
 * What a cosigner of Ed25519 signs is two lines and the checkpoint's whole text:
 *
 *     cosignature/v1
 *     time 1679315147
 *     <checkpoint>
 *
 * What one of ML-DSA-44 signs names itself and leaves extension lines out:
 *
 *     struct {
 *         uint8 label[12] = "subtree/v1\n\0";
 *         opaque cosigner_name<1..2^8-1>;
 *         uint64 timestamp;
 *         opaque log_origin<1..2^8-1>;
 *         uint64 start;                    // 0 for a checkpoint
 *         uint64 end;
 *         uint8 hash[32];
 *     } cosigned_message;
 *
 * c2sp.org/tlog-cosignature
 */
export function cosignedMessage(text: string, cosigner: Cosigner, timestamp: bigint): Uint8Array {
  const { origin, size, root } = parseCheckpoint(text);
  if (timestamp < 0n || timestamp > MAX_TIMESTAMP) throw new Malformed("cosignature: timestamp is out of range");
  if (cosigner.scheme === "ed25519") return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
  const [name, logOrigin] = [utf8(cosigner.name), utf8(origin)];
  if (name.length > 255 || logOrigin.length > 255) throw new Malformed("cosignature: a name is longer than 255 bytes");
  return new TlsWriter()
    .bytes(utf8("subtree/v1\n\0"))
    .opaque8(name)
    .uint64(timestamp)
    .opaque8(logOrigin)
    .uint64(0n)
    .uint64(size)
    .bytes(root)
    .finish();
}

/**
 * A line for the checkpoint's note. Signs whatever it is given: to have seen that the log only grew, and to cosign no
 * smaller tree afterwards, is the caller's duty.
 *
 * @param sign makes a signature with the cosigner's private key: 64 or 2,420 bytes
 * @param timestamp seconds since 1970
 */
export async function cosign(
  text: string,
  cosigner: Cosigner,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
  timestamp: bigint,
): Promise<NoteSignature> {
  const made = await sign(cosignedMessage(text, cosigner, timestamp));
  const signature = new TlsWriter().uint64(timestamp).bytes(made).finish();
  return { name: cosigner.name, keyHash: cosignerKeyHash(cosigner), signature };
}

/**
 * The cosignature of a known cosigner; the log's own signature is another matter (`verifyCheckpoint`). As there, every
 * line in the cosigner's name and key ID has to hold, so that a forged one cannot hide behind a good one. Of several
 * the newest is taken.
 *
 * @throws Unverified when there is none, or one does not hold
 */
export function verifyCosignature(note: SignedNote, cosigner: Cosigner): Cosignature {
  const keyHash = cosignerKeyHash(cosigner);
  const own = note.signatures.filter((line) => line.name === cosigner.name && equalBytes(line.keyHash, keyHash));
  const key = keyObject(cosigner, `cosigner ${cosigner.name}`);
  const times = own.map(({ signature }) => verifyLine(note.text, cosigner, key, signature));
  const [first, ...others] = times;
  if (first === undefined) throw new Unverified(`checkpoint: is not cosigned by ${cosigner.name}`);
  return { cosigner, timestamp: others.reduce((newest, time) => (time > newest ? time : newest), first) };
}

/**
 * Returns the timestamp.
 *
 *     struct {
 *         u64 timestamp;
 *         opaque signature[64 or 2420];
 *     } timestamped_signature;
 */
function verifyLine(text: string, cosigner: Cosigner, key: KeyObject, line: Uint8Array): bigint {
  const { signatureSize } = SCHEMES[cosigner.scheme];
  if (line.length !== 8 + signatureSize)
    throw new Unverified(`checkpoint: cosignature of ${cosigner.name} has no timestamp`);
  const timestamp = new TlsReader(line.subarray(0, 8), "checkpoint: cosignature").uint64();
  if (timestamp > MAX_TIMESTAMP || !verify(null, cosignedMessage(text, cosigner, timestamp), key, line.subarray(8))) {
    throw new Unverified(`checkpoint: cosignature of ${cosigner.name} does not verify`);
  }
  return timestamp;
}

function keyObject({ scheme, publicKey }: Cosigner, field: string): KeyObject {
  const { keySize, spkiHeader } = SCHEMES[scheme];
  if (publicKey.length !== keySize) throw new Malformed(`${field}: key is not ${keySize} bytes`);
  const spki = concatBytes(decodeHex(spkiHeader, field), publicKey);
  // The key policy knows Ed25519's points of small order; every string of this size is an ML-DSA key.
  if (scheme === "ed25519") return parsePublicKey(spki, field).keyObject;
  return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
}
