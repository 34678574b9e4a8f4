import { hash as digest } from "node:crypto";
import { type PublicKey, verifySignature } from "@chancery/crypto";
import { concatBytes, decodeBase64, encodeBase64, equalBytes, utf8 } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { ed25519PublicKey } from "./raw-public-key.ts";
import type { Placed, SignatureFormat } from "./signature-format.ts";
import type { SigningKey } from "./signing-key.ts";

/**
 * Minisign (jedisct1.github.io/minisign) and OpenBSD's signify, whose files are the same without the last two lines:
 *
 *     key        untrusted comment: <text>        signature  untrusted comment: <text>
 *                base64("Ed" ‖ keyId ‖ key)                  base64(algorithm ‖ keyId ‖ signature)
 *                                                            trusted comment: <text>
 *                                                            base64(signature over signature ‖ trusted comment)
 *
 * The trusted comment is neither logged nor, as upstream, verified.
 */
export const minisign: SignatureFormat = {
  name: "minisign",
  parseKey: (key) => parseKey(key),
  verify({ artifact, signature, key }, budget) {
    const signer = parseKey(key);
    const offered = parseSignature(signature);
    budget.spend(signer.publicKey, key.field);
    // Nothing signs a key ID: with another one each, a signature could be logged 2^64 times.
    if (!equalBytes(signer.keyId, NO_ID) && !equalBytes(offered.keyId, signer.keyId))
      throw new Unverified(`${signature.field}: made by another key's ID`);
    const message = offered.prehashed ? blake2b512(artifact) : artifact;
    if (!verifySignature(signer.publicKey, message, offered.bytes)) {
      throw new Unverified(`${signature.field}: signature does not verify over the data with this key`);
    }
    return { key: signer, signature: offered.canonical };
  },
};

const PLAIN = utf8("Ed");
const PREHASHED = utf8("ED");
/** Of a key without one, as old entries have it. */
const NO_ID = new Uint8Array(8);
const MAX_TEXT = 16 * 1024;

interface MinisignKey extends SigningKey {
  readonly publicKey: PublicKey;
  readonly keyId: Uint8Array;
}

/** The whole file, its second line alone, or, as old entries have it, the 32 bytes of the key. */
function parseKey({ bytes, field }: Placed): MinisignKey {
  const whole = bytes.length === 32 ? concatBytes(PLAIN, NO_ID, bytes) : decodeKey(bytes, field);
  if (whole.length !== 42 || !equalBytes(whole.subarray(0, 2), PLAIN)) {
    throw new Malformed(`${field}: not a minisign public key`);
  }
  return {
    publicKey: ed25519PublicKey(whole.subarray(10), field),
    keyId: whole.subarray(2, 10),
    canonical: utf8(encodeBase64(whole)),
    subjects: [],
  };
}

function decodeKey(bytes: Uint8Array, field: string): Uint8Array {
  const [first = "", second, ...rest] = linesOf(bytes, field);
  if (rest.length > 0) throw new Malformed(`${field}: not a minisign public key`);
  return decodeBase64(second ?? first, field);
}

interface MinisignSignature {
  readonly prehashed: boolean;
  readonly keyId: Uint8Array;
  readonly bytes: Uint8Array;
  /** The comment is anyone's to change: upstream keeps its line, empty. */
  readonly canonical: Uint8Array;
}

function parseSignature({ bytes, field }: Placed): MinisignSignature {
  const lines = linesOf(bytes, field);
  const [, encoded, , global] = lines;
  if (encoded === undefined || (lines.length !== 2 && lines.length !== 4))
    throw new Malformed(`${field}: not a minisign signature`);
  const whole = decodeBase64(encoded, field);
  const algorithm = whole.subarray(0, 2);
  const prehashed = equalBytes(algorithm, PREHASHED);
  if (whole.length !== 74 || (!prehashed && !equalBytes(algorithm, PLAIN))) {
    throw new Malformed(`${field}: not a minisign signature`);
  }
  if (global !== undefined && decodeBase64(global, field).length !== 64) {
    throw new Malformed(`${field}: the signature of the trusted comment has not 64 bytes`);
  }
  return {
    prehashed,
    keyId: whole.subarray(2, 10),
    bytes: whole.subarray(10),
    canonical: utf8(`untrusted comment:\n${encodeBase64(whole)}`),
  };
}

/** Two lines or four; a line end after the last. */
function linesOf(bytes: Uint8Array, field: string): string[] {
  if (bytes.length > MAX_TEXT) throw new Malformed(`${field}: longer than ${MAX_TEXT} bytes`);
  const lines = new TextDecoder("latin1").decode(bytes).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function blake2b512(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(digest("blake2b512", bytes, "buffer"));
}
