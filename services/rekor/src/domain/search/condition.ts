import { decodeHex, encodeHex, parsePem } from "@chancery/encoding";
import { parsePublicKey, spkiHash } from "@chancery/crypto";
import { Fault, Malformed } from "@chancery/fault";
import { certificatePublicKey, parseCertificate, type SubjectAlternativeName } from "@chancery/x509";
import { ENTRY_KIND_NAMES } from "../entries/entry-kind-names.ts";
import { EXTENSION_NAMES } from "./certificate-facts.ts";
import type { EntryFacts } from "./entry-facts.ts";
import { imageDigests } from "./image-signature.ts";
import { isOfDomain, MAX_DOMAIN_LENGTH, sansOf } from "./san.ts";
import { parseSanGlob, type SanGlob } from "./san-glob.ts";

/** One value of one filter: what to look up, and what an entry is held against. */
export type Condition =
  | { readonly by: "digest" | "image" | "subjectDigest"; readonly value: string }
  | { readonly by: "key"; readonly value: string }
  | { readonly by: "san"; readonly value: string }
  | { readonly by: "sanPrefix"; readonly value: string }
  | { readonly by: "sanDomain"; readonly value: string }
  | { readonly by: "sanGlob"; readonly value: string; readonly glob: SanGlob }
  | { readonly by: "issuer" | "kind" | "predicateType" | "subjectName"; readonly value: string }
  | { readonly by: "extension"; readonly name: string; readonly value: string };

/** What an entry may be searched by, besides log and time. */
export const FILTER_NAMES: readonly string[] = [
  "digest",
  "image",
  "key",
  "san",
  "sanPrefix",
  "sanGlob",
  "sanDomain",
  "issuer",
  ...EXTENSION_NAMES.values(),
  "kind",
  "predicateType",
  "subjectDigest",
  "subjectName",
];

/** Longer values are no one's: the longest that are kept are names of 2,048 characters. */
export const MAX_VALUE_LENGTH = 2_048;
const COMMIT = /^[0-9a-fA-F]{40}$/;
const MAX_KEY_LENGTH = 8_192;
const EXTENSIONS = new Set(EXTENSION_NAMES.values());

/** One value of a filter, as the conditions of which an entry has to meet any. Throws as `parseCondition`. */
export function parseConditions(name: string, text: string): readonly Condition[] {
  // A commit, as SLSA v0.2 names it and as v1 does.
  if (name === "digest" && COMMIT.test(text))
    return [`sha1:${text}`, `gitCommit:${text}`].map((each) => parseCondition(name, each));
  if (name !== "image") return [parseCondition(name, text)];
  return imageDigests(name, boundedValue(name, text)).map((value) => ({ by: "image", value }));
}

/** Throws Malformed that begins with the filter's name. Values are compared in lower case, as v1's search does. */
export function parseCondition(name: string, text: string): Condition {
  const value = boundedValue(name, text);
  switch (name) {
    case "digest":
    case "subjectDigest":
      return { by: name, value: digestValue(name, value) };
    case "key":
      return { by: name, value: keyFingerprint(text) };
    case "sanGlob":
      return { by: name, value, glob: parseSanGlob(text) };
    case "sanDomain":
      return { by: name, value: domainValue(value) };
    case "kind":
      return { by: name, value: kindValue(value) };
    case "san":
    case "sanPrefix":
    case "issuer":
    case "predicateType":
    case "subjectName":
      return { by: name, value };
    default:
      if (!EXTENSIONS.has(name)) throw new Malformed(`${name.slice(0, 64)}: no such parameter`);
      return { by: "extension", name, value };
  }
}

function boundedValue(name: string, text: string): string {
  const longest = name === "key" ? MAX_KEY_LENGTH : MAX_VALUE_LENGTH;
  if (text === "") throw new Malformed(`${name}: is empty`);
  if (text.length > longest) throw new Malformed(`${name}: longer than ${longest} characters`);
  if (/\p{Cc}/u.test(text) && name !== "key") throw new Malformed(`${name}: has control characters`);
  return text.toLowerCase();
}

function signedDigests({ digests, statement, otherTexts }: EntryFacts): string[] {
  return [...digests, ...(statement?.subjects ?? []).flatMap((subject) => subject.digests), ...otherTexts];
}

function dependencies({ statement }: EntryFacts): readonly string[] {
  return statement === undefined ? [] : [...statement.materials, ...statement.dependencies];
}

export function matches(facts: EntryFacts, condition: Condition): boolean {
  const { value } = condition;
  switch (condition.by) {
    case "digest":
      return has([...signedDigests(facts), ...dependencies(facts)], value);
    // What was made from an image is not of that image.
    case "image":
      return has(signedDigests(facts), value);
    case "subjectDigest":
      return facts.statement?.subjects.some(({ digests }) => has(digests, value)) ?? false;
    case "subjectName":
      return facts.statement?.subjects.some(({ name }) => name?.toLowerCase() === value) ?? false;
    case "predicateType":
      return facts.statement?.predicateType?.toLowerCase() === value;
    case "key":
      return facts.signers.some(({ keyFingerprint: own }) => own === value);
    case "kind":
      return facts.kind === value;
    case "issuer":
      return facts.signers.some(({ certificate }) => certificate?.issuer?.toLowerCase() === value);
    case "extension":
      return facts.signers.some(({ certificate }) => certificate?.extensions[condition.name]?.toLowerCase() === value);
    default:
      return matchesSan(facts, condition);
  }
}

type SanCondition = Extract<Condition, { readonly by: "san" | "sanPrefix" | "sanDomain" | "sanGlob" }>;

function matchesSan(facts: EntryFacts, condition: SanCondition): boolean {
  const { value } = condition;
  return sansOf(facts).some((san) => {
    const name = san.value.toLowerCase();
    if (condition.by === "san") return name === value;
    if (condition.by === "sanPrefix") return name.startsWith(value);
    if (condition.by === "sanDomain") return isOfDomain(san, value);
    return matchesGlob(san, condition.glob);
  });
}

/** Whether a name is one that the pattern means. */
export function matchesGlob(san: SubjectAlternativeName, { domain, matches: globMatches }: SanGlob): boolean {
  return globMatches(san.value) && (domain === undefined || isOfDomain(san, domain));
}

function has(texts: readonly string[], value: string): boolean {
  return texts.some((text) => text.toLowerCase() === value);
}

const HASH_OF_LENGTH: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512" };

function digestValue(name: string, value: string): string {
  if (/^[a-z0-9][a-z0-9_+./-]{0,63}:[^\s]{1,512}$/.test(value)) {
    const [algorithm, digest] = [value.slice(0, value.indexOf(":")), value.slice(value.indexOf(":") + 1)];
    const length = Object.entries(HASH_OF_LENGTH).find(([, each]) => each === algorithm)?.[0];
    if (length !== undefined && (digest.length !== Number(length) || !/^[0-9a-f]*$/.test(digest))) {
      throw new Malformed(`${name}: ${algorithm} has ${length} hexadecimal digits`);
    }
    return value;
  }
  const algorithm = /^[0-9a-f]+$/.test(value) ? HASH_OF_LENGTH[value.length] : undefined;
  if (algorithm === undefined) {
    throw new Malformed(
      `${name}: neither <algorithm>:<digest> nor a SHA-1, SHA-256, SHA-384 or SHA-512 in hexadecimal`,
    );
  }
  return `${algorithm}:${value}`;
}

function keyFingerprint(text: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/i.test(text)) return encodeHex(decodeHex(text.slice(-64), "key"));
  try {
    const [block] = parsePem(text, "key", { labels: ["PUBLIC KEY", "CERTIFICATE"], max: 10 });
    if (block === undefined) throw new Malformed("key: no PEM block");
    const isKey = block.label === "PUBLIC KEY";
    return encodeHex(
      spkiHash(isKey ? parsePublicKey(block.der, "key") : certificatePublicKey(parseCertificate(block.der, "key"))),
    );
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const reason = error.message.replace(/^key: /, "");
    throw new Malformed(`key: neither 64 hexadecimal digits nor PEM of a public key or certificate (${reason})`);
  }
}

function domainValue(value: string): string {
  const domain = value.replace(/^@/, "").replace(/\.$/, "");
  if (domain.length <= MAX_DOMAIN_LENGTH && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain)) return domain;
  throw new Malformed("sanDomain: not a domain");
}

function kindValue(value: string): string {
  const kind = ENTRY_KIND_NAMES.find((name) => name === value);
  if (kind !== undefined) return kind;
  throw new Malformed(`kind: none of ${ENTRY_KIND_NAMES.join(", ")}`);
}
