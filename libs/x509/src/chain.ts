import { equalBytes } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { type Certificate, certificatePublicKey, findExtension } from "./certificate.ts";
import { OID } from "./oid.ts";
import { verifyNamedSignature } from "./signature-algorithm.ts";
import { allowsKeyUsage, basicConstraints, extendedKeyUsage } from "./standard-extensions.ts";

/** Longer than any real path by half; bounds the signatures a stranger's chain makes us verify. */
const MAX_CHAIN = 10;

/** Critical extensions whose meaning the walk below honours, or that bind no one but the last holder. */
export const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectAlternativeName,
  OID.precertificatePoison,
]);

/**
 * Verifies that `issuer` signed `subject` and may: names chain, it is an authority, its key may sign
 * certificates, the signature holds. RFC 5280, Section 6.1, without the clock.
 */
export function verifyIssuedBy(subject: Certificate, issuer: Certificate, field: string): void {
  if (!equalBytes(subject.issuer, issuer.subject)) throw new Unverified(`${field}: issuer name is not its issuer's`);
  if (!basicConstraints(issuer).certificateAuthority) throw new Unverified(`${field}: its issuer is not an authority`);
  if (!allowsKeyUsage(issuer, "keyCertSign")) throw new Unverified(`${field}: its issuer may not sign certificates`);
  const { tbs, signature, signatureAlgorithmIdentifier } = subject;
  verifyNamedSignature(certificatePublicKey(issuer), signatureAlgorithmIdentifier, tbs, signature, field);
}

/**
 * Verifies a path, leaf first, root last, each certificate issued by the next. The root is trusted because
 * the caller says so; `purpose` must be allowed by every certificate that restricts its purposes.
 */
export function verifyChain(chain: readonly Certificate[], purpose: string, field: string): void {
  if (chain.length === 0) throw new Unverified(`${field}: chain is empty`);
  if (chain.length > MAX_CHAIN) throw new Unverified(`${field}: chain has more than ${MAX_CHAIN} certificates`);
  for (const [place, certificate] of chain.entries()) {
    const which = `${field}: certificate ${place}`;
    const issuer = chain[place + 1];
    if (issuer !== undefined) verifyIssuedBy(certificate, issuer, which);
    verifyRestrictions(certificate, purpose, authoritiesBelow(chain, place), which);
  }
}

/**
 * The chain of a Fulcio authority, issuing certificate first. Upstream's `VerifyCertChain`: the first is an
 * authority; every certificate allows codeSigning; if it is not itself the root, the first lists codeSigning.
 */
export function verifyAuthorityChain(chain: readonly Certificate[]): void {
  const field = "certificate chain";
  verifyChain(chain, OID.codeSigning, field);
  const [issuing] = chain;
  if (issuing === undefined || !basicConstraints(issuing).certificateAuthority) {
    throw new Unverified(`${field}: the first certificate is not an authority`);
  }
  if (!allowsKeyUsage(issuing, "keyCertSign")) {
    throw new Unverified(`${field}: the first certificate may not sign certificates`);
  }
  if (chain.length > 1 && !extendedKeyUsage(issuing)?.includes(OID.codeSigning)) {
    throw new Unverified(`${field}: the first certificate does not list extended key usage codeSigning`);
  }
  verifyOwnSignature(chain, field);
}

/**
 * The chain of a timestamp authority, signing certificate first. RFC 3161, Section 2.3, and upstream's
 * `VerifyTimestampCertChain`: at least two; the first is no authority and lists timeStamping, critically and alone;
 * intermediates list it too.
 */
export function verifyTimestampingChain(chain: readonly Certificate[]): void {
  const field = "timestamp certificate chain";
  if (chain.length < 2) throw new Unverified(`${field}: needs the signing certificate and its issuer`);
  verifyChain(chain, OID.timeStamping, field);
  verifyTimestampingLeaf(chain[0], field);
  for (const intermediate of chain.slice(1, -1)) {
    if (!extendedKeyUsage(intermediate)?.includes(OID.timeStamping)) {
      throw new Unverified(`${field}: an intermediate does not list extended key usage timeStamping`);
    }
  }
  verifyOwnSignature(chain, field);
}

function verifyTimestampingLeaf(leaf: Certificate | undefined, field: string): void {
  if (leaf === undefined || basicConstraints(leaf).certificateAuthority) {
    throw new Unverified(`${field}: the first certificate is an authority`);
  }
  const purposes = extendedKeyUsage(leaf) ?? [];
  const critical = findExtension(leaf, OID.extendedKeyUsage)?.critical === true;
  if (!critical || purposes.length !== 1 || purposes[0] !== OID.timeStamping) {
    throw new Unverified(`${field}: extended key usage of the first certificate is not timeStamping alone, critical`);
  }
  if (!allowsKeyUsage(leaf, "digitalSignature")) {
    throw new Unverified(`${field}: the first certificate may not sign`);
  }
}

/** A self-issued root must carry its own signature; an anchor issued by a stranger is taken as given. */
function verifyOwnSignature(chain: readonly Certificate[], field: string): void {
  const root = chain.at(-1);
  if (root === undefined || !equalBytes(root.issuer, root.subject)) return;
  verifyNamedSignature(
    certificatePublicKey(root),
    root.signatureAlgorithmIdentifier,
    root.tbs,
    root.signature,
    `${field}: root`,
  );
}

function verifyRestrictions(certificate: Certificate, purpose: string, below: number, field: string): void {
  const strange = certificate.extensions.find((extension) => extension.critical && !UNDERSTOOD.has(extension.oid));
  if (strange !== undefined) throw new Unverified(`${field}: critical extension ${strange.oid} is not understood`);
  const purposes = extendedKeyUsage(certificate);
  if (purposes !== undefined && !purposes.includes(purpose) && !purposes.includes(OID.anyExtendedKeyUsage)) {
    throw new Unverified(`${field}: extended key usage does not allow ${purpose}`);
  }
  const { pathLength } = basicConstraints(certificate);
  if (pathLength !== undefined && below > pathLength) throw new Unverified(`${field}: path length is exceeded`);
}

/** RFC 5280, Section 4.2.1.9: intermediates that follow, self-issued ones and the last certificate not counted. */
function authoritiesBelow(chain: readonly Certificate[], place: number): number {
  return chain.slice(1, place).filter((certificate) => !equalBytes(certificate.issuer, certificate.subject)).length;
}
