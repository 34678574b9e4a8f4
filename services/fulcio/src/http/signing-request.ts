import { decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed, TooLarge } from "@chancery/fault";
import type { Proof } from "../domain/proof-of-possession.ts";
import { REFUSAL, refusal } from "../domain/refusal.ts";

/** What either version of the API asks for. */
export interface SigningRequest {
  /** Empty where none was given. */
  readonly token: string;
  readonly proof: Proof;
}

/** A token of 32 KiB and a key or request of 16 KiB fit twice over; upstream takes 4 MiB. */
export const MAX_BODY_BYTES = 64 * 1024;

/**
 * ```proto
 * message CreateSigningCertificateRequest {            // dev.sigstore.fulcio.v2
 *   Credentials credentials = 1;                       // { string oidc_identity_token = 1; }
 *   oneof key {
 *     PublicKeyRequest public_key_request = 2;         // { PublicKey public_key = 1; bytes proof_of_possession = 2; }
 *     bytes certificate_signing_request = 3;           // base64 of PEM, not of DER
 *   }
 * }
 * message PublicKey { PublicKeyAlgorithm algorithm = 1; string content = 2; }
 * ```
 *
 * The token in the body wins over the header's. `algorithm` says nothing: the key does.
 */
export function parseV2Request(body: Uint8Array | undefined, authorization: string | undefined): SigningRequest {
  const request = parseBody(body);
  const credentials = message(request, "credentials");
  const keyRequest = message(request, "publicKeyRequest");
  const csr = bytes(request, "certificateSigningRequest");
  if (keyRequest !== undefined && csr !== undefined) {
    throw new Malformed("publicKeyRequest and certificateSigningRequest exclude each other");
  }
  const inBody = text(credentials, "oidcIdentityToken") ?? "";
  const token = inBody === "" ? tokenOf(authorization) : inBody;
  const keyMessage = message(keyRequest, "publicKey");
  assertEnum(keyMessage, "algorithm");
  if (csr !== undefined && csr.length > 0) return { token, proof: { type: "certificate-request", pem: csr } };
  const content = text(keyMessage, "content") ?? "";
  const signature = bytes(keyRequest, "proofOfPossession") ?? new Uint8Array();
  return { token, proof: { type: "challenge", publicKey: content, signature } };
}

/**
 * ```proto
 * message CreateSigningCertificateRequest {            // dev.sigstore.fulcio.v1beta
 *   PublicKey publicKey = 1;                           // { string algorithm = 1; bytes content = 2; }
 *   bytes signedEmailAddress = 2;
 *   bytes certificateSigningRequest = 3;
 * }
 * ```
 *
 * The token comes in the header only.
 */
export function parseV1Request(body: Uint8Array | undefined, authorization: string | undefined): SigningRequest {
  const request = parseBody(body);
  const token = tokenOf(authorization);
  const csr = bytes(request, "certificateSigningRequest");
  if (csr !== undefined && csr.length > 0) return { token, proof: { type: "certificate-request", pem: csr } };
  const publicKey = message(request, "publicKey");
  if (publicKey === undefined) throw refusal(REFUSAL.publicKey, new Malformed("none was given"));
  text(publicKey, "algorithm");
  const signature = bytes(request, "signedEmailAddress") ?? new Uint8Array();
  const content = bytes(publicKey, "content") ?? new Uint8Array();
  return { token, proof: { type: "challenge", publicKey: content, signature } };
}

/** As upstream: the first `Bearer ` goes, whatever is left is the token. */
function tokenOf(authorization: string | undefined): string {
  return (authorization ?? "").replace("Bearer ", "");
}

function parseBody(body: Uint8Array | undefined): JsonObject {
  if (body === undefined || body === null || body.length === 0) return {};
  if (body.length > MAX_BODY_BYTES) throw new TooLarge(`request body: longer than ${MAX_BODY_BYTES} bytes`);
  // Fields that we do not know may hold anything, as protojson lets them.
  const value = parseJson(body, "request body", { roundIntegers: true });
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed("request body: not a JSON object");
  }
  return value as JsonObject;
}

/** Every field that is read, by its lowerCamel name: the proto's own. */
const OWN_NAMES = {
  credentials: undefined,
  oidcIdentityToken: "oidc_identity_token",
  publicKeyRequest: "public_key_request",
  publicKey: "public_key",
  algorithm: undefined,
  content: undefined,
  proofOfPossession: "proof_of_possession",
  certificateSigningRequest: "certificate_signing_request",
  signedEmailAddress: "signed_email_address",
} as const;
type FieldName = keyof typeof OWN_NAMES;

/** Protojson reads a field by its lowerCamel and its own name, and takes null for absent; both names at once it refuses. */
function field(object: JsonObject | undefined, name: FieldName): JsonValue | undefined {
  if (object === undefined) return undefined;
  const own = OWN_NAMES[name];
  const [camelValue, snakeValue] = [object[name], own === undefined ? undefined : object[own]];
  if (camelValue !== undefined && snakeValue !== undefined) throw new Malformed(`request body: ${name} comes twice`);
  return camelValue ?? snakeValue ?? undefined;
}

function message(object: JsonObject | undefined, name: FieldName): JsonObject | undefined {
  const value = field(object, name);
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(`request body: ${name} is not an object`);
  }
  return value as JsonObject;
}

function text(object: JsonObject | undefined, name: FieldName): string | undefined {
  const value = field(object, name);
  if (value !== undefined && typeof value !== "string") throw new Malformed(`request body: ${name} is not a string`);
  return value;
}

/** A name or a number; unknown names say nothing, as protojson takes them. */
function assertEnum(object: JsonObject | undefined, name: FieldName): void {
  const value = field(object, name);
  if (value === undefined || typeof value === "string" || Number.isInteger(value)) return;
  throw new Malformed(`request body: ${name} is neither a name nor a whole number`);
}

function bytes(object: JsonObject | undefined, name: FieldName): Uint8Array | undefined {
  const value = text(object, name);
  return value === undefined ? undefined : decodeBase64Lenient(value, `request body: ${name}`);
}
