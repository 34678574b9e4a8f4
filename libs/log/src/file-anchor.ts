import { randomUUID } from "node:crypto";
import {
  access,
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { sha256 } from "@chancery/crypto";
import { decodeHex, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed, Misconfigured, RefusedToSign, Unavailable } from "@chancery/fault";
import { type Anchor, type AnchoredHead, cutsOf, isFrozen, sameAnchor } from "./anchor.ts";
import { onVolume, Patience } from "./anchor-volume.ts";
import { volumeTrouble } from "./volume-trouble.ts";
import { type AnchorStep, noFailpoint } from "./failpoint.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
const SEQUENCE = /^\d{16}$/;
/** Older ones are of use only to someone who wants to see how the log grew; they go when there are as many again. */
const KEPT = 16;

/** How often the newest file may be cleared away by others while it is being opened. */
const ROUNDS = 16;

/**
 * How long a volume may take: a disk that is forced for others takes a second or two. Who waits for an entry is told
 * 503 within it, and asks again.
 */
const PATIENCE_MS = 5_000;

/** Each write is on disk when it returns: one call where write and fdatasync are two. */
const NEW_AND_DURABLE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC;

export interface FileAnchorOptions {
  readonly patienceMs?: number;
  readonly failpoint?: (step: AnchorStep) => void | Promise<void>;
}

interface Numbered {
  readonly sequence: number;
  readonly head: AnchoredHead;
}

interface Linked {
  readonly sequences: readonly number[];
  /** What it was to follow stands where it did. */
  readonly follows: boolean;
}

/**
 * An anchor as files `0000000000000001`, `…2` and so on in a folder; the highest number counts.
 *
 * A new one is written beside, made durable, and then linked to the next number: link(2) fails if that
 * number is taken, so among processes, whatever their timing, one wins. A process that slept so long
 * that its "next number" was used and cleared away again finds a higher one after linking, and has lost;
 * meanwhile nobody looked at it, since only the highest counts. One whose folder was exchanged meanwhile does not find
 * the file that it was to follow, and has lost, too.
 *
 * On a volume that does not answer, what was begun goes on when it answers again, long after its caller was told that it
 * may or may not be. That is what a crash leaves, too: a number is taken by the tree that is committed already, or
 * another has it, and either way nothing was signed.
 */
export class FileAnchor implements Anchor {
  readonly #directory: string;
  readonly #patience: Patience;
  readonly #failpoint: (step: AnchorStep) => void | Promise<void>;
  #last: Numbered | undefined;
  #prepared: { readonly head: AnchoredHead; readonly unlinked: Promise<string> } | undefined;

  private constructor(directory: string, patience: Patience, { failpoint = noFailpoint }: FileAnchorOptions) {
    this.#directory = directory;
    this.#patience = patience;
    this.#failpoint = failpoint;
  }

  get place(): string {
    return this.#directory;
  }

  static async open(directory: string, name: string, options: FileAnchorOptions = {}): Promise<FileAnchor> {
    if (!NAME.test(name)) throw new Misconfigured("anchor", `${JSON.stringify(name)} cannot be the name of a folder`);
    const folder = resolve(directory, name);
    const patience = new Patience(options.patienceMs ?? PATIENCE_MS);
    await patience.with(async () => {
      const created = await makeFolder(folder);
      // Each new folder is an entry in the one above: without it a power cut takes the anchor back, and all below.
      const highest = dirname(created ?? folder);
      for (let above = dirname(folder); ; above = dirname(above)) {
        await syncDirectory(above);
        if (above.length <= highest.length) break;
      }
      await removeUnlinked(folder);
    });
    return new FileAnchor(folder, patience, options);
  }

  async read(): Promise<AnchoredHead | undefined> {
    return await this.#told(async () => {
      // Another process may have linked it and not yet made it durable.
      await syncDirectory(this.#directory);
      return (await this.#newest())?.head;
    });
  }

  /** Writes the file while the database commits. If nothing comes of it, the next one takes it away. */
  prepare(next: AnchoredHead): void {
    if (this.#patience.isOver) return;
    const unlinked = this.#write(next);
    const before = this.#prepared;
    this.#prepared = { head: next, unlinked };
    // Who needs it is told of its failure; whom it was in vain for need not know.
    unlinked.catch(() => {});
    void before?.unlinked.then((path) => onVolume(() => unlink(path))).catch(() => {});
  }

  async compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead): Promise<boolean> {
    return await this.#told(async () => {
      const current = sameAnchor(this.#last?.head, expected) ? this.#last : await this.#newest();
      if (!sameAnchor(current?.head, expected)) return false;
      const sequence = (current?.sequence ?? 0) + 1;
      const linked = await this.#link(sequence, next, current);
      if (linked === undefined || !linked.follows || linked.sequences.at(-1) !== sequence) {
        this.#last = undefined;
        if (linked !== undefined) await onVolume(() => unlink(this.#path(sequence)));
        return false;
      }
      const { sequences } = linked;
      this.#last = { sequence, head: next };
      if (sequences.length >= 2 * KEPT) await this.#clear(sequences.slice(0, -KEPT));
      return true;
    });
  }

  /** Durable when it resolves, with the numbers there are after it; undefined when the number is taken. */
  async #link(sequence: number, head: AnchoredHead, before: Numbered | undefined): Promise<Linked | undefined> {
    const unlinked = await this.#unlinked(head);
    await this.#failpoint("anchor-written");
    // Opened while it is linked, and not before: what is prepared may be in vain, and would be left open.
    const opening = onVolume(() => open(this.#directory, "r"));
    try {
      const [folder] = await Promise.all([opening, onVolume(() => link(unlinked, this.#path(sequence)))]);
      // A crash from here on leaves the new head in force: the database holds it already.
      await this.#failpoint("anchor-linked");
      const [, sequences, follows] = await Promise.all([
        // The longest first: the two others have their turn beside it.
        onVolume(() => folder.sync()),
        this.#sequences(),
        this.#isThere(before),
      ]);
      return { sequences, follows };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
      throw error;
    } finally {
      await Promise.all([onVolume(() => unlink(unlinked)), opening.then(closed, () => {})]);
    }
  }

  /**
   * Looked at once the next number is linked. A folder that was lost and begun anew, or put back, counts from lower numbers:
   * to a process that slept meanwhile its own would be the highest.
   */
  async #isThere(before: Numbered | undefined): Promise<boolean> {
    if (before === undefined) return true;
    try {
      const text = await onVolume(() => readFile(this.#path(before.sequence), "utf8"));
      return text === encodeAnchor(before.head);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  }

  /** A head in a durable file that has no number and so no force. */
  #unlinked(head: AnchoredHead): Promise<string> {
    const prepared = this.#prepared;
    if (prepared === undefined || !sameAnchor(prepared.head, head)) return this.#write(head);
    this.#prepared = undefined;
    return prepared.unlinked;
  }

  async #write(head: AnchoredHead): Promise<string> {
    const path = join(this.#directory, `new-${randomUUID()}`);
    const file = await onVolume(() => open(path, NEW_AND_DURABLE, 0o600));
    try {
      await onVolume(() => file.writeFile(encodeAnchor(head)));
      return path;
    } catch (error) {
      await onVolume(() => unlink(path)).catch(() => {});
      throw error;
    } finally {
      await closed(file);
    }
  }

  async #clear(old: readonly number[]): Promise<void> {
    await Promise.all(old.map((sequence) => onVolume(() => unlink(this.#path(sequence))).catch(() => {})));
  }

  async #newest(): Promise<Numbered | undefined> {
    // The newest is never cleared away, but what was newest may be: then there is a newer one.
    for (let round = 0; round < ROUNDS; round++) {
      const sequence = (await this.#sequences()).at(-1);
      if (sequence === undefined) return (this.#last = undefined);
      try {
        const text = await onVolume(() => readFile(this.#path(sequence), "utf8"));
        return (this.#last = { sequence, head: parseAnchor(text) });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
    throw new Error("the newest of its files is named and cannot be found");
  }

  async #sequences(): Promise<number[]> {
    const names = await onVolume(() => readdir(this.#directory));
    return names
      .filter((name) => SEQUENCE.test(name))
      .sort()
      .map(Number);
  }

  #path(sequence: number): string {
    return join(this.#directory, String(sequence).padStart(16, "0"));
  }

  /** A full or failing disk passes; a file that is not what was written does not. */
  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#patience.with(work);
    } catch (cause) {
      if (cause instanceof Unavailable) throw cause;
      if (cause instanceof Malformed) {
        // Anyone may read the refusal; where the file lies is for the log.
        const place = new Malformed(`${this.#directory}: ${cause.message}`, { cause });
        throw new RefusedToSign(
          `its anchor is damaged (${cause.message}): bring its newest file back, or, if the database is the newest there was, accept that (npm run chancery -- accept-anchor --log ${basename(this.#directory)})`,
          { cause: place },
        );
      }
      throw new Unavailable(`the anchor cannot be read or written${volumeTrouble(cause)}`, 5, { cause });
    }
  }
}

/** On a volume of its own it is most often the volume that belongs to somebody else. */
async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    const created = await onVolume(() => mkdir(folder, { recursive: true, mode: 0o700 }));
    await onVolume(() => access(folder, constants.R_OK | constants.W_OK | constants.X_OK));
    return created;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Misconfigured("chancery.anchor", `${folder} may not be made, read and written by this user (${code})`, {
      cause,
    });
  }
}

/** What crashes left behind. Another process may be writing one right now, so only old ones go. */
async function removeUnlinked(folder: string): Promise<void> {
  for (const name of await onVolume(() => readdir(folder))) {
    if (!name.startsWith("new-")) continue;
    const path = join(folder, name);
    const age = Date.now() - ((await onVolume(() => stat(path)).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > 3_600_000) await onVolume(() => unlink(path)).catch(() => {});
  }
}

const FIRST_LINE = "chancery anchor 1";

/** Lines of name and value, to be read by people too; the last one is SHA-256 of those above. */
function encodeAnchor(head: AnchoredHead): string {
  const lines = [
    FIRST_LINE,
    `origin ${head.origin}`,
    `key ${encodeHex(head.keyId)}`,
    `size ${head.size}`,
    `root ${encodeHex(head.root)}`,
    `time ${head.time}`,
    // Where there is none, the form is the one that every version of the program reads.
    ...(cutsOf(head) === 0 ? [] : [`cuts ${head.cuts}`]),
    ...(head.accepted === undefined ? [] : [`accepted ${head.accepted}`]),
    ...(isFrozen(head) ? ["frozen for ever"] : []),
    "",
  ].join("\n");
  return `${lines}sum ${encodeHex(sha256(utf8(lines)))}\n`;
}

function parseAnchor(text: string): AnchoredHead {
  const match =
    /^(?<lines>chancery anchor 1\norigin (?<origin>.+)\nkey (?<key>[0-9a-f]+)\nsize (?<size>\d{1,19})\nroot (?<root>[0-9a-f]{64})\ntime (?<time>\d{1,15})\n(?:cuts (?<cuts>\d{1,9})\n)?(?:accepted (?<accepted>[0-9a-f]{32})\n)?(?<frozen>frozen for ever\n)?)sum (?<sum>[0-9a-f]{64})\n$/.exec(
      text,
    );
  const { lines, origin, key, size, root, time, cuts, accepted, frozen, sum } = match?.groups ?? {};
  if (lines === undefined || origin === undefined || key === undefined || root === undefined) {
    throw new Malformed("anchor: is not in its form");
  }
  if (encodeHex(sha256(utf8(lines))) !== sum) throw new Malformed("anchor: its sum does not match");
  return {
    origin,
    keyId: decodeHex(key, "anchor: key"),
    size: BigInt(size ?? 0),
    root: decodeHex(root, "anchor: root"),
    time: Number(time),
    ...(cuts === undefined ? {} : { cuts: Number(cuts) }),
    ...(accepted === undefined ? {} : { accepted }),
    ...(frozen === undefined ? {} : { frozen: true }),
  };
}

async function closed(file: FileHandle): Promise<void> {
  await onVolume(() => file.close());
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await onVolume(() => open(path, "r"));
  try {
    await onVolume(() => directory.sync());
  } finally {
    await closed(directory);
  }
}
