import { type PublicKey, type Signer, verifySignature } from "@chancery/crypto";
import { TlsReader, TlsWriter } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { encodeCheckpoint, parseCheckpoint, verifyNoteSignature } from "./checkpoint.ts";
import { encodeNote, parseNote } from "./note.ts";
import { noteKeyHash } from "./note-key.ts";
import type { TreeHead } from "./tree-head.ts";

/** The tree head of an RFC 6962 log, as `get-sth` answers it and as its checkpoint carries it. */
export interface SignedTreeHead extends TreeHead {
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
  /** A DigitallySigned over `treeHeadSignedData`. */
  readonly signature: Uint8Array;
}

/**
 * What an RFC 6962 log signs for a tree head. RFC 6962, Section 3.5.
 *
 *     digitally-signed struct {
 *         Version version;                                  // v1(0)
 *         SignatureType signature_type = tree_hash;         // (1)
 *         uint64 timestamp;
 *         uint64 tree_size;
 *         opaque sha256_root_hash[32];
 *     } TreeHeadSignature;
 */
export function treeHeadSignedData(head: TreeHead, timestamp: bigint): Uint8Array {
  return new TlsWriter().uint8(0).uint8(1).uint64(timestamp).uint64(head.size).bytes(head.root).finish();
}

/**
 * Signs a tree head as a checkpoint of c2sp.org/static-ct-api: a note whose signature is not over its
 * text but over the TreeHeadSignature of the same size and root.
 *
 *     struct {
 *         uint64 timestamp;
 *         TreeHeadSignature signature;
 *     } RFC6962NoteSignature;
 *
 * Signs whatever it is given, as `signCheckpoint` does. The key is P-256, as RFC 6962 wants it.
 */
export async function signTreeHead(
  head: TreeHead,
  timestamp: bigint,
  origin: string,
  signer: Signer,
): Promise<Uint8Array> {
  const text = encodeCheckpoint({ origin, ...head, extensions: [] });
  const signature = new TlsWriter()
    .uint64(timestamp)
    .bytes(digitallySigned(await signer.sign(treeHeadSignedData(head, timestamp)), signer.publicKey))
    .finish();
  return encodeNote(text, [{ name: origin, keyHash: noteKeyHash("rfc6962", origin, signer.publicKey), signature }]);
}

/** The tree head of a note, if the log of this origin signed it with this key. */
export function verifyTreeHead(note: Uint8Array, origin: string, key: PublicKey): SignedTreeHead {
  const signed = parseNote(note, "checkpoint");
  const { size, root, ...checkpoint } = parseCheckpoint(signed.text);
  if (checkpoint.origin !== origin) throw new Unverified("checkpoint: is of another log");
  // The signature does not cover extension lines, so anyone could have written them.
  if (checkpoint.extensions.length > 0) throw new Unverified("checkpoint: has lines that no signature covers");
  const line = verifyNoteSignature(signed, origin, noteKeyHash("rfc6962", origin, key), ({ signature }) => {
    const read = parseTreeHeadSignature(signature);
    const bytes = parseDigitallySigned(read.signature, "checkpoint: signature");
    return verifySignature(key, treeHeadSignedData({ size, root }, read.timestamp), bytes);
  });
  return { size, root, ...parseTreeHeadSignature(line.signature) };
}

function parseTreeHeadSignature(bytes: Uint8Array): Pick<SignedTreeHead, "timestamp" | "signature"> {
  if (bytes.length < 8) throw new Malformed("checkpoint: tree head signature is too short");
  return {
    timestamp: new TlsReader(bytes.subarray(0, 8), "checkpoint: timestamp").uint64(),
    signature: bytes.slice(8),
  };
}

/**
 * RFC 5246, Section 4.7, with sha256(4) and ecdsa(3), the one pair that every reader of private CT logs knows.
 *
 *     struct {
 *        SignatureAndHashAlgorithm algorithm;
 *        opaque signature<0..2^16-1>;
 *     } DigitallySigned;
 */
function digitallySigned(signature: Uint8Array, key: PublicKey): Uint8Array {
  if (key.algorithm !== "ecdsa-p256") throw new Unsupported("tree head: key is not an ECDSA P-256 key");
  return new TlsWriter().uint8(SHA256).uint8(ECDSA).opaque16(signature).finish();
}

function parseDigitallySigned(bytes: Uint8Array, field: string): Uint8Array {
  const reader = new TlsReader(bytes, field);
  if (reader.uint8() !== SHA256 || reader.uint8() !== ECDSA)
    throw new Unsupported(`${field}: is not ECDSA with SHA-256`);
  const signature = reader.opaque16();
  reader.end();
  return signature;
}

const SHA256 = 4;
const ECDSA = 3;
