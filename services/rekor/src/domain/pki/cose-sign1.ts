import { constants, verify } from "node:crypto";
import { type PublicKey, verifySignatureP1363 } from "@chancery/crypto";
import { concatBytes } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { decode, encode, Tokenizer } from "cborg";

/** A single-signer COSE message as its bytes say; nothing about it is verified. */
export interface CoseSign1 {
  /** The protected header as it was signed: empty, or a CBOR map. */
  readonly protectedBytes: Uint8Array;
  readonly protectedHeader: ReadonlyMap<unknown, unknown>;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** Labels of RFC 9052, Section 3.1. */
const Label = { alg: 1, crit: 2, contentType: 3 } as const;
const ES256 = -7;
const PS256 = -37;
const MAX_HEADER_TOKENS = 10_000;

/**
 * ```text
 * COSE_Sign1_Tagged = #6.18([ protected : bstr, unprotected : map, payload : bstr / nil, signature : bstr ])
 * ```
 *
 * RFC 9052, Section 4.2. A payload that is not inside cannot be verified here.
 */
export function parseCoseSign1(bytes: Uint8Array, field: string): CoseSign1 {
  if (bytes[0] !== 0xd2 || bytes[1] !== 0x84) throw new Malformed(`${field}: not a tagged COSE_Sign1 message`);
  const [protectedBytes, unprotected, payload, signature, ...more] = asList(decodeCbor(bytes.subarray(1), field));
  if (!(protectedBytes instanceof Uint8Array) || !(unprotected instanceof Map) || more.length > 0) {
    throw new Malformed(`${field}: not a COSE_Sign1 message`);
  }
  if (!(payload instanceof Uint8Array)) throw new Malformed(`${field}: the payload is not inside`);
  if (!(signature instanceof Uint8Array) || signature.length === 0) throw new Malformed(`${field}: has no signature`);
  const header = protectedBytes.length === 0 ? new Map<unknown, unknown>() : decodeCbor(protectedBytes, field);
  if (!(header instanceof Map)) throw new Malformed(`${field}: the protected header is not a map`);
  checkLabels(header, field);
  checkLabels(unprotected, field);
  if (unprotected.has(Label.crit)) throw new Malformed(`${field}: crit outside the protected header`);
  checkCritical(header, field);
  return { protectedBytes, protectedHeader: header, payload, signature };
}

/** The content type, where it is a text. RFC 9052 allows a number of CoAP's too. */
export function contentTypeOf({ protectedHeader }: CoseSign1): string | undefined {
  const type = protectedHeader.get(Label.contentType);
  return typeof type === "string" ? type : undefined;
}

/**
 * ```text
 * Sig_structure = [ context : "Signature1", body_protected : bstr, external_aad : bstr, payload : bstr ]
 * ```
 *
 * RFC 9052, Section 4.4. A P-256 key signs with ES256 and an RSA key with PS256, as upstream; the header MUST say so,
 * unless there is external data, whose reader knows.
 */
export function verifyCoseSign1(message: CoseSign1, key: PublicKey, external: Uint8Array, field: string): void {
  const algorithm = algorithmOf(key, field);
  const named = message.protectedHeader.get(Label.alg);
  if (named !== algorithm && (named !== undefined || external.length === 0)) {
    throw new Unverified(`${field}: the header does not name the algorithm of this key`);
  }
  const fields = ["Signature1", message.protectedBytes, external, message.payload];
  const signed = concatBytes(Uint8Array.of(0x84), ...fields.map((each) => encode(each)));
  const holds =
    algorithm === ES256
      ? verifySignatureP1363(key, signed, message.signature)
      : verify("sha256", signed, { key: key.keyObject, ...PSS }, message.signature);
  if (!holds) throw new Unverified(`${field}: signature does not verify with this key`);
}

/** RFC 8230, Section 2: "the salt length is the length of the hash function output". */
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

function algorithmOf({ algorithm }: PublicKey, field: string): number {
  if (algorithm === "ecdsa-p256") return ES256;
  if (algorithm.startsWith("rsa-")) return PS256;
  throw new Unsupported(`${field}: signed with neither ES256 nor PS256, but by a key of ${algorithm}`);
}

function checkLabels(header: ReadonlyMap<unknown, unknown>, field: string): void {
  for (const label of header.keys()) {
    const known = typeof label === "string" || Number.isSafeInteger(label);
    if (!known) throw new Malformed(`${field}: a header label that is neither integer nor text`);
  }
}

/** RFC 9052, Section 3.1: what is critical MUST be there. */
function checkCritical(header: ReadonlyMap<unknown, unknown>, field: string): void {
  const critical = header.get(Label.crit);
  if (critical === undefined) return;
  const labels = asList(critical);
  if (labels.length === 0 || labels.some((label) => !header.has(label))) {
    throw new Malformed(`${field}: crit names what is not in the protected header`);
  }
}

/** Seven megabytes of one-byte values would be as many objects: no header has ten thousand. */
class BoundedTokenizer extends Tokenizer {
  #left = MAX_HEADER_TOKENS;

  override next(): ReturnType<Tokenizer["next"]> {
    if (--this.#left < 0) throw new RangeError("too many values");
    return super.next();
  }
}

const OPTIONS = { allowIndefinite: false, allowUndefined: false, useMaps: true, rejectDuplicateMapKeys: true };

function decodeCbor(bytes: Uint8Array, field: string): unknown {
  try {
    return decode(bytes, { ...OPTIONS, tokenizer: new BoundedTokenizer(bytes, OPTIONS) });
  } catch (cause) {
    throw new Malformed(`${field}: not CBOR, or with indefinite lengths, tags inside or more than a header holds`, {
      cause,
    });
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
