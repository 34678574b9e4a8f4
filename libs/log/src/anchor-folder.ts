import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "./volume-trouble.ts";

/*
 * The folder of an anchor:
 *
 *   0000000000000001, …2 and so on   numbered: the highest is in force
 *   new-<UUID>                       durable, without a number, and so of no force
 *
 * Each call waits for the volume, which may not answer: they are for a thread of their own (anchor-volume.ts). What one
 * throws has the system's code.
 */

const SEQUENCE = /^\d{16}$/;

/** How often the newest file may be cleared away by others while it is being opened. */
const ROUNDS = 16;

/** Each write is on disk when it returns: one call where write and fdatasync are two. */
const NEW_AND_DURABLE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC;

const ABANDONED_MS = 3_600_000;

export interface NumberedFile {
  readonly sequence: number;
  readonly text: string;
}

export interface Settled {
  /** The numbers there are, ascending. */
  readonly sequences: readonly number[];
  /** What it was to follow stands where it did. */
  readonly follows: boolean;
}

export const anchorFolder = {
  /** Made, and found to be one that this user may read and write; the highest folder that was not there before. */
  make(folder: string): string | undefined {
    const created = mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return created;
  },

  /** Each new folder is an entry in the one above: without it a power cut takes the anchor back, and all below. */
  keep(folder: string, created: string | undefined): void {
    const highest = dirname(created ?? folder);
    for (let above = dirname(folder); ; above = dirname(above)) {
      syncFolder(above);
      if (above.length <= highest.length) break;
    }
    removeAbandoned(folder);
  },

  /**
   * The newest, and durable: another process may have linked it a moment ago and died before it made it so, and on what is
   * read here a head is signed. So the folder is forced to disk after it was read, not before.
   */
  newest(folder: string): NumberedFile | undefined {
    const newest = findNewest(folder);
    syncFolder(folder);
    return newest;
  },

  /** The path of a durable file without a number. */
  write(folder: string, text: string): string {
    const path = join(folder, `new-${randomUUID()}`);
    const file = openSync(path, NEW_AND_DURABLE, 0o600);
    try {
      writeFileSync(file, text);
      return path;
    } catch (error) {
      remove([path]);
      throw error;
    } finally {
      closeSync(file);
    }
  },

  /** False where the number is taken. Not durable yet: see `settle`. */
  link(folder: string, path: string, sequence: number): boolean {
    try {
      linkSync(path, numbered(folder, sequence));
      return true;
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      remove([path]);
      return false;
    }
  },

  /** What was linked is durable when it returns, and has its number alone. */
  settle(folder: string, path: string, before: NumberedFile | undefined): Settled {
    try {
      syncFolder(folder);
      const sequences = sequencesIn(folder);
      return { sequences, follows: before === undefined || readNumbered(folder, before.sequence) === before.text };
    } finally {
      unlinkSync(path);
    }
  },

  /** Others may clear the same away, also what a process that slept gave a number of long ago. */
  clear(folder: string, sequences: readonly number[]): void {
    remove(sequences.map((sequence) => numbered(folder, sequence)));
  },

  remove,
};

function findNewest(folder: string): NumberedFile | undefined {
  // The newest is never cleared away, but what was newest may be: then there is a newer one.
  for (let round = 0; round < ROUNDS; round++) {
    const sequence = sequencesIn(folder).at(-1);
    if (sequence === undefined) return undefined;
    const text = readNumbered(folder, sequence);
    if (text !== undefined) return { sequence, text };
  }
  throw new Error("the newest of its files is named and cannot be found");
}

/** Those that can be. */
function remove(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      unlinkSync(path);
    } catch {}
  }
}

function sequencesIn(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => SEQUENCE.test(name))
    .sort()
    .map(Number);
}

function readNumbered(folder: string, sequence: number): string | undefined {
  try {
    return readFileSync(numbered(folder, sequence), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function numbered(folder: string, sequence: number): string {
  return join(folder, String(sequence).padStart(16, "0"));
}

/** What crashes left behind. Another process may be writing one right now, so only old ones go. */
function removeAbandoned(folder: string): void {
  const old = Date.now() - ABANDONED_MS;
  const written = readdirSync(folder).filter((name) => name.startsWith("new-"));
  remove(written.map((name) => join(folder, name)).filter((path) => modified(path) < old));
}

/** Of one that cannot be told it is now. */
function modified(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Infinity;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
