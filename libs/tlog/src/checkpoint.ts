import { type PublicKey, type Signer, verifySignature } from "@chancery/crypto";
import { decodeBase64, encodeBase64, equalBytes, utf8 } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { EMPTY_ROOT, HASH_SIZE } from "./merkle.ts";
import { encodeNote, type NoteSignature, parseNote, type SignedNote } from "./note.ts";
import { noteKeyHash, type NoteKeyRule, noteKeyRule } from "./note-key.ts";
import { MAX_TREE_SIZE, type TreeHead } from "./tree-head.ts";

/** A tree head with the name of its log. c2sp.org/tlog-checkpoint. */
export interface Checkpoint extends TreeHead {
  readonly origin: string;
  /** Opaque lines below the root; "NOT RECOMMENDED". */
  readonly extensions: readonly string[];
}

/** Signs note texts themselves; RFC 6962 logs sign their tree head instead, see `signTreeHead`. */
export type TextKeyRule = Exclude<NoteKeyRule, "rfc6962">;

/** Origin, size, root in base64, extension lines: a line each. */
export function encodeCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions } = checkpoint;
  checkHead(checkpoint, "checkpoint");
  for (const line of [origin, ...extensions]) {
    if (line === "" || line.includes("\n")) throw new Malformed("checkpoint: origin or extension is not one line");
  }
  return [origin, size, encodeBase64(root), ...extensions].join("\n") + "\n";
}

export function parseCheckpoint(text: string, field = "checkpoint"): Checkpoint {
  if (!text.endsWith("\n")) throw new Malformed(`${field}: does not end in a newline`);
  const [origin, size, root, ...extensions] = text.slice(0, -1).split("\n");
  if (origin === undefined || size === undefined || root === undefined) {
    throw new Malformed(`${field}: has fewer than three lines`);
  }
  if (origin === "") throw new Malformed(`${field}: origin is empty`);
  if (extensions.includes("")) throw new Malformed(`${field}: an extension line is empty`);
  // 19 digits hold 2^63 - 1; without the bound a hostile size would cost quadratic time to read.
  if (!/^(0|[1-9]\d{0,18})$/.test(size)) throw new Malformed(`${field}: size is not a decimal`);
  const head = { size: BigInt(size), root: decodeBase64(root, `${field}: root`) };
  checkHead(head, field);
  return { origin, ...head, extensions };
}

/**
 * Signs whatever it is given. That a log never signs two histories is the duty of the engine, which
 * alone calls this for a log's key.
 */
export async function signCheckpoint(
  checkpoint: Checkpoint,
  name: string,
  signer: Signer,
  rule: TextKeyRule = noteKeyRule(signer.publicKey),
): Promise<Uint8Array> {
  const text = encodeCheckpoint(checkpoint);
  const signature = await signer.sign(utf8(text));
  return encodeNote(text, [{ name, keyHash: noteKeyHash(rule, name, signer.publicKey), signature }]);
}

/**
 * The checkpoint of a note, if the log of this origin signed it with this key. Rekor v1 signs under
 * its host name, which is not the whole of its origin: `name` is for that.
 */
export function verifyCheckpoint(note: Uint8Array, origin: string, key: PublicKey, name = origin): Checkpoint {
  const signed = parseNote(note, "checkpoint");
  const text = utf8(signed.text);
  verifyNoteSignature(signed, name, noteKeyHash(noteKeyRule(key), name, key), ({ signature }) =>
    verifySignature(key, text, signature),
  );
  const checkpoint = parseCheckpoint(signed.text);
  if (checkpoint.origin !== origin) throw new Unverified("checkpoint: is of another log");
  return checkpoint;
}

/**
 * Finds the signature of a known key. "If the key name and ID match a known key, verifiers MUST
 * verify the signature. If a signature from a known key fails to verify, clients SHOULD reject the
 * whole note. If no signature from a known key verifies successfully, clients MUST reject the note."
 * Every line in the key's name has to hold, so a forged one cannot hide behind a good one.
 */
export function verifyNoteSignature(
  note: SignedNote,
  name: string,
  keyHash: Uint8Array,
  verify: (signature: NoteSignature) => boolean,
): NoteSignature {
  const own = note.signatures.filter((line) => line.name === name && equalBytes(line.keyHash, keyHash));
  const [first] = own;
  if (first === undefined) throw new Unverified("checkpoint: is not signed by the log's key");
  if (!own.every(verify)) throw new Unverified("checkpoint: signature does not verify");
  return first;
}

function checkHead({ size, root }: TreeHead, field: string): void {
  if (size < 0n || size > MAX_TREE_SIZE) throw new Malformed(`${field}: size is out of range`);
  if (root.length !== HASH_SIZE) throw new Malformed(`${field}: root is not ${HASH_SIZE} bytes`);
  if (size === 0n && !equalBytes(root, EMPTY_ROOT)) throw new Malformed(`${field}: root is not that of an empty tree`);
}
