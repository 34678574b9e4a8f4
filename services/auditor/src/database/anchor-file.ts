import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Unavailable } from "@chancery/fault";
import { Difference } from "../domain/difference.ts";
import { sha256 } from "../domain/merkle.ts";

/** The highest tree head ever signed, as the log's anchor remembers it. */
export interface AnchoredHead {
  readonly origin: string;
  /** Hexadecimal. */
  readonly keyId: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  /** When it was signed. */
  readonly time: bigint;
  /** It is the last one. */
  readonly frozen: boolean;
}

const FORM =
  /^(?<lines>chancery anchor 1\norigin (?<origin>.+)\nkey (?<key>[0-9a-f]+)\nsize (?<size>\d{1,19})\nroot (?<root>[0-9a-f]{64})\ntime (?<time>\d{1,15})\n(?:cuts \d{1,9}\n)?(?:accepted [0-9a-f]{32}\n)?(?<frozen>frozen for ever\n)?)sum (?<sum>[0-9a-f]{64})\n$/;

const DAMAGED =
  "the anchor's newest file is damaged, not the log: bring that file back; if it is lost, see accept-anchor";

/** A log that signs all the time clears one away now and then; never the newest of so many looks in turn. */
const MOST_LOOKS = 20;

const PATIENCE_MS = 5_000;
/** One look after the other, in the whole process: each keeps one of Node's four threads while its volume does not answer. */
let turn: Promise<unknown> = Promise.resolve();
let overdue = false;

/** The newest file of an anchor's folder; nothing is written, cleared or locked. Undefined where there is none. */
export async function readAnchor(directory: string, patienceMs = PATIENCE_MS): Promise<AnchoredHead | undefined> {
  const late = new Unavailable(`the anchor in ${directory} cannot be read: its volume does not answer`, 0);
  if (overdue) throw late;
  const look = turn.then(() => readNewest(directory));
  turn = look.catch(() => {});
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      overdue = true;
      void turn.then(() => (overdue = false));
      reject(late);
    }, patienceMs);
    void look.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function readNewest(directory: string): Promise<AnchoredHead | undefined> {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const name = (await listed(directory))
      .filter((file) => /^\d{16}$/.test(file))
      .sort()
      .at(-1);
    if (name === undefined) return undefined;
    const text = await unlessGone(readFile(join(directory, name), "utf8"), directory);
    // Cleared away since it was listed: then there is a newer one.
    if (text !== undefined) return parseAnchor(text, name);
  }
  throw new Unavailable(`the anchor in ${directory} cannot be read: its newest file was gone ${MOST_LOOKS} times`, 0);
}

async function listed(directory: string): Promise<string[]> {
  return (await unlessGone(readdir(directory), directory)) ?? [];
}

/** A file that is there and cannot be read says nothing of the log; looked at again it would say the same. */
async function unlessGone<T>(read: Promise<T>, directory: string): Promise<T | undefined> {
  try {
    return await read;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Unavailable(`the anchor in ${directory} cannot be read`, 0, { cause });
  }
}

function parseAnchor(text: string, name: string): AnchoredHead {
  const { lines, origin, key, size, root, time, frozen, sum } = FORM.exec(text)?.groups ?? {};
  if (lines === undefined || origin === undefined || key === undefined || root === undefined) {
    throw new Difference(
      { kind: "anchor", field: `file ${name}` },
      "an anchor",
      JSON.stringify(text.slice(0, 200)),
      DAMAGED,
    );
  }
  const own = sha256(Buffer.from(lines)).toHex();
  if (own !== sum) throw new Difference({ kind: "anchor", field: `file ${name}, sum` }, own, String(sum), DAMAGED);
  return {
    origin,
    keyId: key,
    size: BigInt(size ?? 0),
    root: Uint8Array.fromHex(root),
    time: BigInt(time ?? 0),
    frozen: frozen !== undefined,
  };
}
