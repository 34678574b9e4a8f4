import { Malformed, Misconfigured } from "@chancery/fault";
import { FILTER_NAMES, readSearch, type Search } from "@chancery/rekor/search";
import { parseTimeFlag } from "../time-flag.ts";
import type { Kind } from "./begun.ts";

/** Flags that choose what is exported, in their names over HTTP, and how often each may be given. */
const FILTERS: Readonly<Record<Kind, readonly string[]>> = {
  entries: ["log", ...FILTER_NAMES],
  certificates: ["san", "issuer", "subject", "serial", "keyHash"],
  refusals: ["issuer", "subject", "code"],
};

/** As they go into the manifest, times in full. */
export interface Filters {
  readonly all: Readonly<Record<string, string[]>>;
  readonly range: { readonly from: number | undefined; readonly to: number | undefined };
}

/** Of every kind, for the parser of flags. */
export const FILTER_FLAGS = Object.fromEntries(
  [...new Set(Object.values(FILTERS).flat()), "from", "to"].map(
    (name) => [flagOf(name), { type: "string", multiple: true }] as const,
  ),
);

type Given = Readonly<Record<string, unknown>>;

export function readFilters(kind: Kind, flags: Given, now: number): Filters {
  const given = Object.keys(FILTER_FLAGS).filter((flag) => flags[flag] !== undefined);
  const known = [...FILTERS[kind], "from", "to"];
  const strange = given.find((flag) => !known.some((name) => flagOf(name) === flag));
  if (strange !== undefined) throw new Misconfigured(`--${strange}`, `is no filter of ${kind}`);
  const all: Record<string, string[]> = {};
  for (const name of FILTERS[kind]) {
    const values = flags[flagOf(name)] as string[] | undefined;
    if (values === undefined) continue;
    if (kind !== "entries" && values.length > 1)
      throw new Misconfigured(`--${flagOf(name)}`, "is given more than once");
    all[name] = values;
  }
  const range = { from: timeOf("from", flags, now), to: timeOf("to", flags, now) };
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to) {
    throw new Misconfigured("--from", "is not before --to");
  }
  for (const [name, time] of Object.entries(range)) if (time !== undefined) all[name] = [new Date(time).toISOString()];
  if (kind === "entries") checkSearch(all);
  return { all, range };
}

/** The search that filters of entries mean. Their times are ranges of the logs, which need no looking. */
export function searchOf({ from: _from, to: _to, ...filters }: Filters["all"]): Pick<Search, "groups"> {
  return readSearch(filters);
}

/** By the search's own rules; what it says of a parameter is said of the flag. */
function checkSearch(filters: Filters["all"]): void {
  try {
    searchOf(filters);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const [, name = "", reason = error.message] = /^(\w+): (.*)$/s.exec(error.message) ?? [];
    throw new Misconfigured(`--${flagOf(name)}`, reason);
  }
}

function timeOf(name: "from" | "to", flags: Given, now: number): number | undefined {
  const values = flags[name] as string[] | undefined;
  if (values !== undefined && values.length > 1) throw new Misconfigured(`--${name}`, "is given more than once");
  return parseTimeFlag(name, values?.[0], now);
}

/** `keyHash` over HTTP is `--key-hash` here. */
function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
