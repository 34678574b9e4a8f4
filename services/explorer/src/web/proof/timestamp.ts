import { DerReader, equalBytes } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { type Certificate, parseCertificate, SIGNATURE_HASHES } from "../certificate/certificate.ts";
import { isAuthorityAt, isChain } from "./check-certificate.ts";
import { type DigestAlgorithm, digestOf, verifyDigest, verifyMessage } from "./signature.ts";
import type { TrustedAuthority } from "./trusted-keys.ts";

const FIELD = "the timestamp";
const OID = {
  signedData: "1.2.840.113549.1.7.2",
  timestampInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  timeStamping: "1.3.6.1.5.5.7.3.8",
} as const;
const HASHES: Readonly<Record<string, DigestAlgorithm>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const LARGEST = 65_536;

export interface VerifiedTimestamp {
  readonly time: Date;
  readonly authority: TrustedAuthority;
}

interface Token {
  /** TSTInfo, as it was signed. */
  readonly content: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly signer: SignerInfo;
}

interface SignerInfo {
  readonly issuer: Uint8Array;
  readonly serial: Uint8Array;
  readonly hash: DigestAlgorithm;
  /** As a SET OF, which is what the signature covers. */
  readonly attributes: Uint8Array;
  readonly signatureHash: DigestAlgorithm;
  readonly signature: Uint8Array;
}

/** Undefined where no authority that is trusted made it; what one made and is wrong is `Unverified`. */
export async function verifyTimestamp(
  response: Uint8Array,
  signature: Uint8Array,
  authorities: readonly TrustedAuthority[],
): Promise<VerifiedTimestamp | undefined> {
  const { content, certificates, signer } = parseToken(response);
  const { time, hash, digest } = parseInfo(content);
  if (!equalBytes(digest, digestOf(hash, signature))) {
    throw new Unverified("the timestamp is over another signature than this one");
  }
  const signed = await findSigner(signer, certificates, authorities);
  if (signed === undefined) return undefined;
  await verifySigner(signer, content, signed.certificate);
  if (!isAuthorityAt({ ...signed.authority, chain: [signed.certificate, ...signed.authority.chain] }, time.getTime())) {
    throw new Unverified("the authority of the timestamp was not in force at its time");
  }
  return { time, authority: signed.authority };
}

/**
 * TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo }              RFC 3161, Section 2.4.2
 * SignedData ::= SEQUENCE { version, digestAlgorithms, encapContentInfo, certificates [0], crls [1], signerInfos }
 *
 * RFC 5652, Section 5.1. A token has one signer.
 */
function parseToken(response: Uint8Array): Token {
  if (response.length > LARGEST) throw new Malformed(`${FIELD} is longer than 64 KiB`);
  const outer = new DerReader(response, FIELD);
  const whole = outer.sequence();
  outer.end();
  if (whole.sequence().integer() > 1n) throw new Malformed(`${FIELD} is a refusal`);
  const token = whole.sequence();
  requireOid(token.oid(), OID.signedData);
  const signedData = token.open(0xa0).sequence();
  signedData.any();
  signedData.any();
  const encapsulated = signedData.sequence();
  requireOid(encapsulated.oid(), OID.timestampInfo);
  const content = encapsulated.open(0xa0).octetString();
  const certificates = readAll(signedData.explicit(0));
  signedData.explicit(1);
  const signers = signedData.set();
  const signer = parseSigner(signers.sequence());
  signers.end();
  return { content, certificates, signer };
}

function readAll(list: DerReader | undefined): Uint8Array[] {
  const found: Uint8Array[] = [];
  while (list?.done() === false) found.push(list.any());
  return found;
}

/** SignerInfo, RFC 5652, Section 5.3, by issuer and serial number, as RFC 3161's tokens are. */
function parseSigner(reader: DerReader): SignerInfo {
  reader.any();
  const name = reader.sequence();
  const [issuer, serial] = [name.any(), name.integerBytes()];
  const hash = hashNamed(reader.sequence().oid());
  if (reader.tag() !== 0xa0) throw new Malformed(`${FIELD} has no signed attributes`);
  const attributes = Uint8Array.from(reader.any());
  // Section 5.4: signed is "the DER encoding of the SET OF", not of the IMPLICIT [0].
  attributes[0] = 0x31;
  const signatureHash = SIGNATURE_HASHES[reader.sequence().oid()] ?? hash;
  return { issuer, serial, hash, attributes, signatureHash, signature: reader.octetString() };
}

/** TSTInfo ::= SEQUENCE { version, policy, messageImprint { hashAlgorithm, hashedMessage }, serialNumber, genTime, … } */
function parseInfo(content: Uint8Array): { time: Date; hash: DigestAlgorithm; digest: Uint8Array } {
  const outer = new DerReader(content, FIELD);
  const fields = outer.sequence();
  outer.end();
  fields.integer();
  fields.oid();
  const imprint = fields.sequence();
  const hash = hashNamed(imprint.sequence().oid());
  const digest = imprint.octetString();
  fields.integer();
  return { hash, digest, time: fields.time({ fraction: true }) };
}

/** The trusted root names the certificate; or it stands in the token and is issued by what the trusted root names. */
async function findSigner(
  { issuer, serial }: SignerInfo,
  embedded: readonly Uint8Array[],
  all: readonly TrustedAuthority[],
) {
  const isNamed = (one: Certificate) => equalBytes(one.issuerName, issuer) && equalBytes(one.serialNumber, serial);
  const inToken = embedded.map((bytes) => parseCertificate(bytes, FIELD)).find(isNamed);
  for (const authority of all) {
    const [first] = authority.chain;
    if (first === undefined) continue;
    const certificate = isNamed(first) ? first : inToken;
    if (certificate === undefined) continue;
    const chain = certificate === first ? authority.chain : [certificate, ...authority.chain];
    if (await isChain(chain)) return { certificate, authority };
  }
  return undefined;
}

async function verifySigner(signer: SignerInfo, content: Uint8Array, { key, extendedKeyUsages }: Certificate) {
  if (extendedKeyUsages.join() !== OID.timeStamping) {
    throw new Unverified("the certificate of the timestamp is not for timestamps alone");
  }
  const attributes = readAttributes(signer.attributes);
  const digest = attributes.get(OID.messageDigest);
  const type = attributes.get(OID.contentType);
  requireOid(type === undefined ? "" : new DerReader(type, FIELD).oid(), OID.timestampInfo);
  if (digest === undefined || !equalBytes(new DerReader(digest, FIELD).octetString(), digestOf(signer.hash, content))) {
    throw new Unverified("the timestamp's content is not what was signed");
  }
  const { signatureHash, signature } = signer;
  const holds =
    key.algorithm === "Ed25519"
      ? await verifyMessage(key, signer.attributes, signature)
      : verifyDigest(key, signatureHash, digestOf(signatureHash, signer.attributes), signature);
  if (!holds) throw new Unverified("the timestamp's signature does not verify");
}

/** Attribute ::= SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF AttributeValue } */
function readAttributes(bytes: Uint8Array): Map<string, Uint8Array> {
  const set = new DerReader(bytes, FIELD).set();
  const found = new Map<string, Uint8Array>();
  while (!set.done()) {
    const attribute = set.sequence();
    const type = attribute.oid();
    if (found.has(type)) throw new Malformed(`${FIELD} has an attribute twice`);
    found.set(type, attribute.set().any());
  }
  return found;
}

function hashNamed(oid: string): DigestAlgorithm {
  const hash = HASHES[oid];
  if (hash === undefined) throw new Malformed(`${FIELD} is by a hash that this page does not know (${oid})`);
  return hash;
}

function requireOid(found: string, wanted: string): void {
  if (found !== wanted) throw new Malformed(`${FIELD} is of another type (${found})`);
}
