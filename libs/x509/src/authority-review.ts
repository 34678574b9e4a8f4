import { equalBytes } from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { type Certificate, certificatePublicKey, findExtension } from "./certificate.ts";
import { UNDERSTOOD, verifyAuthorityChain, verifyIssuedBy } from "./chain.ts";
import { showDistinguishedName } from "./distinguished-name.ts";
import { OID } from "./oid.ts";
import { parseSignatureAlgorithm } from "./signature-algorithm.ts";
import {
  allowsKeyUsage,
  authorityKeyIdentifier,
  basicConstraints,
  extendedKeyUsage,
  subjectKeyIdentifier,
} from "./standard-extensions.ts";

/**
 * Everything about an issuing chain that would keep it from issuing, or stock clients from believing what it issues:
 * a sentence each, none when it is good. For the one who brings certificates from a ceremony, which nobody wants to
 * hold once per mistake.
 *
 * Upstream's `VerifyCertChain`, and what is asked beyond it by OpenSSL's X509_STRICT, under which sigstore-python
 * verifies (basic constraints critical, key usage and key identifiers there). The clock is not asked.
 */
export function reviewAuthorityChain(chain: readonly Certificate[], spki: Uint8Array): readonly string[] {
  const [issuing] = chain;
  if (issuing === undefined) return ["there is no certificate"];
  const found = [
    ...(equalBytes(issuing.spki, spki) ? [] : [`${titleOf(chain, 0)}: is not of the key that signs under it`]),
    ...reviewOrder(chain),
    ...reviewRepeats(chain),
    ...chain.flatMap((_certificate, place) => reviewAt(chain, place)),
  ];
  return found.length > 0 ? found : said(() => verifyAuthorityChain(chain));
}

/** What the clock says against the chain: one sentence for each certificate that is not valid. */
export function reviewValidity(chain: readonly Certificate[], now: Date): readonly string[] {
  const early = chain.flatMap(({ notBefore }, place) =>
    now < notBefore ? [`${titleOf(chain, place)}: is valid only from ${notBefore.toISOString()}`] : [],
  );
  return [...reviewEnd(chain, now), ...early];
}

/** The half of it that no waiting mends. */
export function reviewEnd(chain: readonly Certificate[], now: Date): readonly string[] {
  return chain.flatMap(({ notAfter }, place) =>
    now > notAfter ? [`${titleOf(chain, place)}: ended on ${notAfter.toISOString()}`] : [],
  );
}

/** When the first of the certificates ends, and with it all that the chain is good for. */
export function endOfChain(chain: readonly Certificate[]): Date {
  return new Date(Math.min(...chain.map(({ notAfter }) => notAfter.getTime())));
}

function reviewOrder(chain: readonly Certificate[]): readonly string[] {
  const [first, last] = [chain[0], chain.at(-1)];
  if (first === undefined || last === undefined) return [];
  if (isSelfIssued(last)) return [];
  if (chain.length > 1 && isSelfIssued(first)) {
    return ["the order is wrong: the issuing certificate comes first, the root last"];
  }
  return [
    `${titleOf(chain, chain.length - 1)}: is not a root, and clients are told one: add ${showDistinguishedName(last.issuer)} as the last`,
  ];
}

/** A root issued itself, so every link of such a chain holds; CT logs refuse it, and with it all that is issued. */
function reviewRepeats(chain: readonly Certificate[]): readonly string[] {
  return chain.flatMap(({ der }, place) =>
    chain.slice(0, place).some((one) => equalBytes(one.der, der)) ? [`${titleOf(chain, place)}: comes twice`] : [],
  );
}

function reviewAt(chain: readonly Certificate[], place: number): readonly string[] {
  const certificate = chain[place];
  if (certificate === undefined) return [];
  const issuer = chain[place + 1];
  const title = titleOf(chain, place);
  return [
    ...rejections(certificate, chain, place).map((complaint) => `${title}: ${complaint}`),
    ...said(() => certificatePublicKey(certificate)).map((complaint) => `${title}: ${complaint}`),
    ...said(() => parseSignatureAlgorithm(certificate.signatureAlgorithmIdentifier, title)),
    ...(issuer === undefined ? [] : reviewLink(certificate, issuer, title)),
  ];
}

function* complaints(certificate: Certificate, chain: readonly Certificate[], place: number): Generator<string> {
  const constraints = basicConstraints(certificate);
  if (certificate.subject.length <= 2) yield "has no subject name, which must stand in all it issues";
  if (!constraints.certificateAuthority) yield "is not an authority (basic constraints CA:TRUE)";
  else if (findExtension(certificate, OID.basicConstraints)?.critical !== true) {
    yield "its basic constraints are not critical (RFC 5280, Section 4.2.1.9)";
  }
  const below = chain.slice(0, place).filter((other) => !isSelfIssued(other)).length;
  if (constraints.pathLength !== undefined && below > constraints.pathLength) {
    yield `its path length allows ${constraints.pathLength} authorities below it, and there are ${below}`;
  }
  // A root may lack it: `openssl req -x509` leaves it out unless told, and only X509_STRICT minds.
  if (findExtension(certificate, OID.keyUsage) === undefined && !isSelfIssued(certificate)) {
    yield "has no key usage (keyCertSign is needed)";
  } else if (!allowsKeyUsage(certificate, "keyCertSign")) {
    yield "its key usage has no keyCertSign";
  }
  const purposes = extendedKeyUsage(certificate);
  if (place === 0 && chain.length > 1 && !purposes?.includes(OID.codeSigning)) {
    yield "its extended key usage does not list codeSigning";
  } else if (purposes !== undefined && ![OID.codeSigning, OID.anyExtendedKeyUsage].some((o) => purposes.includes(o))) {
    yield "its extended key usage does not allow codeSigning";
  }
  if (subjectKeyIdentifier(certificate) === undefined) yield "has no subject key identifier";
  const strange = certificate.extensions.filter(({ critical, oid }) => critical && !UNDERSTOOD.has(oid));
  for (const { oid } of strange) yield `its critical extension ${oid} is not understood`;
}

/** All complaints, up to an extension that cannot be read. */
function rejections(certificate: Certificate, chain: readonly Certificate[], place: number): readonly string[] {
  const found: string[] = [];
  const unreadable = said(() => {
    for (const complaint of complaints(certificate, chain, place)) found.push(complaint);
  });
  return [...found, ...unreadable];
}

function reviewLink(certificate: Certificate, issuer: Certificate, title: string): readonly string[] {
  const identifier = authorityKeyIdentifier(certificate);
  const theirs = subjectKeyIdentifier(issuer);
  const unlinked =
    identifier === undefined
      ? [`${title}: has no authority key identifier`]
      : theirs !== undefined && !equalBytes(identifier, theirs)
        ? [`${title}: its authority key identifier is not its issuer's subject key identifier`]
        : [];
  return [...unlinked, ...said(() => verifyIssuedBy(certificate, issuer, title))];
}

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.issuer, certificate.subject);
}

function titleOf(chain: readonly Certificate[], place: number): string {
  const subject = chain[place]?.subject;
  return `certificate ${place + 1} of ${chain.length}${subject === undefined ? "" : ` (${showDistinguishedName(subject)})`}`;
}

function said(check: () => unknown): readonly string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof Fault) return [error.message];
    throw error;
  }
}
