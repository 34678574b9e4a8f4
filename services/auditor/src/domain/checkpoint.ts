import { type KeyObject, verify } from "node:crypto";
import { concatBytes, utf8 } from "@chancery/encoding";
import { Difference, expectEqual, NOTHING } from "./difference.ts";
import { HASH_BYTES, sha256 } from "./merkle.ts";

/** By whom and how a log's checkpoints are signed. */
export interface LogIdentity {
  readonly origin: string;
  /** The name on the signature line. Rekor v1 signs under its host name, every other log under its origin. */
  readonly signer: string;
  /** `text`: over the note's text. `tree head`: RFC 6962, Section 3.5, as c2sp.org/static-ct-api carries it. */
  readonly signs: "text" | "tree head";
  /** One of them signs: a server that has several logs publishes the keys of all under one URL. */
  readonly keys: readonly KeyObject[];
}

export interface SignedHead {
  readonly size: bigint;
  readonly root: Uint8Array;
  /** Milliseconds since 1970; only a signed tree head has one. */
  readonly time: bigint | undefined;
}

const MAX_NOTE_BYTES = 65_536;
const KEY_HASH_BYTES = 4;

/** The head of a signed note, c2sp.org/tlog-checkpoint, once its signature holds. Throws the first Difference. */
export function openCheckpoint(bytes: Uint8Array, log: LogIdentity): SignedHead {
  const { text, lines } = splitNote(bytes);
  const [origin = "", size = "", root = "", ...others] = text.slice(0, -1).split("\n");
  if (!/^(0|[1-9]\d{0,18})$/.test(size)) throw different("size", "a decimal", size);
  const head = { size: BigInt(size), root: Buffer.from(root, "base64") };
  if (head.root.length !== HASH_BYTES || head.root.toString("base64") !== root) {
    throw different("root", `${HASH_BYTES} bytes in base64`, root);
  }
  const keys = new Map(log.keys.map((key) => [keyHashOf(log, key).toHex(), key]));
  const own = lines.filter((line) => line.name === log.signer && keys.has(line.keyHash));
  if (own.length === 0) {
    const names = lines.map((line) => `${line.name} ${line.keyHash}`).join(", ");
    throw different("signature", `one by ${log.signer} with key ${[...keys.keys()].join(" or ")}`, names || NOTHING);
  }
  const times = own.map(({ signature, keyHash }) => {
    const key = keys.get(keyHash);
    return key && verified(text, head, signature, { ...log, key });
  });
  expectEqual({ kind: "checkpoint", field: "origin" }, log.origin, origin);
  // What a tree head signature does not cover, anyone could have added.
  if (log.signs === "tree head" && others.length > 0)
    throw different("lines below the root", NOTHING, others.join(" "));
  return { ...head, time: times[0] };
}

function splitNote(bytes: Uint8Array) {
  if (bytes.length > MAX_NOTE_BYTES) throw different("form", "a signed note", `${bytes.length} bytes`);
  const note = noteText(bytes);
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw different("form", "a signed note", JSON.stringify(note.slice(0, 100)));
  const lines = note
    .slice(end + 2, -1)
    .split("\n")
    .map((line) => {
      const match = /^— (?<name>[^\s+]+) (?<base64>[A-Za-z0-9+/]+={0,2})$/.exec(line);
      const { name = "", base64 = "" } = match?.groups ?? {};
      const signed = Buffer.from(base64, "base64");
      if (signed.toString("base64") !== base64 || signed.length <= KEY_HASH_BYTES) {
        throw different("signature line", "a name and base64", line);
      }
      return {
        name,
        keyHash: signed.subarray(0, KEY_HASH_BYTES).toString("hex"),
        signature: signed.subarray(KEY_HASH_BYTES),
      };
    });
  return { text: note.slice(0, end + 1), lines };
}

/** c2sp.org/signed-note, "Signature types": 0x01 Ed25519, 0x02 ECDSA (by its SPKI alone), 0x05 RFC 6962 tree heads. */
function keyHashOf({ signer, signs }: LogIdentity, key: KeyObject): Uint8Array {
  const spki = key.export({ type: "spki", format: "der" });
  if (signs === "text" && key.asymmetricKeyType === "ec") return sha256(spki).subarray(0, KEY_HASH_BYTES);
  const typed =
    signs === "tree head"
      ? concatBytes(Uint8Array.of(5), sha256(spki))
      : concatBytes(Uint8Array.of(1), spki.subarray(-32));
  return sha256(concatBytes(utf8(`${signer}\n`), typed)).subarray(0, KEY_HASH_BYTES);
}

/** Resolves to the time that a tree head signature covers. */
function verified(
  text: string,
  head: Pick<SignedHead, "size" | "root">,
  signature: Buffer,
  log: LogIdentity & { readonly key: KeyObject },
): bigint | undefined {
  const algorithm = log.key.asymmetricKeyType === "ed25519" ? undefined : "sha256";
  if (log.signs === "text") {
    if (!verify(algorithm, utf8(text), log.key, signature)) throw forged(log, signature);
    return undefined;
  }
  // uint64 timestamp; then DigitallySigned: sha256(4), ecdsa(3), opaque signature<0..2^16-1>.
  if (signature.length < 12 || signature.readUInt32BE(8) !== 0x0403_0000 + signature.length - 12) {
    throw forged(log, signature);
  }
  const time = signature.readBigUInt64BE(0);
  // Version v1(0), SignatureType tree_hash(1), uint64 timestamp, uint64 tree_size, opaque sha256_root_hash[32].
  const signed = Buffer.alloc(18);
  signed.writeUInt8(1, 1);
  signed.writeBigUInt64BE(time, 2);
  signed.writeBigUInt64BE(head.size, 10);
  if (!verify(algorithm, concatBytes(signed, head.root), log.key, signature.subarray(12))) throw forged(log, signature);
  return time;
}

function forged({ signer }: LogIdentity, signature: Uint8Array): Difference {
  return different("signature", `one of ${signer} over this text`, signature.toHex());
}

function different(field: string, expected: string, found: string): Difference {
  return new Difference({ kind: "checkpoint", field }, expected, found);
}

/** A signed note is UTF-8 text. */
export function noteText(note: Uint8Array): string {
  return Buffer.from(note).toString("utf8");
}
