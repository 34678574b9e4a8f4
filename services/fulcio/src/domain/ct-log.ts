import type { SignedCertificateTimestamp } from "@chancery/x509";

/** What a log answers. Only one that we are linked to says at which index it keeps the precertificate. */
export interface LoggedPrecertificate extends SignedCertificateTimestamp {
  readonly index?: bigint;
}

/** The CT log that every certificate is shown to before it leaves. A link: in this process or over HTTP. */
export interface CtLog {
  /**
   * Submits a precertificate with its whole chain, root included, as DER; leaf first.
   * MUST resolve only with an SCT for exactly this precertificate, and SHOULD answer within a second;
   * the authority stops waiting after five.
   */
  addPreChain(chain: readonly Uint8Array[]): Promise<LoggedPrecertificate>;
}
