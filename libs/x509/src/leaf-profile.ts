import type { Signer } from "@chancery/crypto";
import { concatBytes, der, equalBytes } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { BackwardDer } from "./backward-der.ts";
import type { Certificate } from "./certificate.ts";
import { EMPTY_NAME } from "./distinguished-name.ts";
import { encodeExtension, type Extension } from "./extension.ts";
import { encodeFulcioExtensionList, type FulcioExtensions } from "./fulcio-extensions.ts";
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

/** What both certificates of a request have in common, encoded once. */
interface CommonPart {
  /** Version to subject public key. */
  readonly fields: Uint8Array;
  /** All extensions but the last one. */
  readonly extensions: Uint8Array;
}

/**
 * Writes Fulcio's leaf certificates: subject empty, key usage digitalSignature (critical), EKU codeSigning,
 * key identifiers, SAN (critical), what the token said, and last the poison or the SCT list.
 *
 * Both certificates of a request object come out of the same bytes, so they correspond by construction
 * (RFC 6962, Section 3.2): a log that saw the one has seen all of the other, whatever has become of the object meanwhile.
 */
export class LeafIssuer {
  readonly #signer: Signer;
  readonly #signatureAlgorithm: Uint8Array;
  readonly #issuer: Uint8Array;
  readonly #authorityKeyIdentifier: Uint8Array;
  readonly #common = new WeakMap<LeafRequest, CommonPart>();

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
    const common = this.#commonPart(request);
    return { der: await this.#sign(tbsCertificate(common, ENCODED_POISON)), tbs: tbsCertificate(common) };
  }

  /** The certificate itself. Callers MUST have the SCTs from a log that they verified, or that is theirs: nothing is issued that is not logged. */
  async certificate(request: LeafRequest, scts: readonly SignedCertificateTimestamp[]): Promise<Uint8Array> {
    const list: Extension = { oid: OID.sctList, critical: false, value: der.octetString(encodeSctList(scts)) };
    return this.#sign(tbsCertificate(this.#commonPart(request), encodeExtension(list)));
  }

  /** A certificate that no log has seen, for an installation that runs without a CT log. */
  async unloggedCertificate(request: LeafRequest): Promise<Uint8Array> {
    return this.#sign(tbsCertificate(this.#commonPart(request)));
  }

  #commonPart(request: LeafRequest): CommonPart {
    const known = this.#common.get(request);
    if (known !== undefined) return known;
    const common = { fields: this.#fields(request), extensions: this.#extensions(request) };
    this.#common.set(request, common);
    return common;
  }

  #fields(request: LeafRequest): Uint8Array {
    return concatBytes(
      VERSION_3,
      der.integerBytes(request.serial),
      this.#signatureAlgorithm,
      this.#issuer,
      der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
      EMPTY_NAME,
      request.spki,
    );
  }

  #extensions(request: LeafRequest): Uint8Array {
    return concatBytes(
      KEY_USAGE,
      EXTENDED_KEY_USAGE,
      encodeExtension(subjectKeyIdentifierExtension(request.spki)),
      this.#authorityKeyIdentifier,
      encodeExtension(subjectAlternativeNameExtension(request.san)),
      encodeFulcioExtensionList(request.extensions),
    );
  }

  async #sign(tbs: Uint8Array): Promise<Uint8Array> {
    return der.sequence(tbs, this.#signatureAlgorithm, der.bitString(await this.#signer.sign(tbs)));
  }
}

/** The last extension, as encoded, is poison, SCT list or nothing. */
function tbsCertificate(common: CommonPart, last: Uint8Array = NOTHING): Uint8Array {
  const writer = new BackwardDer(common.fields.length + common.extensions.length + last.length + HEADERS);
  const end = writer.position;
  writer.bytes(last);
  writer.bytes(common.extensions);
  writer.wrap(SEQUENCE, end);
  writer.wrap(EXTENSIONS, end);
  writer.bytes(common.fields);
  writer.wrap(SEQUENCE, end);
  return writer.finish();
}

const NOTHING = new Uint8Array();
const SEQUENCE = 0x30;
const EXTENSIONS = 0xa3;
/** Three, of at most five bytes each. */
const HEADERS = 16;
