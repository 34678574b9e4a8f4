import { createHash, verify } from "node:crypto";
import { der, DerReader } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, extensionOf, keyOf, readCertificate } from "../certificate/certificate.ts";

const OID = {
  sha256: "2.16.840.1.101.3.4.2.1",
  signedData: "1.2.840.113549.1.7.2",
  timestampInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  extendedKeyUsage: "2.5.29.37",
} as const;

const HASHES: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** SEQUENCE of id-kp-timeStamping, RFC 3161, Section 2.3. */
const TIME_STAMPING = "300a06082b06010505070308";

/** TimeStampReq ::= SEQUENCE { version, messageImprint, …, nonce INTEGER, certReq BOOLEAN }, RFC 3161, Section 2.4.1. */
export function encodeTimestampRequest(digest: Uint8Array, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const imprint = der.sequence(der.sequence(der.oid(OID.sha256), der.null()), der.octetString(digest));
  return Uint8Array.from(der.sequence(der.integer(1), imprint, der.integerBytes(nonce), der.boolean(true)));
}

/**
 * The time of a TimeStampResp over this digest, once its signature holds under the authority that clients trust.
 *
 * TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }, RFC 3161, Section 2.4.2.
 */
export function openTimestamp(
  response: Uint8Array,
  asked: { readonly digest: Uint8Array; readonly nonce: Uint8Array },
  authorities: readonly Certificate[],
): Date {
  const whole = new DerReader(response, "timestamp").sequence();
  const status = whole.sequence().integer();
  if (status > 1n) throw new Malformed(`timestamp: refused with status ${status}`);
  const content = whole.sequence();
  whole.end();
  requireOid(content.oid(), OID.signedData);
  const signedData = inside(content.explicit(0)).sequence();
  signedData.integer();
  signedData.any();
  const encapsulated = signedData.sequence();
  requireOid(encapsulated.oid(), OID.timestampInfo);
  const info = inside(encapsulated.explicit(0)).octetString();
  const embedded = signedData.explicit(0);
  const signerInfos = signedData.set();
  signedData.end();
  const signer = signerInfos.sequence();
  signerInfos.end();
  const certificate = embedded === undefined ? undefined : readCertificate(embedded.any());
  verifySigner(signer, info, trusted(certificate, authorities));
  return readInfo(info, asked);
}

function trusted(embedded: Certificate | undefined, authorities: readonly Certificate[]): Certificate {
  const found = authorities.find(({ der: own }) => embedded === undefined || Buffer.compare(own, embedded.der) === 0);
  if (found === undefined) throw new Malformed("timestamp: signed by an authority that clients do not trust");
  if (extensionOf(found, OID.extendedKeyUsage)?.value.toHex() !== TIME_STAMPING) {
    throw new Malformed("timestamp: its certificate is for more than timestamps");
  }
  return found;
}

/** SignerInfo, RFC 5652, Section 5.3: the signature covers the attributes, one of which is the hash of the content. */
function verifySigner(signer: DerReader, info: Uint8Array, certificate: Certificate): void {
  signer.integer();
  const sid = signer.any();
  const issuerAndSerial = der.sequence(certificate.issuer, der.integerBytes(certificate.serial));
  if (Buffer.compare(sid, issuerAndSerial) !== 0) throw new Malformed("timestamp: names another signer");
  const hash = HASHES[signer.sequence().oid()];
  if (hash === undefined) throw new Malformed("timestamp: an unknown hash");
  const attributes = Uint8Array.from(signer.any());
  signer.any();
  const signature = signer.octetString();
  // RFC 5652, Section 5.4: signed is "the DER encoding of the SET OF", not the IMPLICIT [0].
  attributes[0] = 0x31;
  const found = readAttributes(attributes);
  const digest = createHash(hash).update(info).digest("hex");
  // Behind the tag and length of an OCTET STRING.
  if (found.get(OID.messageDigest)?.slice(4) !== digest) {
    throw new Malformed("timestamp: its content is not what was signed");
  }
  if (!verify(hash, attributes, keyOf(certificate), signature))
    throw new Malformed("timestamp: its signature does not hold");
}

/** Attribute ::= SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF AttributeValue } */
function readAttributes(bytes: Uint8Array): Map<string, string> {
  const set = new DerReader(bytes, "timestamp").set();
  const attributes = new Map<string, string>();
  while (!set.done()) {
    const attribute = set.sequence();
    const [type, values] = [attribute.oid(), attribute.set()];
    attributes.set(type, values.any().toHex());
  }
  return attributes;
}

/** TSTInfo ::= SEQUENCE { version, policy, messageImprint, serialNumber, genTime, accuracy?, ordering?, nonce?, … } */
function readInfo(info: Uint8Array, asked: { readonly digest: Uint8Array; readonly nonce: Uint8Array }): Date {
  const fields = new DerReader(info, "timestamp").sequence();
  fields.integer();
  fields.oid();
  const imprint = fields.sequence();
  imprint.any();
  if (Buffer.compare(imprint.octetString(), asked.digest) !== 0)
    throw new Malformed("timestamp: is over something else");
  fields.integer();
  const time = fields.time({ fraction: true });
  if (fields.tag() === 0x30) fields.any();
  if (fields.tag() === 0x01) fields.any();
  const nonce = fields.tag() === 0x02 ? fields.integerBytes() : new Uint8Array();
  if (Buffer.compare(nonce, asked.nonce) !== 0) throw new Malformed("timestamp: is an answer to another question");
  return time;
}

function inside(reader: DerReader | undefined): DerReader {
  if (reader === undefined) throw new Malformed("timestamp: a part is missing");
  return reader;
}

function requireOid(found: string, wanted: string): void {
  if (found !== wanted) throw new Malformed(`timestamp: ${found} where ${wanted} is expected`);
}
