import { type PublicKey, sha256 } from "@chancery/crypto";
import { encodeHex, equalBytes, TlsWriter } from "@chancery/encoding";
import { Malformed, Misconfigured, Unverified } from "@chancery/fault";
import {
  authorityKeyIdentifier,
  type Certificate,
  certificatePublicKey,
  extendedKeyUsage,
  OID,
  parseCertificate,
  subjectKeyIdentifier,
  verifyAuthorityChain,
  verifyChain,
  verifyNamedSignatureOnPool,
} from "@chancery/x509";

/** A submission that leads to one of the log's roots: every certificate issued by the next, all signatures verified. */
export interface AcceptedChain {
  readonly leaf: Certificate;
  /** The leaf's issuer first, the root last, whether it was submitted or not. */
  readonly authorities: Authorities;
}

export type Authorities = readonly [Certificate, ...Certificate[]];

export const MAX_CHAIN_CERTIFICATES = 10;

/** More than one installation's issuers, old ones included. */
const MAX_KNOWN_AUTHORITIES = 64;

interface KnownAuthorities {
  readonly authorities: Authorities;
  readonly issuerKey: PublicKey;
}

/**
 * Decides what this log takes. RFC 6962, Section 3.1: "Logs MUST verify that the submitted end-entity
 * certificate or Precertificate has a valid signature chain leading back to a trusted root CA certificate".
 * Without the rule anyone could fill the log.
 *
 * The clock is not asked: a log witnesses what an authority did, and a certificate does not stop
 * having been issued.
 *
 * Nearly every submission comes from the same issuer, so authorities that passed once are known by
 * their bytes and only the leaf is looked at: 160 µs where the whole walk takes 470.
 */
export class TrustedRoots {
  readonly certificates: readonly Certificate[];
  readonly #known = new Map<string, KnownAuthorities>();

  constructor(certificates: readonly Certificate[]) {
    if (certificates.length === 0) throw new Misconfigured("ctlog.roots", "is empty, so nothing could be logged");
    this.certificates = certificates;
  }

  /** Leaf first. "The last certificate is either the root certificate or a certificate that chains to a known root." */
  async accept(submitted: readonly Uint8Array[]): Promise<AcceptedChain> {
    const [first, ...above] = submitted;
    if (first === undefined) throw new Malformed("chain: is empty");
    if (above.length >= MAX_CHAIN_CERTIFICATES) {
      throw new Malformed(`chain: has more than ${MAX_CHAIN_CERTIFICATES} certificates`);
    }
    const leaf = parseCertificate(first, "chain: certificate 0");
    const key = fingerprint(above);
    const known = this.#known.get(key);
    // Without submitted authorities the key would be the same for the leaves of every root.
    if (known !== undefined && above.length > 0) {
      await verifyLeaf(leaf, known);
      return { leaf, authorities: known.authorities };
    }
    const authorities = this.#verify(leaf, above);
    this.#remember(key, { authorities, issuerKey: certificatePublicKey(authorities[0]) });
    return { leaf, authorities };
  }

  /** Of an authority that is not to be doubted later: issuing certificate first, and it leads to a root of this log. */
  authorities(chain: readonly Certificate[]): Authorities {
    const [issuing, ...above] = this.#completed(chain);
    if (issuing === undefined) throw new Malformed("chain: is empty");
    verifyAuthorityChain([issuing, ...above]);
    return [issuing, ...above];
  }

  #verify(leaf: Certificate, above: readonly Uint8Array[]): Authorities {
    const chain = [leaf, ...above.map((der, place) => parseCertificate(der, `chain: certificate ${place + 1}`))];
    // A root issued itself, so a chain could repeat it and still be one.
    const isRepeated = (der: Uint8Array, place: number) =>
      chain.slice(0, place).some((one) => equalBytes(one.der, der));
    if (chain.some(({ der }, place) => isRepeated(der, place))) throw new Malformed("chain: has a certificate twice");
    const [, issuer, ...rest] = this.#completed(chain);
    if (issuer === undefined) throw new Unverified("chain: has a root and nothing it issued");
    verifyChain([leaf, issuer, ...rest], OID.codeSigning, "chain");
    assertCodeSigning(leaf);
    return [issuer, ...rest];
  }

  /** The chain with its root, which only the walk that follows shows to have issued it. */
  #completed(chain: readonly Certificate[]): readonly Certificate[] {
    const last = chain.at(-1);
    if (last === undefined || this.certificates.some((root) => equalBytes(root.der, last.der))) return chain;
    const root = this.certificates.find((candidate) => mayHaveIssued(candidate, last));
    if (root === undefined) throw new Unverified("chain: does not lead to a root of this log");
    return [...chain, root];
  }

  #remember(key: string, known: KnownAuthorities): void {
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN_AUTHORITIES && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** What is left to verify when these authorities have issued an accepted leaf before: that they issued this one. */
async function verifyLeaf(leaf: Certificate, { authorities: [issuer], issuerKey }: KnownAuthorities): Promise<void> {
  const field = "chain: certificate 0";
  if (!equalBytes(leaf.issuer, issuer.subject)) throw new Unverified(`${field}: issuer name is not its issuer's`);
  verifyChain([leaf], OID.codeSigning, "chain");
  assertCodeSigning(leaf);
  await verifyNamedSignatureOnPool(issuerKey, leaf.signatureAlgorithmIdentifier, leaf.tbs, leaf.signature, field);
}

/** The walk lets a certificate pass that restricts nothing; what this log is for must say so. */
function assertCodeSigning(leaf: Certificate): void {
  if (extendedKeyUsage(leaf)?.includes(OID.codeSigning) === true) return;
  throw new Unverified("chain: certificate 0 does not list extended key usage codeSigning");
}

/** Roots of one name, as after a change of key, are told apart by their key identifiers. */
function mayHaveIssued(root: Certificate, certificate: Certificate): boolean {
  if (!equalBytes(root.subject, certificate.issuer)) return false;
  const [wanted, own] = [authorityKeyIdentifier(certificate), subjectKeyIdentifier(root)];
  return wanted === undefined || own === undefined || equalBytes(wanted, own);
}

/** With lengths, so that no two lists of certificates have the same bytes. */
function fingerprint(certificates: readonly Uint8Array[]): string {
  const writer = new TlsWriter();
  for (const certificate of certificates) writer.uint32(certificate.length).bytes(certificate);
  return encodeHex(sha256(writer.finish()));
}
