import type { SubjectAlternativeName } from "@chancery/x509";
import type { IssuedEntry, PlacedRefusal, RefusalCursor } from "./issuance-ledger.ts";
import type { RefusalCode } from "./refusal-code.ts";

/** Milliseconds since the epoch; `from` inclusive, `to` exclusive. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

interface PageQuery<Place> {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly order: "newest" | "oldest";
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: Place | undefined;
}

export type CertificatePlace = Pick<IssuedEntry, "time" | "serial">;

export interface CertificateQuery extends PageQuery<CertificatePlace> {
  /** The whole name. */
  readonly san?: string | undefined;
  readonly serial?: Uint8Array | undefined;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyHash?: Uint8Array | undefined;
}

export interface RefusalQuery extends PageQuery<RefusalCursor> {
  readonly code?: RefusalCode | undefined;
}

export interface Page<Entry, Place> {
  readonly entries: readonly Entry[];
  /**
   * Where the next page begins; undefined at the end. There may be a next one after a page with fewer entries than
   * asked for, or none: a page looks at a bounded number of entries, whatever is asked.
   */
  readonly next: Place | undefined;
}

/** The newest of a range, counted. */
export interface Counted {
  readonly count: number;
  /** Undefined where all of the range was counted; else the time of the oldest entry that was. */
  readonly countedFrom: number | undefined;
  /** The most frequent ones, and how many different ones there are. */
  readonly issuers: Ranking<{ readonly issuer: string | undefined }>;
  /** By days since the epoch, in UTC; those without an entry are left out. */
  readonly days: ReadonlyMap<number, number>;
}

export interface Ranking<Value> {
  readonly different: number;
  readonly top: readonly (Value & { readonly count: number })[];
}

export interface CertificateCounts extends Counted {
  readonly identities: Ranking<{
    readonly san: SubjectAlternativeName;
    readonly first: number;
    readonly last: number;
  }>;
}

export interface RefusalCounts extends Counted {
  readonly codes: Ranking<{ readonly code: RefusalCode }>;
}

/** The issuance ledger as its auditors ask it. What a question costs is bounded, whatever the ledger holds. */
export interface IssuanceHistory {
  certificates(query: CertificateQuery): Promise<Page<IssuedEntry, CertificatePlace>>;
  refusals(query: RefusalQuery): Promise<Page<PlacedRefusal, RefusalCursor>>;
  countCertificates(range: TimeRange): Promise<CertificateCounts>;
  /** A row that stands for many counts as many. */
  countRefusals(range: TimeRange): Promise<RefusalCounts>;
}
