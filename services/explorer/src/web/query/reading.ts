/**
 * The search API's own parameters; each may come several times, which means any of them. What else must hold of the same
 * name has a number behind it: `san` and `san.2`.
 */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** What the search box made of what was typed: said to the reader before anything is searched. */
export interface Reading {
  /** "a digest", "an e-mail address" … */
  readonly what: string;
  readonly goal:
    | { readonly kind: "search"; readonly filters: Filters }
    | { readonly kind: "entry"; readonly log?: "rekor" | "rekor-v2"; readonly id: string }
    /** One that was issued, by its serial number. */
    | { readonly kind: "certificate"; readonly serial: string }
    /** A page of these, by its path and query. */
    | { readonly kind: "page"; readonly path: string }
    /** Nothing can be found by it, and why. */
    | { readonly kind: "hint"; readonly words: string };
  /** What it cannot find although it may be there: said beside what was found. */
  readonly misses?: string;
  /** It is searched for only by whoever chooses it: it may be another thing than was meant. */
  readonly onlyIfChosen?: true;
}

export interface Understanding {
  readonly reading: Reading;
  /** What it could mean as well, for the reader to choose. */
  readonly others: readonly Reading[];
}

export function search(what: string, filters: Filters): Reading {
  return { what, goal: { kind: "search", filters } };
}

export function entry(what: string, id: string, log?: "rekor" | "rekor-v2"): Reading {
  return { what, goal: { kind: "entry", id, ...(log === undefined ? {} : { log }) } };
}

export function hint(what: string, words: string): Reading {
  return { what, goal: { kind: "hint", words } };
}

export function only(reading: Reading): Understanding {
  return { reading, others: [] };
}
