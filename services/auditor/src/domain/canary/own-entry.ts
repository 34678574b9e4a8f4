import { parsePem } from "@chancery/encoding";
import { isObject, isText, member } from "../json-member.ts";
import { CanaryFault } from "./proven-answer.ts";

/** What was given to a log. */
export interface Given {
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  /** DER of the certificate, or of the public key. */
  readonly verifier: Uint8Array;
}

/**
 * The entry that was proven is the one that was asked for. Whoever stands between a client and its log, without any key of
 * it, could answer each request with an entry that is in the log since long ago, and log nothing.
 */
export function expectOwnEntry(body: Uint8Array, given: Given): void {
  const spec = member(JSON.parse(Buffer.from(body).toString("utf8")), "spec", isObject);
  const second = spec["hashedRekordV002"];
  const entry = isObject(second) ? entryOfV2(second) : entryOfV1(spec);
  for (const name of ["digest", "signature", "verifier"] as const) {
    if (Buffer.compare(entry[name], given[name]) === 0) continue;
    throw new CanaryFault(`the entry that came back has another ${name} than the one that was given`);
  }
}

/** { data: { hash: { value } }, signature: { content, publicKey: { content } } } */
function entryOfV1(spec: object): Given {
  const signature = member(spec, "signature", isObject);
  const pem = Buffer.from(member(member(signature, "publicKey", isObject), "content", isText), "base64");
  const [verifier] = parsePem(pem, "publicKey", { labels: ["PUBLIC KEY", "CERTIFICATE"], max: 10 });
  return {
    digest: Buffer.from(member(member(member(spec, "data", isObject), "hash", isObject), "value", isText), "hex"),
    signature: Buffer.from(member(signature, "content", isText), "base64"),
    verifier: verifier?.der ?? new Uint8Array(),
  };
}

/** { data: { digest }, signature: { content, verifier: { publicKey | x509Certificate: { rawBytes } } } } */
function entryOfV2(spec: object): Given {
  const signature = member(spec, "signature", isObject);
  const verifier = member(signature, "verifier", isObject);
  const raw = isObject(verifier["publicKey"]) ? verifier["publicKey"] : verifier["x509Certificate"];
  return {
    digest: Buffer.from(member(member(spec, "data", isObject), "digest", isText), "base64"),
    signature: Buffer.from(member(signature, "content", isText), "base64"),
    verifier: Buffer.from(member(raw, "rawBytes", isText), "base64"),
  };
}
