import type { KeyObject } from "node:crypto";
import { evidenceOf, type LedgerRow, nameOf, timeOf, unsigned } from "../database/ledger.ts";
import { type Certificate, readCertificate } from "../domain/certificate/certificate.ts";
import { type CtEntry, embeddedScts, isSctOf } from "../domain/certificate/ct-entry.ts";
import { issuerClaim, type LeafForm, lintLeaf, namesOf, subjectClaim } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import { messageOf, Wrong } from "./wrong.ts";

/** Between a certificate's beginning, whole seconds, and its SCT and its row. */
const TIME_TOLERANCE = { before: 1_000, after: 15_000 };

export function readRow(row: LedgerRow): Certificate {
  try {
    return readCertificate(row.certificate);
  } catch (error) {
    const what = `${nameOf(row)} cannot be read: ${messageOf(error)}`;
    throw new Wrong("certificate-mismatch", what, evidenceOf(row));
  }
}

export function judgeProfile(
  name: string,
  certificate: Certificate,
  form: LeafForm,
  issuer: Certificate,
  evidence: object,
): void {
  const complaints = lintLeaf(certificate, form, issuer);
  if (complaints.length === 0) return;
  throw new Wrong("certificate-profile", `${name} ${complaints.join("; ")}`, evidence);
}

/** The issuer that is named in a certificate is that of the token; of a federating issuer's, whom the token names. */
export function namesIssuer(row: LedgerRow, certificate: Certificate): boolean {
  return row.issuer === issuerClaim(certificate);
}

/** Issuers federate people: a workload's certificate names the issuer of its token. */
export function isOfPerson(certificate: Certificate): boolean {
  return namesOf(certificate)[0]?.type === "email";
}

/**
 * Of a row whose certificate is the one that was issued: what the row says of it beside. `isFederated`: of the row's issuer
 * the certificate may name another.
 */
export function judgeColumns(row: LedgerRow, certificate: Certificate, isFederated: boolean): void {
  const [name] = namesOf(certificate);
  const issuer = isFederated ? row.issuer : issuerClaim(certificate);
  const told = [
    ["hash", row.certificateHash.toHex(), sha256(row.certificate).toHex()],
    ["serial", unsigned(row.serial), unsigned(certificate.serial)],
    ["key hash", row.keyHash.toHex(), sha256(certificate.spki).toHex()],
    ["issuer", row.issuer, issuer],
    ["subject", row.subject, subjectClaim(certificate) ?? row.subject],
    ["kind of name", row.sanType, name?.type],
    ["name", row.san, name?.value],
  ] as const;
  for (const [column, stored, is] of told) {
    if (stored === is) continue;
    const isPerson = column === "issuer" && isOfPerson(certificate);
    const unless = isPerson ? "; that is so of an issuer with issuer-claim, and --federated-issuer tells of one" : "";
    const what = `${nameOf(row)}: its row has the ${column} ${stored}, the certificate in it ${is}${unless}`;
    throw new Wrong("changed-ledger", what, evidenceOf(row));
  }
  const delay = Number(row.time) - certificate.notBefore.getTime();
  if (isSoonAfter(delay)) return;
  const what = `${nameOf(row)}: its row has the time ${timeOf(row)}, ${delay / 1000} s after the certificate in it begins`;
  throw new Wrong("changed-ledger", what, evidenceOf(row));
}

/** As the CA takes it: a row is written when the CT log has answered. */
function isSoonAfter(delay: number): boolean {
  return delay >= -TIME_TOLERANCE.before && delay <= TIME_TOLERANCE.after;
}

/**
 * Only of the entry that the row names: ECDSA signatures come in pairs, (r, s) and (r, n - s), so that anyone may submit a
 * precertificate's twin as an entry of its own, whenever they like.
 */
export function judgeTime(row: LedgerRow, certificate: Certificate, { timestamp }: CtEntry): void {
  const delay = Number(timestamp) - certificate.notBefore.getTime();
  if (isSoonAfter(delay)) return;
  const what = `${nameOf(row)} begins ${delay / 1000} s before the time of its CT entry`;
  throw new Wrong("certificate-profile", what, evidenceOf(row));
}

/** Of every column. */
export function digestOf(row: LedgerRow): string {
  const { time, ctIndex, serial, certificateHash, keyHash, claimsHash, certificate } = row;
  const bytes = [serial, certificateHash, keyHash, claimsHash, certificate].map((column) => column.toHex());
  const texts = [row.issuer, row.subject, row.sanType, row.san, row.wouldRefuse ?? null];
  return sha256(Buffer.from(JSON.stringify([String(time), String(ctIndex ?? "-"), ...bytes, ...texts]))).toHex();
}

/** The certificate carries the SCT of its entry, by one of the log's keys. */
export function judgeScts(
  row: LedgerRow,
  certificate: Certificate,
  {
    issuer,
    keys,
    entry,
  }: { readonly issuer: Certificate; readonly keys: readonly KeyObject[]; readonly entry: CtEntry },
): void {
  const ids = new Map(keys.map((key) => [sha256(key.export({ type: "spki", format: "der" })).toHex(), key]));
  const sct = embeddedScts(certificate).find(({ logId }) => ids.has(logId.toHex()));
  const key = sct && ids.get(sct.logId.toHex());
  if (sct === undefined || key === undefined) {
    throw new Wrong("unlogged-certificate", `${nameOf(row)} carries no SCT of the CT log`, evidenceOf(row));
  }
  if (sct.timestamp !== entry.timestamp || !isSctOf(sct, key, issuer.spki, certificate)) {
    throw new Wrong("certificate-mismatch", `${nameOf(row)} carries an SCT that is not of its entry`, evidenceOf(row));
  }
}
