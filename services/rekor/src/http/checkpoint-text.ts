import { utf8 } from "@chancery/encoding";
import type { PublishedCheckpoint } from "@chancery/log";

/** Of a batch of a thousand and what it is proven by, with some to spare. */
const MOST_HASHES = 4_096;

/**
 * What the answers to a batch have in common, which is a third of each: one checkpoint, and the upper nodes of their
 * proofs, which are one and the same array of bytes for all of them.
 */
export interface CheckpointText {
  /** The note as a JSON string, UTF-8. */
  readonly note: Uint8Array;
  readonly root: string;
  hash(bytes: Uint8Array): string;
}

/**
 * For one API, which writes hashes in its own way. The texts of the checkpoint asked for last are remembered, and no other's:
 * a map whose keys are weak kept those of all batches until the next collection of the old generation.
 */
export function checkpointTexts(
  encodeHash: (hash: Uint8Array) => string,
): (checkpoint: PublishedCheckpoint) => CheckpointText {
  let last: PublishedCheckpoint | undefined;
  let text: CheckpointText | undefined;
  return (checkpoint) => {
    if (text === undefined || last !== checkpoint) {
      last = checkpoint;
      text = textOf(checkpoint, encodeHash);
    }
    return text;
  };
}

function textOf({ note, head }: PublishedCheckpoint, encodeHash: (hash: Uint8Array) => string): CheckpointText {
  const hashes = new Map<Uint8Array, string>();
  return {
    note: utf8(JSON.stringify(decodeNote(note))),
    root: encodeHash(head.root),
    hash: (bytes) => {
      let text = hashes.get(bytes);
      if (text === undefined) {
        text = encodeHash(bytes);
        if (hashes.size < MOST_HASHES) hashes.set(bytes, text);
      }
      return text;
    },
  };
}

/**
 * An answer around the note: what is before and after it MUST be ASCII. As one string it would have two octets a
 * character, for the dash that signatures in a note begin with: joining, measuring and sending it took twice as long.
 */
export function aroundNote(before: string, note: Uint8Array, after: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(before.length + note.length + after.length);
  bytes.write(before, 0, "latin1");
  bytes.set(note, before.length);
  bytes.write(after, before.length + note.length, "latin1");
  return bytes;
}

/** A signed note is UTF-8 text. */
export function decodeNote(note: Uint8Array): string {
  return decoder.decode(note);
}

const decoder = new TextDecoder();
