import type { Answer } from "../api/answer.ts";
import { fetchEntry, LOG_NAMES, type ListedEntry } from "../api/entries.ts";
import { fetchCertificate, type IssuedCertificate } from "../api/issuance.ts";
import { type Found, search as searchLogs } from "../api/search.ts";
import { apiTimes, joinFilters, type SearchAddress } from "./search-address.ts";
import type { Filters, Reading } from "./reading.ts";

/** What was found by one meaning of a text. */
export type Hit =
  | { readonly kind: "list"; readonly meaning: Reading; readonly filters: Filters; readonly found: Found }
  | {
      readonly kind: "entries";
      readonly meaning: Reading;
      readonly id: string;
      readonly entries: readonly ListedEntry[];
    }
  | { readonly kind: "certificate"; readonly meaning: Reading; readonly certificate: IssuedCertificate }
  | { readonly kind: "page"; readonly meaning: Reading; readonly path: string };

export interface Outcome {
  /** By the meaning that was asked for, or by the first of the others that found something. */
  readonly hit: Hit | undefined;
  /** The meanings that found nothing, in the order in which they were tried. */
  readonly tried: readonly Reading[];
  /** Why there is no answer at all, of the first meaning. */
  readonly trouble?: Answer<never>;
}

/** The questions that are asked; others in tests. */
export interface Questions {
  readonly search: typeof searchLogs;
  readonly entry: typeof fetchEntry;
  readonly certificate: typeof fetchCertificate;
}

const QUESTIONS: Questions = { search: searchLogs, entry: fetchEntry, certificate: fetchCertificate };

type Looked = { readonly hit: Hit } | { readonly trouble: Answer<never> } | undefined;

/**
 * By the first meaning, and where that finds nothing by the others in turn. A meaning of which not all was looked
 * through is not given up: the reader looks further.
 */
export async function lookUp(
  meanings: readonly Reading[],
  address: Pick<SearchAddress, "filters" | "order">,
  signal: AbortSignal,
  questions: Questions = QUESTIONS,
): Promise<Outcome> {
  const tried: Reading[] = [];
  let empty: Hit | undefined;
  for (const meaning of meanings) {
    const looked = await look(meaning, address, signal, questions);
    if (looked !== undefined && "trouble" in looked) {
      if (tried.length === 0) return { hit: undefined, tried, trouble: looked.trouble };
      continue;
    }
    if (looked !== undefined && isSomething(looked.hit, tried.length === 0)) return { hit: looked.hit, tried };
    empty ??= looked?.hit;
    tried.push(meaning);
  }
  return { hit: empty, tried };
}

function isSomething(hit: Hit, isFirst: boolean): boolean {
  if (hit.kind !== "list") return true;
  return hit.found.results.length > 0 || (isFirst && hit.found.cursor !== undefined);
}

async function look(
  meaning: Reading,
  { filters: others, order }: Pick<SearchAddress, "filters" | "order">,
  signal: AbortSignal,
  questions: Questions,
): Promise<Looked> {
  const { goal } = meaning;
  if (goal.kind === "hint") return undefined;
  if (goal.kind === "page") return { hit: { kind: "page", meaning, path: goal.path } };
  if (goal.kind === "certificate") {
    const answer = await questions.certificate(goal.serial, signal);
    if (answer.kind === "answered") return { hit: { kind: "certificate", meaning, certificate: answer.value } };
    return troubleOf(answer);
  }
  if (goal.kind === "search") {
    const joined = joinFilters(goal.filters, others);
    if (isContradiction(joined)) {
      const message =
        "The box and the filters name different logs, and an entry is in one of them. Change one of them.";
      return { trouble: { kind: "refused", message } };
    }
    const filters = apiTimes(joined);
    const answer = await questions.search({ filters, order }, signal);
    if (answer.kind === "answered") return { hit: { kind: "list", meaning, filters, found: answer.value } };
    return { trouble: answer };
  }
  const logs = goal.log === undefined ? LOG_NAMES : [goal.log];
  const answers = await Promise.all(logs.map((name) => questions.entry(name, goal.id, signal)));
  const entries = answers.flatMap((answer) => (answer.kind === "answered" ? [answer.value] : []));
  if (entries.length > 0) return { hit: { kind: "entries", meaning, id: goal.id, entries } };
  return answers.map((answer) => (answer.kind === "answered" ? undefined : troubleOf(answer))).find(Boolean);
}

function isContradiction(joined: ReturnType<typeof joinFilters>): joined is { readonly contradiction: string } {
  return typeof joined["contradiction"] === "string";
}

/** That there is none, or that one may not see them, is no reason to stop looking elsewhere. */
function troubleOf(answer: Exclude<Answer<unknown>, { kind: "answered" }>): Looked {
  const isNone = answer.kind === "unknown" || answer.kind === "refused" || answer.kind === "absent";
  return isNone || answer.kind === "forbidden" ? undefined : { trouble: answer };
}
