import type { Signer } from "@chancery/crypto";
import { der, equalBytes, Tag } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { BackwardDer } from "./backward-der.ts";
import type { Certificate } from "./certificate.ts";
import { EMPTY_NAME } from "./distinguished-name.ts";
import { encodeExtension, wrapExtension } from "./extension.ts";
import { type FulcioExtensions, roomForFulcioExtensions, writeFulcioExtensions } from "./fulcio-extensions.ts";
import { OID } from "./oid.ts";
import { POISON } from "./precertificate.ts";
import { encodeSctList, type SignedCertificateTimestamp } from "./sct.ts";
import { signatureAlgorithmIdentifier } from "./signature-algorithm.ts";
import {
  authorityKeyIdentifierExtension,
  extendedKeyUsageExtension,
  keyUsageExtension,
  subjectKeyIdentifier,
  writeSubjectKeyIdentifier,
} from "./standard-extensions.ts";
import {
  encodeSubjectAlternativeName,
  type SubjectAlternativeName,
  writeSubjectAlternativeName,
} from "./subject-alternative-name.ts";

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
  /** What the common part of any request takes at most, beside what differs in length. */
  readonly #constantRoom: number;
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
    const constant = [this.#signatureAlgorithm, this.#issuer, this.#authorityKeyIdentifier];
    this.#constantRoom = constant.reduce((sum, { length }) => sum + length, OTHERS);
  }

  /** The precertificate, and the `tbs` a log signs for it: the same without the poison. */
  async precertificate(request: LeafRequest): Promise<{ readonly der: Uint8Array; readonly tbs: Uint8Array }> {
    const common = this.#commonPart(request);
    return { der: await this.#sign(tbsCertificate(common, ENCODED_POISON)), tbs: tbsCertificate(common) };
  }

  /** The certificate itself. Callers MUST have the SCTs from a log that they verified, or that is theirs: nothing is issued that is not logged. */
  async certificate(request: LeafRequest, scts: readonly SignedCertificateTimestamp[]): Promise<Uint8Array> {
    return this.#sign(tbsCertificate(this.#commonPart(request), sctListExtension(scts)));
  }

  /** A certificate that no log has seen, for an installation that runs without a CT log. */
  async unloggedCertificate(request: LeafRequest): Promise<Uint8Array> {
    return this.#sign(tbsCertificate(this.#commonPart(request)));
  }

  #commonPart(request: LeafRequest): CommonPart {
    const known = this.#common.get(request);
    if (known !== undefined) return known;
    const common = this.#encodeCommonPart(request);
    this.#common.set(request, common);
    return common;
  }

  /** From its end to its beginning, into one piece of memory. */
  #encodeCommonPart({ spki, san, extensions, notBefore, notAfter, serial }: LeafRequest): CommonPart {
    const names = encodeSubjectAlternativeName(san);
    const varying = roomForFulcioExtensions(extensions) + names.length + spki.length + serial.length;
    const writer = new BackwardDer(this.#constantRoom + varying);
    const end = writer.position;
    writeFulcioExtensions(writer, extensions);
    writeSubjectAlternativeName(writer, names);
    writer.bytes(this.#authorityKeyIdentifier);
    writeSubjectKeyIdentifier(writer, spki);
    writer.bytes(EXTENDED_KEY_USAGE);
    writer.bytes(KEY_USAGE);
    const extensionsLength = end - writer.position;
    writer.bytes(spki);
    writer.bytes(EMPTY_NAME);
    const validity = writer.position;
    writer.bytes(der.time(notAfter));
    writer.bytes(der.time(notBefore));
    writer.wrap(Tag.SEQUENCE, validity);
    writer.bytes(this.#issuer);
    writer.bytes(this.#signatureAlgorithm);
    writer.bytes(der.integerBytes(serial));
    writer.bytes(VERSION_3);
    const written = writer.finish();
    const split = written.length - extensionsLength;
    return { fields: written.subarray(0, split), extensions: written.subarray(split) };
  }

  async #sign(tbs: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#signer.sign(tbs);
    const writer = new BackwardDer(tbs.length + this.#signatureAlgorithm.length + signature.length + HEADERS);
    const end = writer.position;
    writer.bytes(signature);
    writer.bytes(NO_UNUSED_BITS);
    writer.wrap(Tag.BIT_STRING, end);
    writer.bytes(this.#signatureAlgorithm);
    writer.bytes(tbs);
    writer.wrap(Tag.SEQUENCE, end);
    return writer.finish();
  }
}

/** RFC 6962, Section 3.3: the list in an OCTET STRING of its own, inside the extension's. */
function sctListExtension(scts: readonly SignedCertificateTimestamp[]): Uint8Array {
  const list = encodeSctList(scts);
  const writer = new BackwardDer(list.length + SCT_LIST.length + HEADERS);
  const end = writer.position;
  writer.bytes(list);
  writer.wrap(Tag.OCTET_STRING, end);
  wrapExtension(writer, end, SCT_LIST);
  return writer.finish();
}

const SCT_LIST = der.oid(OID.sctList);

/** The last extension, as encoded, is poison, SCT list or nothing. */
function tbsCertificate(common: CommonPart, last: Uint8Array = NOTHING): Uint8Array {
  const writer = new BackwardDer(common.fields.length + common.extensions.length + last.length + HEADERS);
  const end = writer.position;
  writer.bytes(last);
  writer.bytes(common.extensions);
  writer.wrap(Tag.SEQUENCE, end);
  writer.wrap(EXTENSIONS, end);
  writer.bytes(common.fields);
  writer.wrap(Tag.SEQUENCE, end);
  return writer.finish();
}

const NOTHING = new Uint8Array();
/** Version, validity, key usages, subject key identifier, empty name, the headers of serial and SAN: 130 bytes at most. */
const OTHERS = 160;
const NO_UNUSED_BITS = Uint8Array.of(0);
const EXTENSIONS = Tag.CONTEXT_CONSTRUCTED | 3;
/** Three, of at most five bytes each. */
const HEADERS = 16;
