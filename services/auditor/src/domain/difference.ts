type EntryField = "leaf" | "time" | "identity" | "inclusion proof" | "entry ID";

/** Where a log is not what it should be. */
export type Place =
  | { readonly kind: "entry"; readonly index: bigint; readonly field: EntryField }
  | { readonly kind: "tile"; readonly level: number; readonly index: bigint; readonly offset: number }
  | { readonly kind: "identity" | "leaf hash" | "search key"; readonly index: bigint }
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

/** Leaf and lowest tile of the same 256 entries: which of them was changed, several checks may say differently. */
export function subjectOf(log: string, { kind, ...place }: Place): string | undefined {
  if (kind === "entry" && "index" in place) return `${log} tile 0/${place.index >> 8n}`;
  if (kind === "tile" && "level" in place) return `${log} tile ${place.level}/${place.index}`;
  return undefined;
}

export const NOTHING = "nothing";

export function describePlace(place: Place): string {
  switch (place.kind) {
    case "entry":
      return `entry ${place.index}, ${place.field}`;
    case "tile":
      return `tile ${place.level}/${place.index}, hash ${place.offset}`;
    case "identity":
    case "leaf hash":
    case "search key":
      return `${place.kind} row of entry ${place.index}`;
    default:
      return `${place.kind}, ${place.field}`;
  }
}

export function expectEqual(place: Place, expected: string | bigint | Uint8Array, found: string | bigint | Uint8Array) {
  const [should, is] = [shown(expected), shown(found)];
  if (should !== is) throw new Difference(place, should, is);
}

function shown(value: string | bigint | Uint8Array): string {
  return value instanceof Uint8Array ? value.toHex() || NOTHING : String(value);
}
