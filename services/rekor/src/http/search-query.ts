import { decodeBase64 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { isEmail } from "../domain/pki/email.ts";
import { parseKeyOf } from "../domain/pki/signature-formats.ts";
import { keyDigest } from "../domain/pki/signing-key.ts";
import { isObject } from "../domain/entries/spec-reader.ts";
import { MAX_SEARCH_BYTES, member, optionalText, parseObject } from "./request-body.ts";
import { violation } from "./schema-violation.ts";

/** What to search the log by, each text of which an entry may be found by. */
export interface SearchQuery {
  readonly texts: readonly string[];
  readonly operator: "or" | "and";
}

/** Upstream's pattern, and SHA-384, by which its own search cannot find what it logs. */
const HASH =
  "^(sha512:)?[0-9a-fA-F]{128}$|^(sha384:)?[0-9a-fA-F]{96}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";
const HASH_PATTERN = new RegExp(HASH);
const HASH_OF_LENGTH: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512" };
const OPERATORS = ["and", "or"] as const;
const KEY_FORMATS = ["pgp", "x509", "minisign", "ssh", "tuf"];
const MAX_SUBJECT_LENGTH = 512;
const MEMBERS = new Set(["email", "subject", "hash", "publicKey", "operator"]);

/** The body of `POST /api/v1/index/retrieve`. */
export async function readSearchQuery(body: Uint8Array): Promise<SearchQuery> {
  const query = parseObject(body, "query", MAX_SEARCH_BYTES);
  for (const name of Object.keys(query)) {
    if (!MEMBERS.has(name)) throw new Malformed(`${name.slice(0, 64)}: no such member in a search`);
  }
  const email = optionalText(query, "email");
  if (email !== undefined && !isEmail(email)) throw violation.type("email", "body", "email", email);
  const hash = optionalText(query, "hash");
  if (hash !== undefined && !HASH_PATTERN.test(hash)) throw violation.pattern("hash", "body", HASH);
  const operator = OPERATORS.find((each) => each === (optionalText(query, "operator") ?? "or"));
  if (operator === undefined) throw violation.enumeration("operator", "body", OPERATORS);
  const key = member(query, "publicKey");
  if (key !== undefined && !isObject(key)) throw new Malformed("publicKey: not an object");
  const subject = optionalText(query, "subject");
  if (subject !== undefined && subject.length > MAX_SUBJECT_LENGTH) {
    throw violation.tooLong("subject", "body", MAX_SUBJECT_LENGTH);
  }
  const texts = [
    hash === undefined ? hash : prefixedHash(hash),
    key === undefined ? key : await keyText(key),
    email,
    subject,
  ];
  return { texts: texts.filter((text) => text !== undefined), operator };
}

/** A bare hash means the algorithm of its length. */
function prefixedHash(hash: string): string {
  return hash.includes(":") ? hash : `${HASH_OF_LENGTH[hash.length]}:${hash}`;
}

async function keyText(key: Parameters<typeof member>[0]): Promise<string> {
  if ("url" in key) throw new Malformed("publicKey.url: the log fetches nothing, send the key itself");
  const format = optionalText(key, "format", "publicKey.format");
  if (format === undefined) throw violation.required("publicKey.format", "body");
  if (!KEY_FORMATS.includes(format)) throw violation.enumeration("publicKey.format", "body", KEY_FORMATS);
  const strange = Object.keys(key).find((name) => name !== "format" && name !== "content");
  if (strange !== undefined) throw new Malformed(`publicKey.${strange.slice(0, 64)}: no such member in a search`);
  const content = optionalText(key, "content", "publicKey.content");
  if (content === undefined) throw new Malformed("publicKey.content: is required");
  const field = "publicKey.content";
  return keyDigest(await parseKeyOf(format, { bytes: decodeBase64(content, field), field }));
}
