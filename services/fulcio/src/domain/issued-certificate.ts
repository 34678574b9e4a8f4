import { embeddedScts, type FulcioExtensions, parseCertificate, parseFulcioExtensions } from "@chancery/x509";
import type { IssuedEntry } from "./issuance-ledger.ts";

/** What a certificate of the ledger says beyond what the ledger says of it. */
export interface CertificateContents {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: FulcioExtensions;
  /** Key ID of the CT log; undefined where none was asked. */
  readonly ctLog: Uint8Array | undefined;
}

export function certificateContents({ certificate }: Pick<IssuedEntry, "certificate">): CertificateContents {
  const parsed = parseCertificate(certificate, "certificate");
  const { notBefore, notAfter } = parsed;
  return {
    notBefore,
    notAfter,
    extensions: parseFulcioExtensions(parsed),
    ctLog: embeddedScts(parsed)[0]?.logId,
  };
}
