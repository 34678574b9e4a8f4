import { basename, resolve } from "node:path";
import { sha256 } from "@chancery/crypto";
import { decodeHex, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed, Misconfigured, RefusedToSign, Unavailable } from "@chancery/fault";
import { type Anchor, type AnchoredHead, cutsOf, isFrozen, sameAnchor } from "./anchor.ts";
import type { Settled } from "./anchor-folder.ts";
import { onVolume, Patience } from "./anchor-volume.ts";
import { codeOf, isSystemCode, volumeTrouble } from "./volume-trouble.ts";
import { type AnchorStep, noFailpoint } from "./failpoint.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
/** Older ones are of use only to someone who wants to see how the log grew; they go when there are as many again. */
const KEPT = 16;

/**
 * How long a volume may take: a disk that is forced for others takes a second or two. Who waits for an entry is told
 * 503 within it, and asks again.
 */
const PATIENCE_MS = 5_000;

export interface FileAnchorOptions {
  readonly patienceMs?: number;
  readonly failpoint?: (step: AnchorStep) => void | Promise<void>;
}

interface Numbered {
  readonly sequence: number;
  readonly head: AnchoredHead;
  readonly text: string;
}

/** A head in a durable file that has no number and so no force. */
interface Unlinked {
  readonly head: AnchoredHead;
  readonly text: string;
  readonly path: Promise<string>;
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
  readonly #folder: string;
  readonly #patience: Patience;
  readonly #failpoint: (step: AnchorStep) => void | Promise<void>;
  #last: Numbered | undefined;
  #prepared: Unlinked | undefined;

  private constructor(folder: string, patience: Patience, { failpoint = noFailpoint }: FileAnchorOptions) {
    this.#folder = folder;
    this.#patience = patience;
    this.#failpoint = failpoint;
  }

  get place(): string {
    return this.#folder;
  }

  static async open(directory: string, name: string, options: FileAnchorOptions = {}): Promise<FileAnchor> {
    if (!NAME.test(name)) throw new Misconfigured("anchor", `${JSON.stringify(name)} cannot be the name of a folder`);
    const folder = resolve(directory, name);
    const patience = new Patience(options.patienceMs ?? PATIENCE_MS);
    await patience.with(async () => await onVolume("keep", folder, await makeFolder(folder)));
    return new FileAnchor(folder, patience, options);
  }

  async read(): Promise<AnchoredHead | undefined> {
    return await this.#told(async () => (await this.#newest())?.head);
  }

  /** Writes the file while the database commits. If nothing comes of it, the next one takes it away. */
  prepare(next: AnchoredHead): void {
    if (this.#patience.isOver) return;
    const before = this.#prepared;
    this.#prepared = this.#write(next);
    // Who needs it is told of its failure; whom it was in vain for need not know.
    this.#prepared.path.catch(() => {});
    void before?.path.then((path) => onVolume("remove", [path])).catch(() => {});
  }

  async compareAndSwap(expected: AnchoredHead | undefined, next: AnchoredHead): Promise<boolean> {
    return await this.#told(async () => {
      const current = sameAnchor(this.#last?.head, expected) ? this.#last : await this.#newest();
      if (!sameAnchor(current?.head, expected)) return false;
      const sequence = (current?.sequence ?? 0) + 1;
      const unlinked = this.#unlinked(next);
      const settled = await this.#link(sequence, await unlinked.path, current);
      if (settled === undefined || !settled.follows || settled.sequences.at(-1) !== sequence) {
        this.#last = undefined;
        if (settled !== undefined) await onVolume("clear", this.#folder, [sequence]);
        return false;
      }
      const { sequences } = settled;
      this.#last = { sequence, head: next, text: unlinked.text };
      if (sequences.length >= 2 * KEPT) await onVolume("clear", this.#folder, sequences.slice(0, -KEPT));
      return true;
    });
  }

  /**
   * Durable when it resolves, with the numbers there are after it; undefined when the number is taken. What it was to
   * follow is looked at once it has its number: a folder that was lost and begun anew, or put back, counts from lower
   * numbers, and to a process that slept meanwhile its own would be the highest.
   */
  async #link(sequence: number, path: string, before: Numbered | undefined): Promise<Settled | undefined> {
    try {
      await this.#failpoint("anchor-written");
      if (!(await onVolume("link", this.#folder, path, sequence))) return undefined;
      // A crash from here on leaves the new head in force: the database holds it already.
      await this.#failpoint("anchor-linked");
      return await onVolume("settle", this.#folder, path, before && { sequence: before.sequence, text: before.text });
    } catch (error) {
      await onVolume("remove", [path]);
      throw error;
    }
  }

  #unlinked(head: AnchoredHead): Unlinked {
    const prepared = this.#prepared;
    if (prepared === undefined || !sameAnchor(prepared.head, head)) return this.#write(head);
    this.#prepared = undefined;
    return prepared;
  }

  #write(head: AnchoredHead): Unlinked {
    const text = encodeAnchor(head);
    return { head, text, path: onVolume("write", this.#folder, text) };
  }

  async #newest(): Promise<Numbered | undefined> {
    const newest = await onVolume("newest", this.#folder);
    return (this.#last = newest && { ...newest, head: parseAnchor(newest.text) });
  }

  /** A full or failing disk passes; a file that is not what was written does not. */
  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#patience.with(work);
    } catch (cause) {
      if (cause instanceof Unavailable) throw cause;
      if (cause instanceof Malformed) {
        // Anyone may read the refusal; where the file lies is for the log.
        const place = new Malformed(`${this.#folder}: ${cause.message}`, { cause });
        throw new RefusedToSign(
          `its anchor is damaged (${cause.message}): bring its newest file back, or, if the database is the newest there was, accept that (npm run chancery -- accept-anchor --log ${basename(this.#folder)})`,
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
    return await onVolume("make", folder);
  } catch (cause) {
    const code = codeOf(cause);
    if (!isSystemCode(code)) throw new Unavailable("the anchor's folder could not be looked at", 5, { cause });
    throw new Misconfigured("chancery.anchor", `${folder} may not be made, read and written by this user (${code})`, {
      cause,
    });
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
