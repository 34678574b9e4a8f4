import { type KeyAlgorithm, type PublicKey, sha256, verifyDigest, verifySignature } from "@chancery/crypto";
import { concatBytes, decodeBase64, decodeBase64Lenient, parseJson, utf8 } from "@chancery/encoding";
import { Malformed, TooLarge, Unverified } from "@chancery/fault";
import type { VerificationBudget } from "../verification-budget.ts";
import type { Verifier } from "../verifier.ts";
import { MAX_SIGNATURES } from "./entry-kind.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/** An envelope of github.com/secure-systems-lab/dsse, protocol version 1. */
export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly DsseSignature[];
}

export interface DsseSignature {
  /** As it stands in the envelope, and so in the log. */
  readonly text: string;
  readonly bytes: Uint8Array;
}

const MAX_ENVELOPE_BYTES = 10 * 1024 * 1024;
const LARGE_MESSAGE_BYTES = 64 * 1024;
const MAX_REHASHED_BYTES = 64 * 1024 * 1024;

/**
 *     { "payload": "<Base64(SERIALIZED_BODY)>", "payloadType": "<PAYLOAD_TYPE>",
 *       "signatures": [{ "keyid": "<KEYID>", "sig": "<Base64(SIGNATURE)>" }] }
 *
 * The envelope is the client's artifact and may carry more (witness adds certificates beside a signature): what is
 * not named above is passed over, for it is not signed and not logged.
 */
export function parseDsseEnvelope(text: string, field: string): DsseEnvelope {
  const json = parseJson(text, field, { maxBytes: MAX_ENVELOPE_BYTES, roundIntegers: true });
  if (!isObject(json)) throw new Malformed(`${field}: not an object`);
  const reader = new SpecReader(json, field);
  return {
    payloadType: reader.text("payloadType"),
    // "Either standard or URL-safe encodings are allowed. Signers may use either, and verifiers MUST accept either."
    payload: decodeBase64Lenient(reader.optionalText("payload") ?? "", reader.at("payload")),
    signatures: reader
      .objects("signatures", MAX_SIGNATURES)
      .map((signature) => parseDsseSignature(signature.text("sig"), signature.at("sig"))),
  };
}

/** One spelling only: the text itself is logged, so a second spelling would be a second entry. */
export function parseDsseSignature(text: string, field: string): DsseSignature {
  return { text, bytes: decodeBase64(text, field) };
}

/** PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. DSSE protocol, "Signature Definition". */
export function preAuthenticationEncoding({
  payloadType,
  payload,
}: Pick<DsseEnvelope, "payloadType" | "payload">): Uint8Array {
  const type = utf8(payloadType);
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload);
}

/** A verifier, and where in the proposal it stands. */
export interface PlacedVerifier {
  readonly verifier: Verifier;
  readonly field: string;
}

/**
 * The verifier of each signature, by the signature's text. Key IDs are hints that anyone may write: they are not read.
 *
 * Every signature MUST have a verifier, and every verifier that is tried MUST verify something. With `enough` the
 * trying stops once each signature has one. Where two verify the same signature (a key, and its certificate) the later
 * one stands, as upstream.
 */
export function matchVerifiers(
  envelope: DsseEnvelope,
  verifiers: readonly PlacedVerifier[],
  options: { readonly enough: boolean; readonly budget: VerificationBudget },
): ReadonlyMap<string, Verifier> {
  const verify = messageVerifier(preAuthenticationEncoding(envelope), options.budget);
  const wanted = new Set(envelope.signatures.map((signature) => signature.text));
  const matched = new Map<string, Verifier>();
  for (const placed of verifiers) {
    if (options.enough && matched.size === wanted.size) break;
    for (const { text } of signaturesOf(placed, envelope, verify)) matched.set(text, placed.verifier);
  }
  if (matched.size < wanted.size) throw new Unverified("signatures: each must have a key that verifies it");
  return matched;
}

/** Throws unless at least one signature of the envelope is this verifier's. */
export function verifyOneSignature(envelope: DsseEnvelope, placed: PlacedVerifier, budget: VerificationBudget): void {
  signaturesOf(placed, envelope, messageVerifier(preAuthenticationEncoding(envelope), budget));
}

type VerifyMessage = (key: PublicKey, signature: Uint8Array, field: string) => boolean;

function signaturesOf({ verifier, field }: PlacedVerifier, envelope: DsseEnvelope, verify: VerifyMessage) {
  const own = envelope.signatures.filter(({ bytes }) => verify(verifier.publicKey, bytes, field));
  if (own.length === 0) throw new Unverified(`${field}: verifies none of the envelope's signatures`);
  return own;
}

/**
 * Ten signatures by ten verifiers over ten megabytes would hash a gigabyte for one request. So a large message is hashed
 * once for P-256 and RSA. Ed25519 cannot take a hash for a message, and for the larger curves that costs more than
 * hashing: they get a budget of bytes. The hash is SHA-256 for every key but Ed25519, as upstream.
 */
function messageVerifier(message: Uint8Array, budget: VerificationBudget): VerifyMessage {
  const large = message.length > LARGE_MESSAGE_BYTES;
  const digest = large ? sha256(message) : undefined;
  let bytes = large ? MAX_REHASHED_BYTES : Infinity;
  return (key, signature, field) => {
    budget.spend(key, field);
    if (digest !== undefined && HASHED_ONCE.has(key.algorithm)) return verifyDigest(key, "sha256", digest, signature);
    bytes -= message.length;
    if (bytes < 0) throw new TooLarge(`${field}: too many signatures for an envelope of this size`);
    return verifySignature(key, message, signature, "sha256");
  };
}

const HASHED_ONCE: ReadonlySet<KeyAlgorithm> = new Set<KeyAlgorithm>([
  "ecdsa-p256",
  "rsa-2048",
  "rsa-3072",
  "rsa-4096",
]);
