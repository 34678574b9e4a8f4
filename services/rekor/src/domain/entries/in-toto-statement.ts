import { Malformed } from "@chancery/fault";
import type { StatementFacts } from "../search/entry-facts.ts";

export const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";
const MAX_SUBJECTS = 1_024;
/** Of all subjects and materials: each becomes a row of the search index. */
const MAX_DIGESTS = 4_096;
/** Of dependencies; of more, these are found. */
const MAX_DEPENDENCY_DIGESTS = 4_096;
/** Beyond any digest; a longer one is no digest and would be searched by no one. */
const MAX_DIGEST_LENGTH = 512;
/** Seven megabytes of `[` take JSON.parse a second and a half, and of `{},` one: no one signs such a statement. */
const MAX_DEPTH = 256;
const MAX_STRUCTURES = 500_000;

/** Of a name or predicate type; a longer one is asked for by no one, and is not kept. */
const MAX_NAME_LENGTH = 2_048;
/** Of all names of a statement together: they are kept beside the entry for ever. */
const MAX_NAMES_LENGTH = 256 * 1024;

interface Resource {
  readonly name?: unknown;
  readonly digest?: unknown;
}

/**
 * Subjects and predicate type of an in-toto statement, and what a provenance predicate says the build was made from:
 * `materials` of SLSA v0.2, `buildDefinition.resolvedDependencies` and `runDetails.builder.builderDependencies` of v1.
 *
 * The payload is what somebody signed: the log does not judge it, and finds in it what it can. A payload that is
 * no statement has none. Read with the platform's lenient parser on purpose: whatever a verifier's parser
 * reads as a subject must be found, also where strict JSON would refuse the document.
 */
export function readStatement(payloadType: string, payload: Uint8Array, field: string): StatementFacts | undefined {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) return undefined;
  assertBounded(payload, field);
  const statement = parseLeniently(payload);
  if (typeof statement !== "object" || statement === null) return undefined;
  const resourcesOf = resources(member(statement, "subject"));
  if (resourcesOf.length > MAX_SUBJECTS) throw new Malformed(`${field}: more than ${MAX_SUBJECTS} subjects`);
  const budget = { digests: MAX_DIGESTS, names: MAX_NAMES_LENGTH };
  const subjects = resourcesOf.map((each) => ({
    name: nameOf(each.name, budget),
    digests: digestsOf(each, budget, field),
  }));
  const predicate = member(statement, "predicate");
  return {
    predicateType: nameOf(member(statement, "predicateType"), budget),
    subjects,
    materials: resources(member(predicate, "materials")).flatMap((each) => digestsOf(each, budget, field)),
    dependencies: dependenciesOf(predicate),
  };
}

/** The first ones: a build may have had many thousands, and its attestation is logged whoever searches for the last of them. */
function dependenciesOf(predicate: unknown): string[] {
  const found: string[] = [];
  const all = [
    ...resources(member(member(predicate, "buildDefinition"), "resolvedDependencies")),
    ...resources(member(member(member(predicate, "runDetails"), "builder"), "builderDependencies")),
  ];
  for (const each of all) {
    found.push(...digestTexts(each));
    if (found.length >= MAX_DEPENDENCY_DIGESTS) return found.slice(0, MAX_DEPENDENCY_DIGESTS);
  }
  return found;
}

/** `algorithm:digest` of every subject and material: v1's `index/retrieve` knows no dependencies. */
export function statementDigests(statement: StatementFacts | undefined): string[] {
  if (statement === undefined) return [];
  return [...statement.subjects.flatMap(({ digests }) => digests), ...statement.materials];
}

function digestsOf(resource: Resource, budget: { digests: number }, field: string): string[] {
  const digests = digestTexts(resource);
  budget.digests -= digests.length;
  if (budget.digests < 0) throw new Malformed(`${field}: more than ${MAX_DIGESTS} digests`);
  return digests;
}

function digestTexts({ digest }: Resource): string[] {
  if (typeof digest !== "object" || digest === null) return [];
  const digests: string[] = [];
  for (const [algorithm, value] of Object.entries(digest)) {
    const text = `${algorithm}:${typeof value === "string" ? value : ""}`;
    if (typeof value === "string" && text.length <= MAX_DIGEST_LENGTH) digests.push(text);
  }
  return digests;
}

function nameOf(name: unknown, budget: { names: number }): string | undefined {
  if (typeof name !== "string" || name.length > MAX_NAME_LENGTH || name.length > budget.names) return undefined;
  budget.names -= name.length;
  return name;
}

/**
 * Refused and not passed over: what is logged without its subjects is found by no one who searches for them. One pass
 * over the octets; a payload that is no JSON may be miscounted, and has no subjects either way.
 */
function assertBounded(payload: Uint8Array, field: string): void {
  let depth = 0;
  let structures = 0;
  let inString = false;
  for (let at = 0; at < payload.length; at++) {
    const octet = payload[at];
    if (octet === 0x22) inString = !inString;
    else if (inString) at += octet === 0x5c ? 1 : 0;
    else if (octet === 0x5b || octet === 0x7b) {
      depth++;
      structures++;
      if (depth > MAX_DEPTH || structures > MAX_STRUCTURES) break;
    } else if (octet === 0x5d || octet === 0x7d) depth--;
  }
  if (depth > MAX_DEPTH) throw new Malformed(`${field}: a statement nested deeper than ${MAX_DEPTH}`);
  if (structures > MAX_STRUCTURES) throw new Malformed(`${field}: a statement of more than ${MAX_STRUCTURES} objects`);
}

function parseLeniently(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function resources(value: unknown): Resource[] {
  return Array.isArray(value)
    ? value.filter((each): each is Resource => typeof each === "object" && each !== null)
    : [];
}
