import type { Filters } from "../query/reading.ts";
import { type Answer, ask } from "./answer.ts";
import { listedEntry } from "./entries.ts";
import { decimal, list, optional, shape, type Shaped, text } from "./shape.ts";

/** Up to which size of which log an answer is complete: what is not in it is not in that tree. */
const completeness = shape({ log: text, origin: optional(text), size: decimal, root: text });
export type Completeness = Shaped<typeof completeness>;

/** Of logs whose older entries are not all in the index: how many, and what puts them there. */
const incompleteness = optional(list(shape({ log: text, size: decimal, unindexed: decimal, remedy: text })));
export type Incompleteness = NonNullable<Shaped<typeof incompleteness>>;

const found = shape({
  results: list(listedEntry),
  cursor: optional(text),
  complete: list(completeness),
  incomplete: incompleteness,
});
export type Found = Shaped<typeof found>;

export interface SearchRequest {
  readonly filters: Filters;
  readonly order?: "newest" | "oldest";
  readonly limit?: number;
  readonly cursor?: string | undefined;
}

export function search(request: SearchRequest, signal?: AbortSignal): Promise<Answer<Found>> {
  const { filters, order = "newest", limit = 25, cursor } = request;
  return ask("/search", found, { ...filters, order, limit: String(limit), cursor }, signal);
}

const counted = list(shape({ value: text, count: countShape() }));
const identity = shape({
  san: text,
  count: countShape(),
  complete: flagOrMissing(),
  first: optional(text),
  last: optional(text),
  issuers: list(text),
  repositories: counted,
  kinds: counted,
  activity: list(shape({ day: text, count: countShape() })),
  completeTo: optional(list(completeness)),
});
export type Identity = Shaped<typeof identity>;

export function fetchIdentity(
  san: string,
  issuer: string | undefined,
  signal?: AbortSignal,
): Promise<Answer<Identity>> {
  return ask("/identities", identity, { san, issuer }, signal);
}

function countShape() {
  return (value: unknown, where: string): number => Number(decimal(value, where));
}

function flagOrMissing() {
  return (value: unknown): boolean => value !== false;
}
