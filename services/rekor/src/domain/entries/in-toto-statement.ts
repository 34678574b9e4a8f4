import { Malformed } from "@chancery/fault";

const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";
const MAX_SUBJECTS = 1_024;
/** Of all subjects and materials: each becomes a row of the search index. */
const MAX_DIGESTS = 4_096;
/** Beyond any digest; a longer one is no digest and would be searched by no one. */
const MAX_DIGEST_LENGTH = 512;
/** Seven megabytes of `[` take JSON.parse a second and a half, and of `{},` one: no one signs such a statement. */
const MAX_DEPTH = 256;
const MAX_STRUCTURES = 500_000;

interface Resource {
  readonly digest?: unknown;
}

/**
 * `algorithm:digest` of every subject of an in-toto statement, and of the materials of a provenance predicate.
 *
 * The payload is what somebody signed: the log does not judge it, and finds in it what it can. A payload that is
 * no statement has no digests. Read with the platform's lenient parser on purpose: whatever a verifier's parser
 * reads as a subject must be found, also where strict JSON would refuse the document.
 */
export function statementDigests(payloadType: string, payload: Uint8Array, field: string): string[] {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) return [];
  assertBounded(payload, field);
  const statement = parseLeniently(payload);
  const subjects = resources(member(statement, "subject"));
  if (subjects.length > MAX_SUBJECTS) throw new Malformed(`${field}: more than ${MAX_SUBJECTS} subjects`);
  const materials = resources(member(member(statement, "predicate"), "materials"));
  const digests: string[] = [];
  for (const { digest } of [...subjects, ...materials]) {
    if (typeof digest !== "object" || digest === null) continue;
    for (const [algorithm, value] of Object.entries(digest)) {
      const text = `${algorithm}:${typeof value === "string" ? value : ""}`;
      if (typeof value === "string" && text.length <= MAX_DIGEST_LENGTH) digests.push(text);
    }
    if (digests.length > MAX_DIGESTS) throw new Malformed(`${field}: more than ${MAX_DIGESTS} digests`);
  }
  return digests;
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
