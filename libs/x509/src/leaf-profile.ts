import type { Signer } from "@chancery/crypto";
import { der, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import type { Certificate } from "./certificate.ts";
import { EMPTY_NAME } from "./distinguished-name.ts";
import { encodeExtension, type Extension } from "./extension.ts";
import { encodeFulcioExtensions, type FulcioExtensions } from "./fulcio-extensions.ts";
import { OID } from "./oid.ts";
import { POISON } from "./precertificate.ts";
import { encodeSctList, type SignedCertificateTimestamp } from "./sct.ts";
import { signatureAlgorithmIdentifier } from "./signature-algorithm.ts";
import {
  authorityKeyIdentifierExtension,
  extendedKeyUsageExtension,
  keyUsageExtension,
  subjectKeyIdentifier,
  subjectKeyIdentifierExtension,
} from "./standard-extensions.ts";
import { subjectAlternativeNameExtension, type SubjectAlternativeName } from "./subject-alternative-name.ts";

/** Everything of a leaf that differs from the next one. */
export interface LeafRequest {
  readonly spki: Uint8Array;
  readonly san: SubjectAlternativeName;
  readonly extensions: FulcioExtensions;
  /** Whole seconds are written; a fraction is cut off. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** From `serialNumber`. */
  readonly serial: Uint8Array;
}

const VERSION_3 = der.explicit(0, der.integer(2));
const KEY_USAGE = encodeExtension(keyUsageExtension(["digitalSignature"]));
const EXTENDED_KEY_USAGE = encodeExtension(extendedKeyUsageExtension([OID.codeSigning], false));
const ENCODED_POISON = encodeExtension(POISON);

/**
 * Writes Fulcio's leaf certificates: subject empty, key usage digitalSignature (critical), EKU codeSigning,
 * key identifiers, SAN (critical), what the token said, and last the poison or the SCT list.
 *
 * Both certificates of a request come out of the same bytes, so they correspond by construction
 * (RFC 6962, Section 3.2): a log that saw the one has seen all of the other.
 */
export class LeafIssuer {
  readonly #signer: Signer;
  readonly #signatureAlgorithm: Uint8Array;
  readonly #issuer: Uint8Array;
  readonly #authorityKeyIdentifier: Uint8Array;

  constructor(issuerCertificate: Certificate, signer: Signer) {
    if (!equalBytes(issuerCertificate.spki, signer.publicKey.spki)) {
      throw new Misconfigured("fulcio.certificate", "is not the certificate of the signing key");
    }
    const identifier = subjectKeyIdentifier(issuerCertificate);
    // RFC 5280, Section 4.2.1.1, MUST; webpki-style verifiers find no path without it.
    if (identifier === undefined) {
      throw new Misconfigured("fulcio.certificate", "has no subject key identifier, which every leaf must repeat");
    }
    this.#signer = signer;
    this.#signatureAlgorithm = signatureAlgorithmIdentifier(signer.publicKey.algorithm);
    this.#issuer = issuerCertificate.subject;
    this.#authorityKeyIdentifier = encodeExtension(authorityKeyIdentifierExtension(identifier));
  }

  /** The precertificate, and the `tbs` a log signs for it: the same without the poison. */
  async precertificate(request: LeafRequest): Promise<{ readonly der: Uint8Array; readonly tbs: Uint8Array }> {
    const [fields, extensions] = [this.#fields(request), this.#extensions(request)];
    const certificate = await this.#sign(tbsCertificate(fields, [...extensions, ENCODED_POISON]));
    return { der: certificate, tbs: tbsCertificate(fields, extensions) };
  }

  /** The certificate itself. Callers MUST have verified the SCTs: nothing is issued that is not logged. */
  certificate(request: LeafRequest, scts: readonly SignedCertificateTimestamp[]): Promise<Uint8Array> {
    const list: Extension = { oid: OID.sctList, critical: false, value: der.octetString(encodeSctList(scts)) };
    return this.#sign(tbsCertificate(this.#fields(request), [...this.#extensions(request), encodeExtension(list)]));
  }

  /** A certificate that no log has seen, for an installation that runs without a CT log. */
  unloggedCertificate(request: LeafRequest): Promise<Uint8Array> {
    return this.#sign(tbsCertificate(this.#fields(request), this.#extensions(request)));
  }

  #fields(request: LeafRequest): Uint8Array[] {
    return [
      VERSION_3,
      der.integerBytes(request.serial),
      this.#signatureAlgorithm,
      this.#issuer,
      der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
      EMPTY_NAME,
      request.spki,
    ];
  }

  #extensions(request: LeafRequest): Uint8Array[] {
    return [
      KEY_USAGE,
      EXTENDED_KEY_USAGE,
      encodeExtension(subjectKeyIdentifierExtension(request.spki)),
      this.#authorityKeyIdentifier,
      encodeExtension(subjectAlternativeNameExtension(request.san)),
      ...encodeFulcioExtensions(request.extensions).map(encodeExtension),
    ];
  }

  async #sign(tbs: Uint8Array): Promise<Uint8Array> {
    return der.sequence(tbs, this.#signatureAlgorithm, der.bitString(await this.#signer.sign(tbs)));
  }
}

function tbsCertificate(fields: readonly Uint8Array[], extensions: readonly Uint8Array[]): Uint8Array {
  return der.sequence(...fields, der.explicit(3, der.sequence(...extensions)));
}
