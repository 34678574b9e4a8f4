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
  /** The TBSCertificate without poison and SCT list, of which the others are parts. */
  readonly tbs: Uint8Array;
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

  /**
   * The precertificate, and the `tbs` a log signs for it: the same without the poison. Callers MUST NOT change `tbs` or
   * give its memory away: the certificate is made of it.
   */
  async precertificate(request: LeafRequest): Promise<{ readonly der: Uint8Array; readonly tbs: Uint8Array }> {
    const common = this.#commonPart(request);
    const poisoned = tbsWith(common, ENCODED_POISON.length, (writer) => writer.bytes(ENCODED_POISON));
    return { der: await this.#sign(poisoned), tbs: common.tbs };
  }

  /** The certificate itself. Callers MUST have the SCTs from a log that they verified, or that is theirs: nothing is issued that is not logged. */
  async certificate(request: LeafRequest, scts: readonly SignedCertificateTimestamp[]): Promise<Uint8Array> {
    const list = encodeSctList(scts);
    const room = list.length + SCT_LIST.length + HEADERS;
    return this.#sign(tbsWith(this.#commonPart(request), room, (writer) => writeSctList(writer, list)));
  }

  /** A certificate that no log has seen, for an installation that runs without a CT log. */
  async unloggedCertificate(request: LeafRequest): Promise<Uint8Array> {
    return this.#sign(this.#commonPart(request).tbs);
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
    const extensionsStart = writer.position;
    wrapExtensions(writer, end);
    const fieldsEnd = writer.position;
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
    const fieldsStart = writer.position;
    writer.wrap(Tag.SEQUENCE, end);
    const tbs = writer.finish();
    const part = (from: number, to: number) => tbs.subarray(tbs.length - (end - from), tbs.length - (end - to));
    return { tbs, fields: part(fieldsStart, fieldsEnd), extensions: part(extensionsStart, end) };
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
function writeSctList(writer: BackwardDer, list: Uint8Array): void {
  const end = writer.position;
  writer.bytes(list);
  writer.wrap(Tag.OCTET_STRING, end);
  wrapExtension(writer, end, SCT_LIST);
}

const SCT_LIST = der.oid(OID.sctList);

/** With one more extension after all others, which takes `room` at most: poison or SCT list. */
function tbsWith({ fields, extensions }: CommonPart, room: number, writeLast: (to: BackwardDer) => void): Uint8Array {
  const writer = new BackwardDer(fields.length + extensions.length + room + HEADERS);
  const end = writer.position;
  writeLast(writer);
  writer.bytes(extensions);
  wrapExtensions(writer, end);
  writer.bytes(fields);
  writer.wrap(Tag.SEQUENCE, end);
  return writer.finish();
}

/** extensions [3] EXPLICIT Extensions */
function wrapExtensions(writer: BackwardDer, end: number): void {
  writer.wrap(Tag.SEQUENCE, end);
  writer.wrap(EXTENSIONS, end);
}

/** Version, validity, key usages, subject key identifier, empty name, headers of serial, SAN and the whole: 145 bytes at most. */
const OTHERS = 176;
const NO_UNUSED_BITS = Uint8Array.of(0);
const EXTENSIONS = Tag.CONTEXT_CONSTRUCTED | 3;
/** Three, of at most five bytes each. */
const HEADERS = 16;
