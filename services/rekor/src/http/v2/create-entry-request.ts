import { parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { isObject } from "../../domain/entries/spec-reader.ts";
import type { DsseRequest } from "../../domain/v2/dsse.ts";
import type { HashedRekordRequest } from "../../domain/v2/hashedrekord.ts";
import type { CreateEntryRequest } from "../../domain/v2/judge-request.ts";
import type { RequestVerifier } from "../../domain/v2/request-verifier.ts";
import { MessageReader } from "./message-reader.ts";

/** Upstream's `--max-request-body-size`. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const MAX_VERIFIERS = 10;
const MAX_SIGNATURES = 10;

/** dev.sigstore.common.v1.PublicKeyDetails, those that are ever used. */
const KEY_DETAILS: ReadonlyMap<number, string> = new Map([
  [5, "PKIX_ECDSA_P256_SHA_256"],
  [7, "PKIX_ED25519"],
  [8, "PKIX_ED25519_PH"],
  [9, "PKIX_RSA_PKCS1V15_2048_SHA256"],
  [10, "PKIX_RSA_PKCS1V15_3072_SHA256"],
  [11, "PKIX_RSA_PKCS1V15_4096_SHA256"],
  [12, "PKIX_ECDSA_P384_SHA_384"],
  [13, "PKIX_ECDSA_P521_SHA_512"],
]);

/** The body of `POST /api/v2/log/entries`. Its kind is in every complaint about it, in upstream's words. */
export function readCreateEntryRequest(body: Uint8Array): CreateEntryRequest {
  const json = parseJson(body, "request", { maxBytes: MAX_REQUEST_BYTES });
  if (!isObject(json)) throw new Malformed("request: not a JSON object");
  const reader = new MessageReader(json, "");
  const hashedRekord = reader.optionalMessage("hashedRekordRequestV002");
  const dsse = reader.optionalMessage("dsseRequestV002");
  if ((hashedRekord === undefined) === (dsse === undefined)) {
    throw new Malformed("invalid type, must be one of hashedRekordRequestV002 and dsseRequestV002");
  }
  const request =
    dsse === undefined ? { hashedRekord: readHashedRekord(hashedRekord ?? reader) } : { dsse: readDsse(dsse) };
  reader.end();
  return request;
}

function readHashedRekord(reader: MessageReader): HashedRekordRequest {
  const signature = reader.message("signature");
  return {
    digest: reader.bytes("digest"),
    signature: { content: signature.bytes("content"), verifier: readRequestVerifier(signature.message("verifier")) },
  };
}

/** Key IDs are hints that anyone may write: read for their type and passed over. */
function readDsse(reader: MessageReader): DsseRequest {
  const envelope = reader.message("envelope");
  return {
    envelope: {
      payloadType: envelope.optionalText("payloadType"),
      payload: envelope.optionalBytes("payload"),
      signatures: envelope.messages("signatures", MAX_SIGNATURES).map((signature) => {
        signature.optionalText("keyid");
        return signature.bytes("sig");
      }),
    },
    verifiers: reader.messages("verifiers", MAX_VERIFIERS).map(readRequestVerifier),
  };
}

function readRequestVerifier(reader: MessageReader): RequestVerifier {
  const keyDetails = reader.enumeration("keyDetails", KEY_DETAILS);
  const publicKey = reader.optionalMessage("publicKey");
  const certificate = reader.optionalMessage("x509Certificate");
  if (publicKey !== undefined && certificate === undefined) {
    return { form: "publicKey", rawBytes: publicKey.bytes("rawBytes"), keyDetails };
  }
  if (certificate !== undefined && publicKey === undefined) {
    return { form: "x509Certificate", rawBytes: certificate.bytes("rawBytes"), keyDetails };
  }
  throw new Malformed(`${reader.path}: has not exactly one of publicKey and x509Certificate`);
}
