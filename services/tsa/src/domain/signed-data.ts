import { defaultHash, hash, type HashAlgorithm, type Signer } from "@chancery/crypto";
import { der, DerReader } from "@chancery/encoding";
import { type Certificate, signatureAlgorithmIdentifier } from "@chancery/x509";
import { OID } from "./oid.ts";
import { encodeHashIdentifier } from "./timestamp-request.ts";

const SET = 0x31;

/**
 * Wraps TSTInfos into CMS SignedData of exactly one signer (RFC 5652, Section 5; RFC 3161, Section 2.4.2).
 *
 * What does not change from one token to the next is encoded once.
 */
export class TokenSigner {
  readonly #signer: Signer;
  readonly #hash: HashAlgorithm;
  readonly #hashIdentifier: Uint8Array;
  readonly #signatureAlgorithm: Uint8Array;
  readonly #issuerAndSerial: Uint8Array;
  readonly #signingCertificate: Uint8Array;
  readonly #certificates: Uint8Array;

  constructor(certificate: Certificate, signer: Signer) {
    const { algorithm } = signer.publicKey;
    this.#signer = signer;
    // RFC 8419, Section 3.1: the message digest of an Ed25519 signer is SHA-512.
    this.#hash = algorithm === "ed25519" ? "sha512" : defaultHash(algorithm);
    this.#hashIdentifier = encodeHashIdentifier(this.#hash);
    this.#signatureAlgorithm = signatureAlgorithmIdentifier(algorithm);
    this.#issuerAndSerial = der.sequence(certificate.issuer, der.integerBytes(certificate.serial));
    this.#signingCertificate = attribute(OID.signingCertificateV2, signingCertificateV2(certificate));
    this.#certificates = der.explicit(0, certificate.der);
  }

  /**
   * ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }
   * SignedData ::= SEQUENCE {
   *   version INTEGER, digestAlgorithms SET OF AlgorithmIdentifier, encapContentInfo EncapsulatedContentInfo,
   *   certificates [0] IMPLICIT CertificateSet OPTIONAL, …, signerInfos SET OF SignerInfo }
   *
   * Version 3, because the content is not plain data. Only our own certificate is ever embedded.
   */
  async token(info: Uint8Array, time: Date, withCertificate: boolean): Promise<Uint8Array> {
    const content = der.sequence(der.oid(OID.timestampInfo), der.explicit(0, der.octetString(info)));
    const signedData = der.sequence(
      der.integer(3),
      der.set(this.#hashIdentifier),
      content,
      ...(withCertificate ? [this.#certificates] : []),
      der.set(await this.#signerInfo(info, time)),
    );
    return der.sequence(der.oid(OID.signedData), der.explicit(0, signedData));
  }

  /**
   * SignerInfo ::= SEQUENCE {
   *   version INTEGER, sid IssuerAndSerialNumber, digestAlgorithm AlgorithmIdentifier,
   *   signedAttrs [0] IMPLICIT SET OF Attribute, signatureAlgorithm AlgorithmIdentifier, signature OCTET STRING }
   *
   * RFC 5652, Section 5.4: signed is the SET OF encoding of signedAttrs, "rather than of the IMPLICIT [0] tag".
   */
  async #signerInfo(info: Uint8Array, time: Date): Promise<Uint8Array> {
    const attributes = der.set(
      attribute(OID.contentType, der.oid(OID.timestampInfo)),
      attribute(OID.messageDigest, der.octetString(hash(this.#hash, info))),
      attribute(OID.signingTime, der.time(time)),
      this.#signingCertificate,
    );
    const signature = await this.#signer.sign(attributes);
    return der.sequence(
      der.integer(1),
      this.#issuerAndSerial,
      this.#hashIdentifier,
      der.explicit(0, new DerReader(attributes, "signed attributes").read(SET)),
      this.#signatureAlgorithm,
      der.octetString(signature),
    );
  }
}

/** Attribute ::= SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF AttributeValue } */
function attribute(oid: string, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(oid), der.set(value));
}

/**
 * SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, … }
 * ESSCertIDv2 ::= SEQUENCE {
 *   hashAlgorithm AlgorithmIdentifier DEFAULT {sha256}, certHash OCTET STRING, issuerSerial IssuerSerial OPTIONAL }
 * IssuerSerial ::= SEQUENCE { issuer GeneralNames, serialNumber INTEGER }
 *
 * RFC 5035, Section 4. It is signed, so that no other certificate of the same key can be put in its place.
 */
function signingCertificateV2(certificate: Certificate): Uint8Array {
  const issuerSerial = der.sequence(
    der.sequence(der.explicit(4, certificate.issuer)),
    der.integerBytes(certificate.serial),
  );
  const id = der.sequence(der.octetString(hash("sha256", certificate.der)), issuerSerial);
  return der.sequence(der.sequence(id));
}
