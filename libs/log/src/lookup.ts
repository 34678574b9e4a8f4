import { TooLarge } from "@chancery/fault";
import { nameOfSearch, RememberedSearches } from "./remembered-searches.ts";
import type { KeySearch, KeysFound, SearchKey } from "./search-key.ts";
import { type LogReader, MissingRows, type PartialEntry, type SizeAt } from "./store.ts";

/** What the log knows of its published tree. */
interface Published {
  size(): Promise<bigint>;
  expectPublished(size: bigint): Promise<void>;
}

const MOST_KEYS = 1_000;
const MOST_CANDIDATES = 4_096;
/** Of candidates with keys that each is asked for: as many rows and look-ups a statement, some tenths of a second. */
const MOST_PROBES = 65_536;
/** Of the longest leaves there are, 16 MiB: what an entry bundle is, too. */
const MOST_ENTRIES = 256;
const MOST_NAMES = 257;

/** Look-ups by keys, times and names, in the published tree and no further. */
export class Lookup {
  readonly #reader: LogReader;
  readonly #published: Published;
  readonly #remembered = new RememberedSearches();

  constructor(reader: LogReader, published: Published) {
    this.#reader = reader;
    this.#published = published;
  }

  /** Indexes of entries with any or all of the keys, newest first. */
  async search(keys: readonly SearchKey[], operator: "or" | "and", limit: number): Promise<bigint[]> {
    if (keys.length === 0 || limit < 1) return [];
    return await this.newest(operator === "or" ? [keys] : keys.map((key) => [key]), limit);
  }

  /** Indexes of entries that have one key of each group, newest first. */
  async newest(groups: readonly (readonly SearchKey[])[], limit: number): Promise<bigint[]> {
    const size = await this.#published.size();
    const name = nameOfSearch(groups, limit);
    const remembered = this.#remembered.get(name, size);
    if (remembered !== undefined) return [...remembered];
    const found = await this.#newest(groups, limit, size);
    this.#remembered.keep(name, size, found);
    return found;
  }

  async #newest(groups: readonly (readonly SearchKey[])[], limit: number, size: bigint): Promise<bigint[]> {
    const found: bigint[] = [];
    let end = size;
    while (found.length < limit) {
      const candidates = groups.length === 1 ? Math.min(limit, MOST_CANDIDATES) : MOST_CANDIDATES;
      const { indexes, reached } = await this.find({ groups, begin: 0n, end, order: "newest", candidates });
      found.push(...indexes);
      if (reached === undefined) break;
      end = reached;
    }
    return found.slice(0, limit);
  }

  /** One look: what it found, and how far it came. `end` MUST NOT be beyond the published tree. */
  async find(search: KeySearch): Promise<KeysFound> {
    const keys = search.groups.reduce((sum, group) => sum + group.length, 0);
    if (keys > MOST_KEYS) throw new TooLarge(`search: has more than ${MOST_KEYS} keys`);
    if (search.begin >= search.end) return { indexes: [], reached: undefined };
    await this.#published.expectPublished(search.end);
    const candidates = Math.min(search.candidates, MOST_CANDIDATES, Math.ceil(MOST_PROBES / Math.max(1, keys)));
    return await this.#reader.search({ ...search, candidates });
  }

  /** Entries of the published tree, at most 256, in the order of the indexes. One that is missing is not left out in silence. */
  async entries(indexes: readonly bigint[], extraBytes: number): Promise<PartialEntry[]> {
    if (indexes.length > MOST_ENTRIES) throw new TooLarge(`entries: more than ${MOST_ENTRIES}`);
    const entries = await this.#reader.entriesAt(indexes, extraBytes);
    const found = new Set(entries.map(({ index }) => index));
    const lost = indexes.find((index) => !found.has(index));
    if (lost === undefined) return entries;
    throw new MissingRows(`entry ${lost} was published and is not in the database`);
  }

  /** Keys of the names that begin so; undefined where there are more than 256. */
  async names(prefix: string): Promise<Uint8Array[] | undefined> {
    const keys = await this.#reader.names(prefix, MOST_NAMES);
    return keys.length < MOST_NAMES ? keys : undefined;
  }

  /** Of the first `size` entries, how many are older than each of the times (milliseconds). */
  async sizesAt(times: readonly number[], size: bigint): Promise<SizeAt[]> {
    await this.#published.expectPublished(size);
    return await this.#reader.sizesAt(times, size);
  }

  /** How many entries, from the first on, a search by keys may miss, because they were logged before it was there. */
  unindexed(): Promise<bigint> {
    return this.#reader.unindexed();
  }
}
