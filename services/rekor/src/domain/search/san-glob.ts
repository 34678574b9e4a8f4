import { Malformed } from "@chancery/fault";
import { MAX_DOMAIN_LENGTH } from "./san.ts";

const MAX_PATTERN_LENGTH = 512;
const MIN_LITERAL_START = 3;
const MAX_STARS = 16;
/** Matching takes up to pattern times name steps of 8 ns, and a certificate has room for a name of 60,000 characters. */
const MAX_MATCHED_LENGTH = 2_048;

/** `*` stands for any characters, `?` for one; letter case carries no meaning. A name above 2,048 characters matches none. */
export interface SanGlob {
  /** What each name that matches begins with. */
  readonly literalStart: string;
  /** The domain that each name that matches is of, where the pattern ends in one. */
  readonly domain: string | undefined;
  readonly matches: (name: string) => boolean;
  /** How many steps it may take to tell. */
  readonly steps: (name: string) => number;
}

/** Refuses a pattern that every name would have to be held against. */
export function parseSanGlob(text: string): SanGlob {
  const pattern = text.toLowerCase();
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Malformed(`sanGlob: longer than ${MAX_PATTERN_LENGTH} characters`);
  if (pattern.split("*").length - 1 > MAX_STARS) throw new Malformed(`sanGlob: has more than ${MAX_STARS} times *`);
  const literalStart = /^[^*?]*/.exec(pattern)?.[0] ?? "";
  const end = /[@.]([a-z0-9_-]+(?:\.[a-z0-9_-]+)+)$/.exec(/[^*?]*$/.exec(pattern)?.[0] ?? "")?.[1];
  // No host is longer: such an end is letters and no domain.
  const domain = end !== undefined && end.length <= MAX_DOMAIN_LENGTH ? end : undefined;
  if (literalStart.length < MIN_LITERAL_START && domain === undefined) {
    throw new Malformed(
      `sanGlob: neither begins with ${MIN_LITERAL_START} characters that stand for themselves nor ends with a domain`,
    );
  }
  return {
    literalStart,
    domain,
    matches: (name) => name.length <= MAX_MATCHED_LENGTH && matches(pattern, name.toLowerCase()),
    steps: (name) => (name.length <= MAX_MATCHED_LENGTH ? pattern.length * name.length : 1),
  };
}

/** Goes back to the last `*` alone, which is enough: what an earlier one could give up, the last can take. */
function matches(pattern: string, name: string): boolean {
  let [at, place, star, resume] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[place] === "*") {
      [star, resume] = [place++, at];
    } else if (place < pattern.length && (pattern[place] === "?" || pattern[place] === name[at])) {
      [at, place] = [at + 1, place + 1];
    } else if (star >= 0) {
      [at, place] = [++resume, star + 1];
    } else {
      return false;
    }
  }
  while (pattern[place] === "*") place++;
  return place === pattern.length;
}
