import { parsePublicKey, type PublicKey } from "@chancery/crypto";
import { encodePem, parsePem } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import {
  type Certificate,
  parseOwnCertificate,
  parseSubjectAlternativeNames,
  type SubjectAlternativeName,
  verifyIssuedBy,
} from "@chancery/x509";
import { PemVerifier } from "./pem-verifier.ts";
import type { SigningKey } from "./pki/signing-key.ts";
import { VerificationBudget } from "./verification-budget.ts";

/** What a client names as the maker of a signature: a public key, or a certificate with or without its chain. */
export interface Verifier extends SigningKey {
  readonly publicKey: PublicKey;
  /** The canonical form, as text: one block after another. */
  readonly pem: string;
  /** SHA-256 of the canonical form, hexadecimal. */
  readonly digest: string;
  /** Every subject alternative name of the certificate; none for a key. */
  readonly subjects: readonly string[];
  readonly certificate?: { readonly leaf: Certificate; readonly names: readonly SubjectAlternativeName[] };
}

export const MAX_CERTIFICATES = 10;
/** Each becomes a row of the search index; a certificate of 40 kB has room for ten thousand. */
export const MAX_SUBJECTS = 1_024;

/**
 * PEM of one `PUBLIC KEY`, or of certificates, leaf first. Both meet the strict DER and key policy of the
 * libraries, so one key has one spelling in the log.
 *
 * A chain MUST hold link by link; no root is trusted and no clock is asked, since what was signed last year may be
 * logged today.
 */
export function parseVerifier(pem: Uint8Array | string, field: string, budget = new VerificationBudget()): Verifier {
  const blocks = parsePem(pem, field, { labels: ["PUBLIC KEY", "CERTIFICATE"], max: MAX_CERTIFICATES });
  const [first, second] = blocks;
  if (first?.label === "PUBLIC KEY") {
    if (second !== undefined) throw new Malformed(`${field}: more than one public key`);
    const publicKey = parsePublicKey(first.der, field);
    return new PemVerifier(publicKey, encodePem("PUBLIC KEY", publicKey.spki));
  }
  const chain = blocks.map(({ label, der }, place) => {
    if (label !== "CERTIFICATE") throw new Malformed(`${field}: a public key among certificates`);
    return parseOwnCertificate(der, place === 0 ? field : `${field}: certificate ${place}`);
  });
  return certificateVerifier(chain, field, budget);
}

function certificateVerifier(chain: readonly Certificate[], field: string, budget: VerificationBudget): Verifier {
  const [leaf] = chain;
  if (leaf === undefined) throw new Malformed(`${field}: no certificate`);
  for (const [place, issuer] of chain.slice(1).entries()) {
    const subject = chain[place];
    budget.spendForIssuer(issuer, field);
    if (subject !== undefined) verifyIssuedBy(subject, issuer, `${field}: certificate ${place}`);
  }
  const names = parseSubjectAlternativeNames(leaf);
  if (names.length > MAX_SUBJECTS) throw new Malformed(`${field}: more than ${MAX_SUBJECTS} alternative names`);
  const publicKey = parsePublicKey(leaf.spki, field);
  const pem = chain.map((certificate) => encodePem("CERTIFICATE", certificate.der)).join("");
  return new PemVerifier(publicKey, pem, { leaf, names });
}
