import { sha256, sha256OfText } from "@chancery/crypto";
import { decodeHex, encodeHex, encodePem, utf8 } from "@chancery/encoding";
import { MAX_NAME_BYTES, RecentlyUsed, type SearchColumn, type SearchKey, type SearchName } from "@chancery/log";
import { parseCertificate, type SubjectAlternativeName } from "@chancery/x509";
import { keyDigest } from "./pki/signing-key.ts";
import { among, distinct, lowerCase } from "./search/distinct.ts";
import type { EntryFacts } from "./search/entry-facts.ts";
import { KnownHashes } from "./search/known-hashes.ts";
import { domainsOf, sansOf } from "./search/san.ts";

/*
 * The keys of entries, for writing and for asking alike: one place, so that what is logged is found. Hashes and not the
 * texts: names have no useful bound. Letter case carries no meaning in anything that is searched by, as upstream.
 */

const DIGEST_OF_KEY = /^[0-9a-f]{64}$/;
const DIGITS_OF_KEY = 64;
const DIGEST = /^[a-z0-9]+:[0-9a-f]+$/;
const SHA256 = "sha256:";

/**
 * The keys of the texts that `index/retrieve` finds an entry by. Every key's digest is there twice, bare and behind
 * `sha256:`, and is kept once, in a column that is asked for either. A text that is also one of the names is kept as it is.
 */
export function textKeys(texts: readonly string[], names: readonly string[] = []): SearchKey[] {
  const all = distinct(texts.map(lowerCase));
  const [isText, isName] = [among(all), among(names.map(lowerCase))];
  const keys: SearchKey[] = [];
  for (const text of all) {
    const rest = text.startsWith(SHA256) ? text.slice(SHA256.length) : "";
    if (isText(rest) && isDigestOfKey(rest) && !isName(text)) continue;
    keys.push(textKey(isDigestOfKey(text) && isText(SHA256 + text) ? "key0" : columnOf(text), text));
  }
  return keys;
}

function isDigestOfKey(text: string): boolean {
  return text.length === DIGITS_OF_KEY && DIGEST_OF_KEY.test(text);
}

/** Of which entries have one that are found by the text. */
export function askedKeys(asked: string): readonly SearchKey[] {
  const known = lastAsked.get(asked);
  if (known !== undefined) return known;
  const text = asked.toLowerCase();
  const bare = text.startsWith(SHA256) ? text.slice(SHA256.length) : text;
  const keys = [textKey(columnOf(text), text), ...(isDigestOfKey(bare) ? [textKey("key0", bare)] : [])];
  if (asked.length <= LONGEST_DIGEST) lastAsked.set(asked, keys);
  return keys;
}

/** `sha512:` and its digits. */
const LONGEST_DIGEST = 135;
/** What is asked for again, of an artifact that many verify: some 5 MB for as many answers as the log remembers. */
const lastAsked = new RecentlyUsed<readonly SearchKey[]>(16_384);

function columnOf(text: string): SearchColumn {
  return DIGEST.test(text) ? "key1" : "key2";
}

const hashes = new KnownHashes();

/** Digests of artifacts and keys are of one entry, most often; the others come again. */
function textKey(column: SearchColumn, text: string): SearchKey {
  const hash = column === "key2" ? hashes.of(text) : sha256OfText(text);
  // A copy of so few bytes costs a part of what a view does, which moves what it looks at out of the heap.
  return { column, bytes: hash.slice(0, 16) };
}

/** Fields of which one entry may have many, and are spread over all columns. */
type SpreadField = "extension" | "dependency";

/** What terms tell apart. All extensions are one field: a workflow's commit stands in four, and is one term. */
export type TermField =
  | "key"
  | "issuer"
  | "domain"
  | "kind"
  | "extension"
  | "predicateType"
  | "subjectName"
  | "dependency";

/** Fields that most entries have stand in columns of their own, so that most entries are one row. */
const COLUMN_OF: Readonly<Record<Exclude<TermField, SpreadField>, SearchColumn>> = {
  key: "term0",
  issuer: "term1",
  domain: "term2",
  kind: "term3",
  predicateType: "term1",
  subjectName: "term0",
};
const COLUMNS: readonly SearchColumn[] = ["term0", "term1", "term2", "term3"];

export function termKey(field: TermField, value: string): SearchKey {
  const text = value.toLowerCase();
  // A fingerprint is a hash already.
  const bytes = (field === "key" ? decodeHex(text, field) : hashes.of(`${field}\0${text}`)).slice(0, 8);
  const isSpread = field === "extension" || field === "dependency";
  const column = isSpread ? (COLUMNS[(bytes[0] ?? 0) % COLUMNS.length] ?? "term0") : COLUMN_OF[field];
  return { column, bytes };
}

/** All that an entry is found by; the texts are those that `index/retrieve` finds it by. */
export function entryKeys(texts: readonly string[], facts: EntryFacts): SearchKey[] {
  const names = sansOf(facts).map(({ value }) => value);
  return [...textKeys(texts, names), ...termKeys(facts)];
}

/** Everything else that an entry is found by. A pure function of its facts, as they are of what is stored. */
export function termKeys({ kind, signers, statement }: EntryFacts): SearchKey[] {
  const keys = [termKey("kind", kind)];
  const add = (field: TermField, values: readonly (string | undefined)[]) => {
    for (const value of distinct(values)) if (value !== undefined) keys.push(termKey(field, value));
  };
  add(
    "key",
    signers.map(({ keyFingerprint }) => keyFingerprint),
  );
  for (const { certificate } of signers) {
    if (certificate === undefined) continue;
    add("issuer", [certificate.issuer]);
    add("domain", certificate.sans.flatMap(domainsOf));
    add("extension", Object.values(certificate.extensions));
  }
  if (statement !== undefined) {
    add("predicateType", [statement.predicateType]);
    add(
      "subjectName",
      statement.subjects.map(({ name }) => name),
    );
    add("dependency", statement.dependencies);
  }
  return keys;
}

/** The names that entries can be asked for by how they begin. */
export function searchNames(facts: EntryFacts): SearchName[] {
  return sansOf(facts).map(searchName);
}

function searchName({ value }: SubjectAlternativeName): SearchName {
  return { name: nameStart(value), key: textKey("key2", value.toLowerCase()).bytes };
}

/** Every name is among the texts of its entries: its keys are those texts', whatever they look like. */
export function nameKeys(keys: readonly Uint8Array[]): SearchKey[] {
  return keys.flatMap((bytes) => (["key0", "key1", "key2"] as const).map((column) => ({ column, bytes })));
}

/** As much of a name, or of what it begins with, as is kept: whole characters of at most 512 bytes. */
export function nameStart(text: string): string {
  const lower = text.toLowerCase();
  if (Buffer.byteLength(lower) <= MAX_NAME_BYTES) return lower;
  return new TextDecoder().decode(utf8(lower).subarray(0, MAX_NAME_BYTES)).replace(/\ufffd+$/, "");
}

/**
 * What entries signed with a certificate's key are found by, in either log: they name the certificate, alone or before
 * its chain, or the key.
 */
export function certificateSearchKeys(der: Uint8Array): SearchKey[] {
  const { spki } = parseCertificate(der, "certificate");
  const digest = keyDigest({ canonical: utf8(encodePem("CERTIFICATE", der)), subjects: [] });
  return [...askedKeys(digest), termKey("key", encodeHex(sha256(spki)))];
}
