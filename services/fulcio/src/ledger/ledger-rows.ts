import type { SubjectAlternativeName } from "@chancery/x509";
import type { IssuedEntry, PlacedRefusal } from "../domain/issuance-ledger.ts";
import type { RefusalCode } from "../domain/refusal-code.ts";

export interface CertificateRow {
  readonly time: bigint;
  readonly ct_index: bigint | null;
  readonly serial: Uint8Array;
  readonly certificate_hash: Uint8Array;
  readonly key_hash: Uint8Array;
  readonly claims_hash: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly san_type: SubjectAlternativeName["type"];
  readonly san: string;
  readonly would_refuse: string | null;
  readonly certificate: Uint8Array;
}

export function toIssuedEntry(row: CertificateRow): IssuedEntry {
  return {
    time: Number(row.time),
    issuer: row.issuer,
    subject: row.subject,
    san: { type: row.san_type, value: row.san },
    serial: row.serial,
    certificate: row.certificate,
    certificateHash: row.certificate_hash,
    keyHash: row.key_hash,
    claimsHash: row.claims_hash,
    ctIndex: row.ct_index ?? undefined,
    wouldRefuse: row.would_refuse ?? undefined,
  };
}

export interface RefusalRow {
  readonly time: bigint;
  readonly place: bigint;
  readonly count: number;
  readonly code: RefusalCode;
  readonly reason: string;
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly rule: string | null;
}

export function toRefusal({ time, place, count, code, reason, issuer, subject, rule }: RefusalRow): PlacedRefusal {
  return {
    time: Number(time),
    place,
    count,
    code,
    reason,
    issuer: issuer ?? undefined,
    subject: subject ?? undefined,
    rule: rule ?? undefined,
  };
}
