import { encodeHex, encodePem } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import type { CertificateCounts, RefusalCounts, TimeRange } from "../domain/issuance-history.ts";
import type { IssuedEntry, PlacedRefusal } from "../domain/issuance-ledger.ts";
import { certificateContents, type IsFederated } from "../domain/issued-certificate.ts";

/*
 * How auditors are told. Texts of strangers stay what they are: JSON escapes what it must, and who shows them
 * escapes the rest.
 */

export function certificateJson(entry: IssuedEntry, isFederated?: IsFederated) {
  return {
    serial: encodeHex(entry.serial),
    issuedAt: timeJson(entry.time),
    issuer: entry.issuer,
    subject: entry.subject,
    sans: [entry.san],
    ...contentsJson(entry, isFederated),
    keyHash: encodeHex(entry.keyHash),
    certificateHash: encodeHex(entry.certificateHash),
    claimsHash: encodeHex(entry.claimsHash),
    ...(entry.ctIndex === undefined ? {} : { ctIndex: String(entry.ctIndex) }),
    ...(entry.wouldRefuse === undefined ? {} : { wouldRefuse: entry.wouldRefuse }),
  };
}

/** One that cannot be read any more is told of all the same, or it would hide the page it stands on. */
function contentsJson(entry: IssuedEntry, isFederated?: IsFederated) {
  try {
    const { notBefore, notAfter, extensions, ctLog, contradicts } = certificateContents(entry, isFederated);
    return {
      notBefore: timeJson(notBefore.getTime()),
      notAfter: timeJson(notAfter.getTime()),
      extensions: Object.fromEntries(Object.entries(extensions).map(([name, value]) => [lowerCamel(name), value])),
      ...(ctLog === undefined ? {} : { ctLog: encodeHex(ctLog) }),
      // Somebody changed the row; what the certificate says stands in it.
      ...(contradicts === undefined ? {} : { contradicts }),
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { unreadable: error.message };
  }
}

export function certificateWithPemJson(entry: IssuedEntry, isFederated?: IsFederated) {
  return { ...certificateJson(entry, isFederated), pem: encodePem("CERTIFICATE", entry.certificate) };
}

export function refusalJson({ time, code, reason, issuer, subject, rule, count }: PlacedRefusal) {
  return {
    time: timeJson(time),
    code,
    reason,
    ...(issuer === undefined ? {} : { issuer }),
    ...(subject === undefined ? {} : { subject }),
    ...(rule === undefined ? {} : { rule }),
    count,
  };
}

export function summaryJson(range: TimeRange, certificates: CertificateCounts, refusals: RefusalCounts) {
  return {
    from: timeJson(range.from),
    to: timeJson(range.to),
    certificates: {
      ...countedJson(certificates),
      identities: {
        different: certificates.identities.different,
        top: certificates.identities.top.map(({ san, count, first, last }) => ({
          ...san,
          count,
          first: timeJson(first),
          last: timeJson(last),
        })),
      },
    },
    refusals: { ...countedJson(refusals), reasons: refusals.codes.top },
    days: daysJson(range, certificates, refusals),
  };
}

/** RFC 3339 in UTC, to the second. */
export function timeJson(time: number): string {
  return `${new Date(time).toISOString().slice(0, -5)}Z`;
}

function countedJson({ count, countedFrom, issuers }: CertificateCounts | RefusalCounts) {
  return {
    count,
    complete: countedFrom === undefined,
    ...(countedFrom === undefined ? {} : { countedFrom: timeJson(countedFrom) }),
    issuers,
  };
}

const DAY = 86_400_000;

/** Every day of the range, also those on which nothing happened. */
function daysJson({ from, to }: TimeRange, certificates: CertificateCounts, refusals: RefusalCounts) {
  const first = Math.floor(from / DAY);
  const count = Math.floor((to - 1) / DAY) - first + 1;
  return Array.from({ length: count }, (_, at) => ({
    day: timeJson((first + at) * DAY).slice(0, 10),
    certificates: certificates.days.get(first + at) ?? 0,
    refusals: refusals.days.get(first + at) ?? 0,
  }));
}

/** `source-repository-uri` is `sourceRepositoryUri` in Fulcio's documentation. */
function lowerCamel(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
