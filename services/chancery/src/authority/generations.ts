import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { parseYaml } from "@chancery/service";
import { z } from "zod";
import { writeDurably } from "../durable-file.ts";

/*
 * `authority.json`: which chains of Fulcio's authority there were, in order, and which is awaited. It is replaced as a
 * whole, after the files it names are on disk: so a crash leaves the old state or the new one, and files that it does
 * not name mean nothing. Where it is absent there is one chain, made with the installation.
 */

const FILE = "authority.json";

const fileName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);

const generation = z.strictObject({
  /** `certificates/<name>.pem`. */
  name: fileName,
  /** `keys/<key>.pem`; null for a key in a file of the operator's own. */
  key: fileName.nullable(),
  /** SHA-256 of the chain's certificates: a file that was swapped is found before it is published. */
  chain: fingerprint,
  /** When it began to issue, or to be published if it waits; absent until a start of `serve`. */
  from: z.iso.datetime().optional(),
  /** It is published, and the one before it goes on issuing: clients are to know it before they meet it. */
  waits: z.literal(true).optional(),
  /** The last moment at which a signature under it counts; absent while it issues. */
  until: z.iso.datetime().optional(),
});
export type Generation = z.infer<typeof generation>;

const pending = z.strictObject({ name: fileName, key: fileName });
/** A key whose request is out to be signed: `certificates/<name>.csr`. */
export type Pending = z.infer<typeof pending>;

const generationsFile = z.strictObject({
  version: z.literal(1),
  /** Oldest first; the last one issues, or waits. */
  generations: z.array(generation),
  pending: pending.optional(),
});

export interface Generations {
  readonly generations: readonly Generation[];
  readonly pending?: Pending | undefined;
}

export async function readGenerations(directory: string): Promise<Generations | undefined> {
  const path = join(directory, FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Misconfigured(path, "cannot be read", { cause });
  }
  const parsed = generationsFile.safeParse(parseYaml(text, path));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Misconfigured(path, `${issue?.path.join(".") ?? ""} ${issue?.message ?? "is not whole"}`.trim());
}

export async function writeGenerations(directory: string, state: Generations): Promise<void> {
  const { generations, pending: awaited } = state;
  const file = { version: 1, generations, ...(awaited === undefined ? {} : { pending: awaited }) };
  await writeDurably(join(directory, FILE), `${JSON.stringify(file, null, 2)}\n`);
}

/** The one that issues: the newest that does not wait. */
export function issuing({ generations }: Generations): Generation | undefined {
  return generations.findLast(({ waits }) => waits !== true);
}

/**
 * Lets the newest chain issue from `now` on, and closes the window of the one before it: clients that are shown a
 * signature of later refuse it. Not at once but after `grace`, the life of a leaf: what was issued in the last minute
 * may still be signed with. One that waits has its window from now on, too, and closes none.
 */
export function begun(state: Generations, now: Date, grace: number): Generations {
  const current = issuing(state);
  return {
    pending: state.pending,
    generations: state.generations.map((one) => {
      if (one === current || one.waits) return one.from === undefined ? { ...one, from: now.toISOString() } : one;
      return one.until === undefined ? { ...one, until: new Date(now.getTime() + grace).toISOString() } : one;
    }),
  };
}

/** With one more chain, which issues, or waits, from the next start on. One that never issued is forgotten. */
export function succeeded({ generations, pending: awaited }: Generations, next: Generation): Generations {
  const kept = generations.filter(({ from, waits }) => from !== undefined && waits !== true);
  const fulfilled = awaited !== undefined && awaited.key === next.key;
  return { generations: [...kept, next], pending: fulfilled ? undefined : awaited };
}

/** With the newest issuing from the next start on. */
export function released({ generations, pending: awaited }: Generations): Generations {
  const ended = generations.map(({ waits: _waits, ...one }) => one);
  return { generations: ended, pending: awaited };
}
