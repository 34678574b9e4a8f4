import { type PublicKey, sha256 } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { type Certificate, type SignedCertificateTimestamp, verifySct } from "@chancery/x509";

/** What a log answers. Only one that we are linked to says at which index it keeps the precertificate. */
export interface LoggedPrecertificate extends SignedCertificateTimestamp {
  readonly index?: bigint;
}

/** A CT log that certificates are shown to before they leave. A link: in this process or over HTTP. */
export interface CtLog {
  /**
   * Submits a precertificate with its whole chain, root included, as DER; leaf first.
   * MUST resolve only with an SCT for exactly this precertificate, and SHOULD answer within a second;
   * the authority stops waiting after 4.25.
   */
  addPreChain(chain: readonly Uint8Array[]): Promise<LoggedPrecertificate>;
}

/** As this process has just signed it. */
export interface Precertificate {
  readonly der: Uint8Array;
  /** Of its TBS, what an SCT signs: all but the poison. */
  readonly tbs: Uint8Array;
}

/**
 * A CT log in this very process. It neither verifies our signature nor do we verify its own: whoever could change
 * what passes between the two could as well use either key. It was half of what a certificate cost.
 */
export interface OwnCtLog {
  /** MUST resolve only with an SCT over this `tbs` by the log's key. */
  addIssued(precertificate: Precertificate): Promise<LoggedPrecertificate>;
}

/** A log anywhere else. Nothing it answers is believed. */
export interface ForeignCtLog {
  readonly link: CtLog;
  readonly key: PublicKey;
}

/** The log as the authority uses it. */
export function foreignCtLog({ link, key }: ForeignCtLog, authorities: readonly Certificate[]): OwnCtLog {
  const [issuing] = authorities;
  if (issuing === undefined) throw new Misconfigured("fulcio.chain", "has no certificate");
  const issuerKeyHash = sha256(issuing.spki);
  const chain = authorities.map(({ der }) => der);
  return {
    addIssued: async ({ der, tbs }) => {
      const sct = await link.addPreChain([der, ...chain]);
      // A log that signs something else would make certificates that every client refuses, found out too late.
      await verifySct(sct, key, { type: "precertificate", issuerKeyHash, tbs });
      return sct;
    },
  };
}
