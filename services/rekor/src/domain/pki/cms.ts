import { checkDer, compareBytes, concatBytes, der, DerReader, Tag } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, parseCertificate } from "@chancery/x509";

/** CMS SignedData as its bytes say; nothing about it is verified. */
export interface SignedData {
  /** The whole ContentInfo, DER, without what is signed. */
  readonly detached: Uint8Array;
  /** Object identifier of what is signed. */
  readonly contentType: string;
  /** What is signed, where it is inside. */
  readonly content: Uint8Array | undefined;
  readonly certificates: readonly Certificate[];
  readonly signers: readonly SignerInfo[];
}

export interface SignerInfo {
  /** The issuer's Name, DER. */
  readonly issuer: Uint8Array;
  /** Two's complement, as in the certificate. */
  readonly serial: Uint8Array;
  readonly digestAlgorithm: string;
  /** The SET that is signed instead of the content, DER. */
  readonly signedAttributes: Uint8Array | undefined;
  /** AlgorithmIdentifier, DER. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** Attributes that nothing signs: SET, DER. */
  readonly unsignedAttributes: Uint8Array | undefined;
}

const SIGNED_DATA = "1.2.840.113549.1.7.2";
/** As many as in a PEM chain, and as many signatures as in an envelope. */
const MAX_CERTIFICATES = 10;
const MAX_SIGNERS = 10;

/**
 * ```text
 * ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }
 * SignedData ::= SEQUENCE {
 *   version INTEGER, digestAlgorithms SET OF AlgorithmIdentifier,
 *   encapContentInfo SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING OPTIONAL },
 *   certificates [0] IMPLICIT SET OF Certificate OPTIONAL, crls [1] IMPLICIT SET OPTIONAL,
 *   signerInfos SET OF SignerInfo }                                                       RFC 5652, Section 5.1
 * ```
 *
 * Strict DER to the leaves, though CMS allows BER: a second encoding of one signature would be a second entry.
 */
export function parseSignedData(bytes: Uint8Array, field: string): SignedData {
  const outer = new DerReader(bytes, field);
  const info = outer.sequence();
  outer.end();
  if (info.oid() !== SIGNED_DATA) throw new Malformed(`${field}: not CMS SignedData`);
  const wrapper = info.explicit(0) ?? missing(field, "content");
  info.end();
  const data = wrapper.sequence();
  wrapper.end();
  const version = data.integer();
  const algorithms = data.any();
  checkDer(algorithms, field);
  for (const algorithm of membersOf(new DerReader(algorithms, field).set())) checkAlgorithm(algorithm, field);
  const encapsulated = data.sequence();
  const contentType = encapsulated.oid();
  const inner = encapsulated.explicit(0);
  encapsulated.end();
  const content = inner?.octetString();
  inner?.end();
  const certificateSet = optional(data, 0);
  const revocationSet = optional(data, 1);
  const signerSet = data.any();
  data.end();
  for (const list of membersOf(inside(revocationSet, field))) checkDer(list, field);
  const contentInfo = der.sequence(der.oid(contentType));
  const parts = [der.integer(version), algorithms, contentInfo, certificateSet, revocationSet, signerSet];
  return {
    detached: der.sequence(
      der.oid(SIGNED_DATA),
      der.explicit(0, der.sequence(...parts.filter((part) => part !== undefined))),
    ),
    contentType,
    content,
    certificates: parseCertificates(inside(certificateSet, field), field),
    signers: parseSigners(signerSet, field),
  };
}

/** OPTIONAL [n], constructed, as it stands. */
function optional(reader: DerReader, n: number): Uint8Array | undefined {
  return reader.tag() === (Tag.CONTEXT_CONSTRUCTED | n) ? reader.any() : undefined;
}

function inside(value: Uint8Array | undefined, field: string): DerReader | undefined {
  return value && new DerReader(value, field).open(value[0] ?? 0);
}

function parseCertificates(set: DerReader | undefined, field: string): Certificate[] {
  const members = membersOf(set);
  if (members.length > MAX_CERTIFICATES) throw new Malformed(`${field}: more than ${MAX_CERTIFICATES} certificates`);
  return members.map((member, place) => parseCertificate(member, `${field}: certificate ${place}`));
}

/** `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }` */
function checkAlgorithm(identifier: Uint8Array, field: string): void {
  new DerReader(identifier, field).sequence().oid();
}

function membersOf(set: DerReader | undefined): Uint8Array[] {
  const members: Uint8Array[] = [];
  if (set === undefined) return members;
  while (!set.done()) members.push(set.any());
  return members;
}

function parseSigners(set: Uint8Array, field: string): SignerInfo[] {
  const outer = new DerReader(set, field);
  const members = membersOf(outer.set());
  outer.end();
  if (members.length === 0) throw new Malformed(`${field}: no signature`);
  if (members.length > MAX_SIGNERS) throw new Malformed(`${field}: more than ${MAX_SIGNERS} signers`);
  // X.690, Section 11.6, which is checked nowhere else: below, each is looked into on its own.
  if (members.some((member, at) => at > 0 && compareBytes(members[at - 1] ?? member, member) > 0)) {
    throw new Malformed(`${field}: a SET whose members do not ascend`);
  }
  return members.map((member) => parseSigner(member, field));
}

/**
 * ```text
 * SignerInfo ::= SEQUENCE {
 *   version INTEGER, sid IssuerAndSerialNumber, digestAlgorithm AlgorithmIdentifier,
 *   signedAttrs [0] IMPLICIT SET OF Attribute OPTIONAL, signatureAlgorithm AlgorithmIdentifier,
 *   signature OCTET STRING, unsignedAttrs [1] IMPLICIT SET OF Attribute OPTIONAL }        RFC 5652, Section 5.3
 * ```
 */
function parseSigner(info: Uint8Array, field: string): SignerInfo {
  checkDer(info, field);
  const reader = new DerReader(info, field).sequence();
  reader.integer();
  // Upstream knows no subject key identifier in its place.
  const signer = reader.sequence();
  const issuer = signer.any();
  const serial = signer.integerBytes();
  signer.end();
  const digestAlgorithm = reader.sequence().oid();
  const signedAttributes = asSet(reader, 0);
  const signatureAlgorithm = reader.any();
  const signature = reader.octetString();
  const unsignedAttributes = asSet(reader, 1);
  reader.end();
  return { issuer, serial, digestAlgorithm, signedAttributes, signatureAlgorithm, signature, unsignedAttributes };
}

/** "the DER encoding of the SET OF tag is used, rather than of the IMPLICIT [0] tag" (RFC 5652, Section 5.4). */
function asSet(reader: DerReader, tag: number): Uint8Array | undefined {
  if (reader.tag() !== (Tag.CONTEXT_CONSTRUCTED | tag)) return undefined;
  return concatBytes(Uint8Array.of(Tag.SET), reader.any().subarray(1));
}

/** The one value of an attribute; undefined when it is not there. `Attribute ::= SEQUENCE { type, values SET OF ANY }` */
export function attributeValue(attributes: Uint8Array, type: string, field: string): DerReader | undefined {
  const set = new DerReader(attributes, field).set();
  let found: DerReader | undefined;
  while (!set.done()) {
    const attribute = set.sequence();
    if (attribute.oid() !== type) continue;
    if (found !== undefined) throw new Malformed(`${field}: the attribute ${type} comes twice`);
    found = attribute.set();
  }
  return found;
}

function missing(field: string, what: string): never {
  throw new Malformed(`${field}: has no ${what}`);
}
