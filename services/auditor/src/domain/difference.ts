type EntryField = "leaf" | "time" | "identity" | "inclusion proof" | "entry ID";

/** Where a log is not what it should be. `more`: so many that follow at once are not either, as where one row of many is gone. */
export type Place =
  | { readonly kind: "entry"; readonly index: bigint; readonly field: EntryField; readonly more?: number | undefined }
  | {
      readonly kind: "tile";
      readonly level: number;
      readonly index: bigint;
      readonly offset: number;
      readonly more?: number | undefined;
    }
  | {
      readonly kind: "identity" | "leaf hash" | "search key";
      readonly index: bigint;
      readonly more?: number | undefined;
    }
  | { readonly kind: "checkpoint" | "anchor" | "tree" | "log"; readonly field: string };

/** The first place at which a log is not what its bytes make it. Hashes are hexadecimal. */
export class Difference extends Error {
  readonly place: Place;
  readonly expected: string;
  readonly found: string;
  /** What it says of the log, and what to do: where the two values alone would be read as their opposite. */
  readonly meaning: string | undefined;

  constructor(place: Place, expected: string | Uint8Array, found: string | Uint8Array, meaning?: string) {
    const [should, is] = [shown(expected), shown(found)];
    super(`${describePlace(place)}: expected ${should}, found ${is}`);
    this.name = "Difference";
    this.place = place;
    this.expected = should;
    this.found = is;
    this.meaning = meaning;
  }
}

/** Of two neighbours whose times are not in order, nothing says which has the wrong one. */
export function notInOrder(index: bigint, time: bigint, before: bigint): Difference {
  const either =
    index === 0n ? "" : ` (entry ${index - 1n} or entry ${index} has a wrong time, and nothing here says which)`;
  return new Difference({ kind: "entry", index, field: "time" }, `${before} or later${either}`, String(time));
}

/** A leaf and its hash in the lowest tile are one: which of them was changed, several checks may say differently. */
export function subjectOf(log: string, place: Place): string | undefined {
  if (place.kind !== "entry" && place.kind !== "tile") return undefined;
  const { index, more = 0 } = place;
  const isLeaf = place.kind === "entry" || place.level === 0;
  if (!isLeaf) return `${log} tile ${place.level}/${index} hash ${place.offset}`;
  const leaf = place.kind === "entry" ? index : index * 256n + BigInt(place.offset);
  return more === 255 ? `${log} tile 0/${leaf >> 8n}` : `${log} leaf ${leaf}`;
}

/**
 * Told of each Difference, where a check is to go on behind it; undefined: it ends with the first. `unheld`: so many more like it
 * were found at most, and are not told each.
 */
export type Found = ((difference: Difference, unheld?: number) => void) | undefined;

/** What `work` resolves to; undefined where it threw a Difference that was told. */
export async function unlessFound<T>(found: Found, work: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (found === undefined || !(error instanceof Difference)) throw error;
    found(error);
    return undefined;
  }
}

/** The first is thrown, unless they are to be told. */
export function tell(found: Found, differences: readonly Difference[], unheld = 0): void {
  const [first] = differences;
  if (first !== undefined && found === undefined) throw first;
  for (const [at, difference] of differences.entries()) {
    found?.(difference, at === differences.length - 1 ? unheld : 0);
  }
}

export const NOTHING = "nothing";

export function describePlace(place: Place): string {
  switch (place.kind) {
    case "entry":
      return `entry ${place.index}${following(place)}, ${place.field}`;
    case "tile":
      return `tile ${place.level}/${place.index}, hash ${place.offset}${following(place)}`;
    case "identity":
    case "leaf hash":
    case "search key":
      return `${place.kind} row of entry ${place.index}${following(place)}`;
    default:
      return `${place.kind}, ${place.field}`;
  }
}

function following({ more = 0 }: { readonly more?: number | undefined }): string {
  return more === 0 ? "" : ` and ${more} that follow`;
}

export function expectEqual(place: Place, expected: string | bigint | Uint8Array, found: string | bigint | Uint8Array) {
  const [should, is] = [shown(expected), shown(found)];
  if (should !== is) throw new Difference(place, should, is);
}

function shown(value: string | bigint | Uint8Array): string {
  return value instanceof Uint8Array ? value.toHex() || NOTHING : String(value);
}
