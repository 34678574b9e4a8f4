import { concatBytes, counted, utf8 } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { fingerprint, kindNamedBy, type PublicKey } from "./public-key.ts";
import { verifyMessage } from "./signature.ts";
import { type NamedLog, requireOrigin } from "./log-name.ts";
import type { NoteSignature, SignedCheckpoint } from "./signed-note.ts";
import type { Finding } from "./step.ts";
import type { TrustedKey } from "./trusted-keys.ts";

/** Under which key a checkpoint verified, for the steps that come after. */
export interface FoundKey {
  logKey: TrustedKey | undefined;
}

const SOURCES: Readonly<Record<TrustedKey["source"], string>> = {
  pasted: "a key that you put into this browser",
  pinned: "the key that this browser has kept since an earlier visit",
  server: "the key from this server's trusted root, so by its word",
};

/** Undefined for `log`: of a bundle, which may be of a log elsewhere. */
export async function checkSignature(
  checkpoint: SignedCheckpoint | undefined,
  keys: readonly TrustedKey[],
  found: FoundKey,
  log?: NamedLog,
): Promise<Finding> {
  if (checkpoint === undefined) throw new Unverified("there is no checkpoint that could be read");
  const trusted = await findSigner(checkpoint, keys);
  if (log !== undefined) requireOrigin(checkpoint.origin, log, trusted);
  found.logKey = trusted;
  const { key, source, label } = trusted;
  const others = checkpoint.signatures.length - 1;
  const cosigned = others > 0 ? ` It has ${counted(others, "more signature")} beside it, not looked at.` : "";
  return {
    state: "passed",
    words: `It verifies under ${SOURCES[source]}.${cosigned}`,
    values: [
      ["Key", `${key.algorithm}, SHA-256 ${fingerprint(key).toHex()}`],
      ["Named", label],
    ],
  };
}

/**
 * The log's own line: its name is the origin, or for Rekor v1 the origin's host. "If a signature from a known key fails
 * to verify, clients SHOULD reject the whole note": every line in the key's name has to hold. c2sp.org/signed-note.
 */
async function findSigner(checkpoint: SignedCheckpoint, keys: readonly TrustedKey[]): Promise<TrustedKey> {
  if (keys.length === 0) throw new Unverified("no log key is known to this browser");
  const ofLog = checkpoint.signatures.filter(
    ({ name }) => checkpoint.origin === name || checkpoint.origin.startsWith(`${name} - `),
  );
  for (const trusted of keys) {
    const verdicts = await Promise.all(ofLog.map((line) => verifyLine(checkpoint, line, trusted.key)));
    if (verdicts.includes(false)) throw new Unverified("the signature on the checkpoint does not verify");
    if (verdicts.includes(true)) return trusted;
  }
  throw new Unverified("none of the keys you trust has signed this checkpoint");
}

/** Undefined for a line that is not by this key. */
async function verifyLine(
  checkpoint: SignedCheckpoint,
  { name, keyHash, signature }: NoteSignature,
  key: PublicKey,
): Promise<boolean | undefined> {
  const kind = kindNamedBy(key, name, keyHash);
  if (kind === undefined) return undefined;
  if (kind === "text") return await verifyMessage(key, utf8(checkpoint.text), signature);
  return await verifyTreeHead(checkpoint, signature, key);
}

/**
 *     struct {                                      RFC 6962, Section 3.5, as c2sp.org/static-ct-api puts it into a note:
 *       Version version = v1(0);                    the line has the timestamp (8 bytes), then DigitallySigned:
 *       SignatureType signature_type = tree_hash(1);  hash, signature algorithm, length (2 bytes), signature
 *       uint64 timestamp;
 *       uint64 tree_size;
 *       opaque sha256_root_hash[32];
 *     } TreeHeadSignature;
 */
async function verifyTreeHead(
  { text, size, root }: SignedCheckpoint,
  line: Uint8Array,
  key: PublicKey,
): Promise<boolean> {
  const view = new DataView(line.buffer, line.byteOffset, line.byteLength);
  if (line.length < 13 || view.getUint16(10) !== line.length - 12) return false;
  // The signature does not cover extension lines, so anyone could have written them.
  if (text.split("\n").length > 4) return false;
  const head = new Uint8Array(10 + 8);
  head[1] = 1;
  head.set(line.subarray(0, 8), 2);
  new DataView(head.buffer).setBigUint64(10, size);
  return await verifyMessage(key, concatBytes(head, root), line.subarray(12));
}
