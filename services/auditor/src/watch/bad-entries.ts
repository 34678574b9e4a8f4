import { Refused } from "../public/http-log.ts";
import { PAGE } from "./entry-pages.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** Those beyond are found by the round through all. */
const MOST = 10_000;
/** Of pages with bad entries, so many are looked at again with each look: what is new waits for no more. */
const AGAIN = 8;
/** Of those beyond the words are kept, and not the entry. */
const MOST_EVIDENCE = 100;

/** An entry that was judged bad, or as much of a page as could not be read. */
export interface Bad {
  readonly first: bigint;
  readonly end: bigint;
  /** Undefined: not looked at since the start. */
  readonly found: Wrong | Refused | undefined;
}

/** Entries of a log that were judged bad when they were new: they are so until they were looked at again and are not, over a restart too. */
export class BadEntries {
  /** By its first entry; the one that was looked at longest ago first. */
  readonly #spans: Map<bigint, Bad>;

  constructor(remembered: string | undefined) {
    this.#spans = new Map((remembered ?? "").split(",").filter(Boolean).map(parse));
  }

  /** Pages that are looked at again next. */
  get again(): readonly bigint[] {
    const pages = new Set<bigint>();
    for (const first of this.#spans.keys()) if (pages.size < AGAIN) pages.add(first / PAGE);
    return [...pages];
  }

  /** Whether an entry of a page is. */
  ofPage(page: bigint): (index: bigint) => boolean {
    const spans = this.#ofPage(page);
    return (index) => spans.some(({ first, end }) => first <= index && index < end);
  }

  add(bad: readonly Bad[]): void {
    for (const one of bad) {
      const { size } = this.#spans;
      if (size >= MOST && !this.#spans.has(one.first)) continue;
      this.#spans.set(one.first, size < MOST_EVIDENCE ? one : withoutEvidence(one));
    }
  }

  /** What is bad of a page that was looked at again. */
  replace(page: bigint, bad: readonly Bad[]): void {
    for (const { first } of this.#ofPage(page)) this.#spans.delete(first);
    this.add(bad);
  }

  /** It could not be read: others come first the next time. */
  postpone(page: bigint): void {
    for (const span of this.#ofPage(page)) {
      this.#spans.delete(span.first);
      this.#spans.set(span.first, span);
    }
  }

  /** Those from `fresh` on first. What was refused is told by the look that asked. */
  tell(findings: Findings, fresh: bigint): void {
    const bad = [...this.#spans.values()];
    for (const { found } of bad.filter(({ first }) => first >= fresh)) if (found instanceof Wrong) findings.add(found);
    for (const { first, end, found } of bad) {
      if (first < fresh && found instanceof Wrong) findings.add(found);
      else if (!(found instanceof Wrong)) findings.addMore(Number(end - first));
    }
  }

  toString(): string {
    const spans = [...this.#spans.values()].toSorted((a, b) => Number(a.first - b.first));
    return spans.map(({ first, end }) => (end === first + 1n ? String(first) : `${first}-${end}`)).join(",");
  }

  #ofPage(page: bigint): Bad[] {
    return [...this.#spans.values()].filter(({ first }) => first / PAGE === page);
  }
}

function parse(text: string): [bigint, Bad] {
  const [first = "0", end] = text.split("-");
  const index = BigInt(first);
  return [index, { first: index, end: end === undefined ? index + 1n : BigInt(end), found: undefined }];
}

function withoutEvidence({ first, end, found }: Bad): Bad {
  if (!(found instanceof Wrong)) return { first, end, found };
  return { first, end, found: new Wrong(found.trouble, found.message, undefined, found.subject) };
}
