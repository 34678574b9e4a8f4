import type { HashAlgorithm } from "@chancery/crypto";
import { der, DerReader, equalBytes } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { OID } from "./oid.ts";

/** What a client wants stamped: a digest, never the thing itself. */
export interface TimestampRequest {
  readonly hash: HashAlgorithm;
  readonly digest: Uint8Array;
  /** The DER AlgorithmIdentifier as sent: the token MUST repeat the imprint unchanged. */
  readonly hashIdentifier: Uint8Array;
  readonly policy?: string;
  /** The whole DER INTEGER as sent, to be echoed bit for bit. */
  readonly nonce?: Uint8Array;
  readonly wantsCertificate: boolean;
}

/** Clients use 8 to 20 bytes; upstream once spent quadratic time on a nonce of 200,000 digits. */
export const MAX_NONCE_BYTES = 64;

const FIELD = "timestamp request";
const DIGEST_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const BOOLEAN = 0x01;
const EXTENSIONS = 0xa0;

/**
 * TimeStampReq ::= SEQUENCE {
 *   version INTEGER { v1(1) }, messageImprint MessageImprint, reqPolicy TSAPolicyId OPTIONAL,
 *   nonce INTEGER OPTIONAL, certReq BOOLEAN DEFAULT FALSE, extensions [0] IMPLICIT Extensions OPTIONAL }
 * MessageImprint ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING }
 *
 * RFC 3161, Section 2.4.1.
 */
export function parseTimestampRequest(bytes: Uint8Array): TimestampRequest {
  const outer = new DerReader(new Uint8Array(bytes), FIELD);
  const request = outer.sequence();
  outer.end();
  if (request.integer() !== 1n) throw new Malformed(`${FIELD}: version is not 1`);
  const imprint = request.sequence();
  const hashIdentifier = imprint.any();
  const digest = imprint.octetString();
  imprint.end();
  const hash = parseHashIdentifier(hashIdentifier);
  const policy = request.tag() === OBJECT_IDENTIFIER ? request.oid() : undefined;
  const nonce = request.tag() === INTEGER ? parseNonce(request) : undefined;
  // An explicit FALSE is not DER; nothing here is signed or stored, so it does no harm.
  const wantsCertificate = request.tag() === BOOLEAN && request.boolean();
  // RFC 3161, Section 2.4.1: "If an extension, whether it is marked critical or not critical, is used by a requester but
  // is not recognized by a time-stamping server, the server SHALL not issue a token".
  if (request.tag() === EXTENSIONS) throw new Unsupported(`${FIELD}: extensions are not accepted`);
  request.end();
  return timestampRequest({ hash, digest, hashIdentifier, wantsCertificate }, policy, nonce);
}

/** The one place where both forms of a request are made whole. */
export function timestampRequest(
  request: Omit<TimestampRequest, "policy" | "nonce">,
  policy: string | undefined,
  nonce: Uint8Array | undefined,
): TimestampRequest {
  const { hash, digest } = request;
  if (digest.length !== DIGEST_BYTES[hash]) {
    throw new Malformed(`${FIELD}: a ${hash} digest has ${DIGEST_BYTES[hash]} bytes, not ${digest.length}`);
  }
  return { ...request, ...(policy === undefined ? {} : { policy }), ...(nonce === undefined ? {} : { nonce }) };
}

/** RFC 5754, Section 2: parameters SHOULD be absent, and NULL MUST be accepted. */
export function encodeHashIdentifier(hash: HashAlgorithm): Uint8Array {
  return der.sequence(der.oid(OID[hash]));
}

export function assertNonceBounded(length: number): void {
  if (length > MAX_NONCE_BYTES) throw new Malformed(`${FIELD}: nonce is longer than ${MAX_NONCE_BYTES} bytes`);
}

function parseHashIdentifier(bytes: Uint8Array): HashAlgorithm {
  const oid = new DerReader(bytes, FIELD).sequence().oid();
  const hash = (["sha256", "sha384", "sha512"] as const).find((name) => OID[name] === oid);
  if (hash === undefined) throw new Unsupported(`${FIELD}: hash algorithm ${oid} is not SHA-256, SHA-384 or SHA-512`);
  const withNull = der.sequence(der.oid(oid), der.null());
  if (!equalBytes(bytes, withNull) && !equalBytes(bytes, encodeHashIdentifier(hash))) {
    throw new Malformed(`${FIELD}: hash algorithm has parameters`);
  }
  return hash;
}

function parseNonce(request: DerReader): Uint8Array {
  const content = request.integerBytes();
  assertNonceBounded(content.length);
  return der.tlv(INTEGER, content);
}
