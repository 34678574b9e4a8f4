import { decodeBase64 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

export interface NoteSignature {
  readonly name: string;
  /** The first four bytes of the key's ID: a hint at the key, never proof of it. */
  readonly keyHash: Uint8Array;
  readonly signature: Uint8Array;
}

/** What a log signs: its name, its size and its root. c2sp.org/tlog-checkpoint in c2sp.org/signed-note. */
export interface SignedCheckpoint {
  /** What the signatures are over. */
  readonly text: string;
  readonly origin: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly signatures: readonly NoteSignature[];
}

const LONGEST = 65_536;

export function parseSignedCheckpoint(note: string): SignedCheckpoint {
  if (note.length > LONGEST) throw new Malformed("the checkpoint is longer than 64 KiB");
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw new Malformed("the checkpoint has no signatures");
  const text = note.slice(0, end + 1);
  const [origin, size, root, ...extensions] = text.slice(0, -1).split("\n");
  if (origin === undefined || origin === "" || size === undefined || root === undefined || extensions.includes("")) {
    throw new Malformed("the checkpoint is not an origin, a size and a root");
  }
  if (!/^(0|[1-9]\d{0,18})$/.test(size)) throw new Malformed("the checkpoint's size is not a decimal");
  const bytes = decodeBase64(root, "the checkpoint's root");
  if (bytes.length !== 32) throw new Malformed("the checkpoint's root is not 32 bytes");
  const lines = note.slice(end + 2, -1).split("\n");
  return { text, origin, size: BigInt(size), root: bytes, signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, base64] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  if (name === undefined || base64 === undefined)
    throw new Malformed("a signature line of the checkpoint is malformed");
  const bytes = decodeBase64(base64, "a signature of the checkpoint");
  if (bytes.length <= 4) throw new Malformed("a signature of the checkpoint is too short");
  return { name, keyHash: bytes.slice(0, 4), signature: bytes.slice(4) };
}
