import { concatBytes, utf8 } from "@chancery/encoding";
import type { StatementFacts, StatementSubject } from "./entry-facts.ts";

/** What is kept beside an entry because its body does not tell it. */
export interface BesideEntry {
  readonly statement: StatementFacts | undefined;
  readonly otherTexts: readonly string[];
  /** The signed payload, where it is kept. */
  readonly attestation: Uint8Array | undefined;
  /** As it was kept before: what it says of itself is still to be read. */
  readonly isBare?: boolean;
}

/**
 * ```text
 * "\0chancy1"   8 bytes, by which it is told from a bare attestation, which is what was kept before
 * length        4 bytes, big-endian
 * facts         JSON: { "p"?: predicateType, "s"?: [[name | null, digest, …]], "m"?: [digest], "d"?: [digest], "t"?: [text] }
 * attestation   the rest, or nothing
 * ```
 *
 * Nothing at all where there is nothing to tell: most entries are signatures over something the log never saw.
 */
const MAGIC = utf8("\0chancy1");
const HEADER = MAGIC.length + 4;
const NOTHING = new Uint8Array();

interface FactsJson {
  readonly p?: string;
  readonly s?: readonly (readonly [string | null, ...string[]])[];
  readonly m?: readonly string[];
  readonly d?: readonly string[];
  readonly t?: readonly string[];
}

export function encodeBeside({ statement, otherTexts, attestation }: BesideEntry): Uint8Array {
  if (statement === undefined && otherTexts.length === 0 && attestation === undefined) return NOTHING;
  const facts: FactsJson = {
    ...(statement?.predicateType !== undefined && { p: statement.predicateType }),
    ...(statement !== undefined && { s: statement.subjects.map(({ name, digests }) => [name ?? null, ...digests]) }),
    ...(statement !== undefined && statement.materials.length > 0 && { m: statement.materials }),
    ...(statement !== undefined && statement.dependencies.length > 0 && { d: statement.dependencies }),
    ...(otherTexts.length > 0 && { t: otherTexts }),
  };
  const json = utf8(JSON.stringify(facts));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, json.length);
  return concatBytes(MAGIC, length, json, attestation ?? NOTHING);
}

/** What was kept there before was the attestation alone. */
export function decodeBeside(extra: Uint8Array): BesideEntry {
  if (extra.length === 0) return { statement: undefined, otherTexts: [], attestation: undefined };
  if (!startsWithMagic(extra)) return { statement: undefined, otherTexts: [], attestation: extra, isBare: true };
  const end = HEADER + factsLength(extra);
  const facts = readFacts(extra.subarray(HEADER, end));
  // An attestation of before that happens to begin so.
  if (facts === undefined) return { statement: undefined, otherTexts: [], attestation: extra, isBare: true };
  return {
    statement: facts.s && {
      predicateType: facts.p,
      subjects: facts.s.map(subjectOf),
      materials: facts.m ?? [],
      dependencies: facts.d ?? [],
    },
    otherTexts: facts.t ?? [],
    attestation: extra.length > end ? extra.subarray(end) : undefined,
  };
}

export function attestationBeside(extra: Uint8Array): Uint8Array | undefined {
  if (extra.length === 0) return undefined;
  if (!startsWithMagic(extra)) return extra;
  const end = HEADER + factsLength(extra);
  return extra.length > end ? extra.subarray(end) : undefined;
}

/** Whether the first bytes of what is beside an entry, of so many, have all of its facts. */
export function tellsFacts(first: Uint8Array, length: number): boolean {
  if (length <= first.length) return true;
  return startsWithMagic(first) && HEADER + factsLength(first) <= first.length;
}

function readFacts(json: Uint8Array): FactsJson | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(json)) as FactsJson;
  } catch {
    return undefined;
  }
}

function subjectOf([name, ...digests]: readonly [string | null, ...string[]]): StatementSubject {
  return { name: name ?? undefined, digests };
}

function startsWithMagic(extra: Uint8Array): boolean {
  return extra.length >= HEADER && MAGIC.every((octet, at) => extra[at] === octet);
}

function factsLength(extra: Uint8Array): number {
  return new DataView(extra.buffer, extra.byteOffset).getUint32(MAGIC.length);
}
