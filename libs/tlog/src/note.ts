import { decodeBase64, encodeBase64, utf8 } from "@chancery/encoding";
import { Malformed, TooLarge } from "@chancery/fault";
import { KEY_HASH_SIZE } from "./note-key.ts";

/** A signed note: text, and who signed it. c2sp.org/signed-note. */
export interface SignedNote {
  /** Ends in a newline. What is signed is its UTF-8 encoding. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  /** First four bytes of the key ID: a hint at the key, never proof of it. */
  readonly keyHash: Uint8Array;
  readonly signature: Uint8Array;
}

export const MAX_NOTE_BYTES = 65_536;

/** "Verifiers SHOULD apply a maximum limit to the number of signatures in a note [...] but MUST accept at least up to 16." */
export const MAX_NOTE_SIGNATURES = 64;

/** Text, empty line, one `— <key name> base64(key hash || signature)` a signature. */
export function encodeNote(text: string, signatures: readonly NoteSignature[]): Uint8Array {
  checkText(text, "note");
  if (signatures.length === 0 || signatures.length > MAX_NOTE_SIGNATURES) {
    throw new Malformed(`note: has ${signatures.length} signatures`);
  }
  return utf8(`${text}\n${signatures.map(encodeSignature).join("")}`);
}

/**
 * Takes signatures of unknown names and kinds as they are: a log may be cosigned by witnesses, and
 * may send junk lines on purpose to keep clients tolerant. Nothing is verified here.
 */
export function parseNote(bytes: Uint8Array, field = "note"): SignedNote {
  if (bytes.length > MAX_NOTE_BYTES) throw new TooLarge(`${field}: is larger than ${MAX_NOTE_BYTES} bytes`);
  const note = decodeText(bytes, field);
  checkText(note, field);
  // "The text is separated from the signatures by the last empty line in the note."
  const separator = note.lastIndexOf("\n\n");
  if (separator < 0) throw new Malformed(`${field}: has no signatures`);
  const lines = note.slice(separator + 2, -1).split("\n");
  if (lines.length > MAX_NOTE_SIGNATURES) {
    throw new Malformed(`${field}: has more than ${MAX_NOTE_SIGNATURES} signatures`);
  }
  return { text: note.slice(0, separator + 1), signatures: lines.map((line) => parseSignature(line, field)) };
}

/** "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus (U+002B) characters." */
export function isKeyName(name: string): boolean {
  return name !== "" && !/[\p{White_Space}+]/u.test(name);
}

function encodeSignature({ name, keyHash, signature }: NoteSignature): string {
  // An em dash is allowed by the grammar; a name that has one can only be meant to be misread.
  if (!isKeyName(name) || name.includes("—")) throw new Malformed("note: key name is empty or has a space, '+' or '—'");
  checkText(`${name}\n`, "note: key name");
  if (keyHash.length !== KEY_HASH_SIZE) throw new Malformed(`note: key hash is not ${KEY_HASH_SIZE} bytes`);
  const bytes = new Uint8Array(KEY_HASH_SIZE + signature.length);
  bytes.set(keyHash);
  bytes.set(signature, KEY_HASH_SIZE);
  return `— ${name} ${encodeBase64(bytes)}\n`;
}

function parseSignature(line: string, field: string): NoteSignature {
  const [dash, name, base64, ...rest] = line.split(" ");
  if (dash !== "—" || name === undefined || base64 === undefined || rest.length > 0) {
    throw new Malformed(`${field}: a signature line is malformed`);
  }
  if (!isKeyName(name)) throw new Malformed(`${field}: a key name is empty or has a space or '+'`);
  const bytes = decodeBase64(base64, `${field}: signature`);
  if (bytes.length <= KEY_HASH_SIZE) throw new Malformed(`${field}: a signature is too short`);
  return { name, keyHash: bytes.slice(0, KEY_HASH_SIZE), signature: bytes.slice(KEY_HASH_SIZE) };
}

/** "MUST be valid UTF-8 and MUST NOT contain any ASCII control characters (those below U+0020) other than newline." */
function checkText(text: string, field: string): void {
  if (!text.endsWith("\n")) throw new Malformed(`${field}: does not end in a newline`);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw new Malformed(`${field}: has a control character`);
  if (!text.isWellFormed()) throw new Malformed(`${field}: is not valid Unicode`);
}

function decodeText(bytes: Uint8Array, field: string): string {
  try {
    // A byte order mark is kept, or the text that is verified would not be the bytes that were sent.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Malformed(`${field}: is not valid UTF-8`, { cause });
  }
}
