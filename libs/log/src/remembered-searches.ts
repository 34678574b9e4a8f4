import { RecentlyUsed } from "./recently-used.ts";
import type { SearchKey } from "./search-key.ts";

/** Some 5 MB where each was of one entry, as an artifact's hash most often is. */
const MOST_ANSWERS = 16_384;
/** Longer answers, and questions of more than some ten keys, are asked anew: with them it would be hundreds of MB. */
const MOST_INDEXES = 64;
const MOST_NAME_CHARACTERS = 256;
/** A row that was missing and is there again (`chancery index rebuild`) is found so much later at most. */
const REMEMBERED_MS = 10_000;

interface Answer {
  readonly indexes: readonly bigint[];
  readonly until: number;
}

/**
 * What searches found in one published tree. The keys of an entry are written in its own transaction and never change, so
 * that the answer stands as long as the tree does. One that found nothing is not kept: there is no end of what
 * strangers ask for.
 */
export class RememberedSearches {
  readonly #now: () => number;
  #size = -1n;
  #answers = new RecentlyUsed<Answer>(MOST_ANSWERS);

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** In the tree of so many entries. */
  get(name: string, size: bigint): readonly bigint[] | undefined {
    if (size !== this.#size) return undefined;
    const answer = this.#answers.get(name);
    return answer !== undefined && answer.until > this.#now() ? answer.indexes : undefined;
  }

  keep(name: string, size: bigint, indexes: readonly bigint[]): void {
    if (indexes.length === 0 || indexes.length > MOST_INDEXES || name.length > MOST_NAME_CHARACTERS) return;
    if (size !== this.#size) {
      // A search that took long may end after a larger tree was searched.
      if (size < this.#size) return;
      this.#size = size;
      this.#answers = new RecentlyUsed(MOST_ANSWERS);
    }
    // A copy: whoever is given the answer first may change it.
    this.#answers.set(name, { indexes: [...indexes], until: this.#now() + REMEMBERED_MS });
  }
}

/** One name for equal questions, and for no others: columns have names of their own, and keys a length for each column. */
export function nameOfSearch(groups: readonly (readonly SearchKey[])[], limit: number): string {
  let name = String(limit);
  for (const keys of groups) {
    name += "|";
    for (const { column, bytes } of keys) {
      name += column + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    }
  }
  return name;
}
