import type { SubjectAlternativeName } from "@chancery/x509";
import type { RefusalCode } from "./refusal-code.ts";

/** A certificate that is about to leave. */
export interface IssuedEntry {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** `iss` of the token. */
  readonly issuer: string;
  /** `sub` of the token. */
  readonly subject: string;
  /** The name in the certificate. */
  readonly san: SubjectAlternativeName;
  readonly serial: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
  /** SHA-256 of `certificate`. */
  readonly certificateHash: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyHash: Uint8Array;
  /** SHA-256 of the token's payload, as its issuer encoded it. */
  readonly claimsHash: Uint8Array;
  /** In the CT log, if there is one that tells. */
  readonly ctIndex: bigint | undefined;
  /** The rule by which a policy in dry run would have refused. */
  readonly wouldRefuse: string | undefined;
}

/** One request that got no certificate, or many of which only the number is kept. Bounded in every field. */
export interface RefusedEntry {
  readonly time: number;
  /** How many requests it stands for. */
  readonly count: number;
  readonly code: RefusalCode;
  readonly reason: string;
  /** Of a verified token its `iss`; of any other the configured URL or pattern that it matched. */
  readonly issuer: string | undefined;
  /** Of a verified token. */
  readonly subject: string | undefined;
  /** Of the issuance policy. */
  readonly rule: string | undefined;
}

/** What both lists can be asked by; the newest come first. */
interface Range {
  readonly issuer?: string | undefined;
  /** Milliseconds since the epoch, inclusive. */
  readonly since?: number | undefined;
  /** Exclusive. */
  readonly until?: number | undefined;
  readonly limit: number;
}

export interface IssuedQuery extends Range {
  readonly san?: string | undefined;
  /** With a prefix in place of the whole name. */
  readonly sanPrefix?: string | undefined;
  readonly serial?: Uint8Array | undefined;
  /** Only what a policy in dry run would have refused. */
  readonly wouldRefuse?: boolean | undefined;
  /** The last entry of the page before. */
  readonly after?: Pick<IssuedEntry, "time" | "serial"> | undefined;
}

export interface RefusedQuery extends Range {
  readonly code?: RefusalCode | undefined;
  readonly after?: RefusalCursor | undefined;
}

/** Where a page of refusals ended. */
export interface RefusalCursor {
  readonly time: number;
  readonly place: bigint;
}

export type PlacedRefusal = RefusedEntry & RefusalCursor;

/**
 * What the authority has done, for its auditors. Append-only.
 *
 * Written after the CT log and before the certificate leaves. So a certificate in the ledger is always in the CT log
 * too. What the CT log holds beyond the ledger was never handed out: the process or the database failed in between.
 */
export interface IssuanceLedger {
  /** MUST resolve only once the entry is durable, and reject if that is not certain: then the certificate stays. */
  recordIssued(entry: IssuedEntry): Promise<void>;
  /**
   * SHOULD be durable soon; a crash may take the last ones. Nobody waits for it. `claimedIssuer`, escaped and bounded, is
   * whom a token of an unknown issuer names: it is for an operator's log and MUST NOT be stored, for anyone writes it.
   */
  recordRefused(entry: RefusedEntry, claimedIssuer?: string): Promise<void>;
  issued(query: IssuedQuery): Promise<readonly IssuedEntry[]>;
  refused(query: RefusedQuery): Promise<readonly PlacedRefusal[]>;
}
