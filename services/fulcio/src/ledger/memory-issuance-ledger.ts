import { compareBytes, equalBytes } from "@chancery/encoding";
import type {
  IssuanceLedger,
  IssuedEntry,
  IssuedQuery,
  PlacedRefusal,
  RefusalCursor,
  RefusedEntry,
  RefusedQuery,
} from "../domain/issuance-ledger.ts";

/** For tests: ends with the process. */
export class MemoryIssuanceLedger implements IssuanceLedger {
  readonly #issued: IssuedEntry[] = [];
  readonly #refused: PlacedRefusal[] = [];

  async recordIssued(entry: IssuedEntry): Promise<void> {
    this.#issued.push(entry);
  }

  async recordRefused(entry: RefusedEntry): Promise<void> {
    this.#refused.push({ ...entry, place: BigInt(this.#refused.length + 1) });
  }

  async issued(query: IssuedQuery): Promise<readonly IssuedEntry[]> {
    const { san, sanPrefix, serial, after } = query;
    return this.#issued
      .filter((entry) => isWithin(entry, query))
      .filter((entry) => san === undefined || entry.san.value === san)
      .filter((entry) => sanPrefix === undefined || entry.san.value.startsWith(sanPrefix))
      .filter((entry) => serial === undefined || equalBytes(entry.serial, serial))
      .filter((entry) => query.wouldRefuse !== true || entry.wouldRefuse !== undefined)
      .filter((entry) => after === undefined || issuedNewestFirst(after, entry) < 0)
      .toSorted(issuedNewestFirst)
      .slice(0, query.limit);
  }

  async refused(query: RefusedQuery): Promise<readonly PlacedRefusal[]> {
    const { code, after } = query;
    return this.#refused
      .filter((entry) => isWithin(entry, query))
      .filter((entry) => code === undefined || entry.code === code)
      .filter((entry) => after === undefined || refusedNewestFirst(after, entry) < 0)
      .toSorted(refusedNewestFirst)
      .slice(0, query.limit);
  }
}

function isWithin(
  { time, issuer }: { readonly time: number; readonly issuer: string | undefined },
  query: IssuedQuery | RefusedQuery,
): boolean {
  return (
    (query.issuer === undefined || issuer === query.issuer) &&
    time >= (query.since ?? -Infinity) &&
    time < (query.until ?? Infinity)
  );
}

type IssuedPlace = Pick<IssuedEntry, "time" | "serial">;

function issuedNewestFirst(a: IssuedPlace, b: IssuedPlace): number {
  return b.time - a.time || compareBytes(b.serial, a.serial);
}

function refusedNewestFirst(a: RefusalCursor, b: RefusalCursor): number {
  return b.time - a.time || Number(b.place - a.place);
}
