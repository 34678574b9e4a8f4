import { type JsonValue, parseJson } from "@chancery/encoding";
import { cycloneDx, spdx } from "./bill-of-materials.ts";
import { member, object, text } from "./json-walk.ts";
import { provenance } from "./provenance.ts";

export interface StatementSubject {
  readonly name: string;
  readonly digests: readonly string[];
}

/** A predicate in plain words: lines to read, and lists that may be long. */
export interface PredicateSummary {
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly lists: readonly { readonly title: string; readonly total: number; readonly shown: readonly string[] }[];
}

/** An in-toto statement, as far as it is one. https://github.com/in-toto/attestation, spec v1. */
export interface Statement {
  readonly predicateType: string;
  readonly subjects: readonly StatementSubject[];
  readonly summary: PredicateSummary | undefined;
  readonly json: JsonValue;
}

export const LONGEST_LIST = 50;

/** Throws what `parseJson` throws; what is JSON and no statement has no subjects and no summary. */
export function parseStatement(payload: Uint8Array): Statement {
  const json = parseJson(payload, "statement", { maxBytes: 32 * 1024 * 1024, maxDepth: 128, roundIntegers: true });
  const predicateType = text(member(json, "predicateType")) ?? "";
  const subjects = list(member(json, "subject")).map((subject) => ({
    name: text(member(subject, "name")) ?? "",
    digests: Object.entries(object(member(subject, "digest"))).flatMap(([name, value]) => {
      return typeof value === "string" ? [`${name}:${value}`] : [];
    }),
  }));
  return { predicateType, subjects, summary: summarize(predicateType, member(json, "predicate")), json };
}

function summarize(type: string, predicate: JsonValue | undefined): PredicateSummary | undefined {
  if (/^https?:\/\/slsa\.dev\/provenance\//.test(type)) return provenance(predicate);
  // cosign wraps a document that it was given as text.
  const document = unwrapped(predicate);
  if (/^https?:\/\/spdx\.dev\/Document/.test(type)) return spdx(document);
  if (/^https?:\/\/cyclonedx\.org\/(bom|specification)/.test(type)) return cycloneDx(document);
  return undefined;
}

function unwrapped(predicate: JsonValue | undefined): JsonValue | undefined {
  const inner = member(predicate, "Data");
  if (typeof inner !== "string") return inner ?? predicate;
  try {
    return parseJson(inner, "predicate", { maxDepth: 128, roundIntegers: true });
  } catch {
    return predicate;
  }
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
