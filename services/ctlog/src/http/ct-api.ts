import { decodeBase64, encodeBase64, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { LoggedEntry } from "@chancery/log";
import { HASH_SIZE, type SignedTreeHead } from "@chancery/tlog";

/** Ten certificates of a Fulcio chain in base64 are a fifth of it. */
export const MAX_BODY_BYTES = 128 * 1024;

/** As Fastify parses a query: a name given twice has several values. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `{"chain": [base64 DER, ...]}`. RFC 6962, Section 4.1. Unknown members are left alone, as upstream leaves them. */
export function parseChainRequest(body: Uint8Array): Uint8Array[] {
  const request = parseJson(body, "body", { maxBytes: MAX_BODY_BYTES, maxDepth: 8 });
  const chain = isObject(request) ? request["chain"] : undefined;
  if (!isList(chain)) throw new Malformed("body: chain is not an array");
  return chain.map((certificate, place) => {
    if (typeof certificate !== "string") throw new Malformed(`chain: certificate ${place} is not a string`);
    return decodeBase64(certificate, `chain: certificate ${place}`);
  });
}

/** A size or an index, once, in decimal. */
export function parseCount(query: Query, name: string): bigint {
  const text = single(query, name);
  // 19 digits hold 2^63 - 1; reading a number takes quadratic time.
  if (!/^\d{1,19}$/.test(text)) throw new Malformed(`${name}: is not a decimal`);
  const count = BigInt(text);
  if (count >= 2n ** 63n) throw new Malformed(`${name}: is out of range`);
  return count;
}

export function parseTreeSize(query: Query): bigint {
  const size = parseCount(query, "tree_size");
  if (size === 0n) throw new Malformed("tree_size: is not at least 1");
  return size;
}

export function parseHash(query: Query): Uint8Array {
  const hash = decodeBase64(single(query, "hash"), "hash");
  if (hash.length !== HASH_SIZE) throw new Malformed(`hash: is not ${HASH_SIZE} bytes`);
  return hash;
}

/** RFC 6962, Section 4.3. */
export function encodeTreeHead(head: SignedTreeHead) {
  return {
    tree_size: Number(head.size),
    timestamp: Number(head.timestamp),
    sha256_root_hash: encodeBase64(head.root),
    tree_head_signature: encodeBase64(head.signature),
  };
}

/** RFC 6962, Section 4.6. */
export function encodeEntry({ leaf, extra }: LoggedEntry) {
  return { leaf_input: encodeBase64(leaf), extra_data: encodeBase64(extra) };
}

function single(query: Query, name: string): string {
  const value = query[name];
  if (value === undefined || value === "") throw new Malformed(`${name}: is missing`);
  if (typeof value !== "string") throw new Malformed(`${name}: is given more than once`);
  return value;
}

function isObject(value: JsonValue): value is { readonly [name: string]: JsonValue } {
  return typeof value === "object" && value !== null && !isList(value);
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
