import { sha256 } from "@chancery/crypto";
import { encodeHex, equalBytes } from "@chancery/encoding";
import {
  type Certificate,
  embeddedScts,
  type FulcioExtensions,
  parseCertificate,
  parseFulcioExtensions,
  parseSubjectAlternativeNames,
} from "@chancery/x509";
import type { IssuedEntry } from "./issuance-ledger.ts";

/** What a certificate of the ledger says beyond what the ledger says of it. */
export interface CertificateContents {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: FulcioExtensions;
  /** Key ID of the CT log; undefined where none was asked. */
  readonly ctLog: Uint8Array | undefined;
  /**
   * Which member of the ledger's row it contradicts. Who can write to the database can rewrite a row, and make no
   * certificate that says the same.
   */
  readonly contradicts: keyof IssuedEntry | undefined;
}

/** Whether certificates name others as the issuer of this one's tokens (`issuer-claim`). */
export type IsFederated = (issuer: string) => boolean;

/** Milliseconds from a certificate's beginning, whole seconds, to its row. */
const ROW_TIME = { from: -1_000, to: 15_000 };

export function certificateContents(entry: IssuedEntry, isFederated: IsFederated = () => false): CertificateContents {
  const parsed = parseCertificate(entry.certificate, "certificate");
  const { notBefore, notAfter } = parsed;
  const extensions = parseFulcioExtensions(parsed);
  return {
    notBefore,
    notAfter,
    extensions,
    ctLog: embeddedScts(parsed)[0]?.logId,
    contradicts: contradicted(entry, parsed) ?? claimContradicted(entry, extensions, isFederated),
  };
}

/** The hash of the claims and what a policy in dry run said stand in no certificate. */
function claimContradicted(
  { issuer, subject }: IssuedEntry,
  extensions: FulcioExtensions,
  isFederated: IsFederated,
): keyof IssuedEntry | undefined {
  if (extensions.issuer !== issuer && !isFederated(issuer)) return "issuer";
  return (extensions["token-subject"] ?? subject) === subject ? undefined : "subject";
}

function contradicted(entry: IssuedEntry, certificate: Certificate): keyof IssuedEntry | undefined {
  if (!equalBytes(entry.certificateHash, sha256(certificate.der))) return "certificateHash";
  // The ledger's have all their bytes, DER leaves zeros in front out: one in 128 has one.
  if (BigInt(`0x${encodeHex(entry.serial)}`) !== BigInt(`0x${encodeHex(certificate.serial)}`)) return "serial";
  if (!equalBytes(entry.keyHash, sha256(certificate.spki))) return "keyHash";
  const [name, ...others] = parseSubjectAlternativeNames(certificate);
  const isName = others.length === 0 && name?.type === entry.san.type && name.value === entry.san.value;
  if (!isName) return "san";
  const delay = entry.time - certificate.notBefore.getTime();
  return delay >= ROW_TIME.from && delay <= ROW_TIME.to ? undefined : "time";
}
