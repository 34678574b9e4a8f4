import { freeGroup } from "./named-filters.ts";
import type { Filters } from "./reading.ts";

/** What stands in a search page's address, and so can be kept, sent and come back to. */
export interface SearchAddress {
  readonly text: string;
  /** Which meaning of the text was chosen; 0 is the first. */
  readonly meaning: number;
  readonly filters: Filters;
  readonly order: "newest" | "oldest";
}

/** The filters that have a field of their own beside the search box. */
export const FILTER_NAMES = [
  "kind",
  "issuer",
  "san",
  "sourceRepositoryUri",
  "predicateType",
  "log",
  "from",
  "to",
] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

export const NO_SEARCH: SearchAddress = { text: "", meaning: 0, filters: {}, order: "newest" };

export function readSearchAddress(query: URLSearchParams): SearchAddress {
  const filters = FILTER_NAMES.flatMap((name) => {
    const values = query.getAll(name).filter((value) => value !== "");
    return values.length === 0 ? [] : [[name, values] as const];
  });
  const meaning = Number(query.get("as") ?? "0");
  return {
    text: query.get("q") ?? "",
    meaning: Number.isInteger(meaning) && meaning > 0 && meaning < 10 ? meaning : 0,
    filters: Object.fromEntries(filters),
    order: query.get("order") === "oldest" ? "oldest" : "newest",
  };
}

export function writeSearchAddress({ text, meaning, filters, order }: SearchAddress): string {
  const query = new URLSearchParams();
  if (text !== "") query.set("q", text);
  if (meaning !== 0) query.set("as", String(meaning));
  for (const name of FILTER_NAMES) for (const value of filters[name] ?? []) query.append(name, value);
  if (order !== "newest") query.set("order", order);
  const written = query.toString();
  return written === "" ? "/search" : `/search?${written}`;
}

/**
 * All of both must hold: what both name is a further group of the API's. A log and an end of a time it takes once, so of
 * those what both allow is left; of logs perhaps none, which cannot be asked for.
 */
export function joinFilters(first: Filters, second: Filters): Filters | { readonly contradiction: string } {
  const joined: Record<string, readonly string[]> = { ...first };
  for (const [name, values] of Object.entries(second)) {
    const others = first[name];
    if (others === undefined) joined[name] = values;
    else if (name === "log") joined[name] = values.filter((value) => others.includes(value));
    else if (name === "from" || name === "to") joined[name] = narrower(name, [...values, ...others]);
    else if (values.join("\n") !== others.join("\n")) joined[freeGroup(joined, name)] = values;
  }
  return joined["log"]?.length === 0 ? { contradiction: "log" } : joined;
}

function narrower(name: "from" | "to", values: readonly string[]): readonly string[] {
  const later = name === "to" ? 1 : 0;
  const sorted = values.toSorted((a, b) => timeOf(a, later) - timeOf(b, later));
  return sorted.slice(name === "from" ? -1 : 0).slice(0, 1);
}

function timeOf(value: string, later: number): number {
  return Date.parse(startOfDay(value, later));
}

/** A day of the filter form as the API's time: `to` is meant with that day, the API's is exclusive. */
export function apiTimes(filters: Filters): Filters {
  return Object.fromEntries(
    Object.entries(filters).map(([name, values]) => {
      if (name === "from") return [name, values.map((value) => startOfDay(value, 0))];
      if (name === "to") return [name, values.map((value) => startOfDay(value, 1))];
      return [name, values];
    }),
  );
}

function startOfDay(value: string, later: number): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(value)) return value;
  const day = Date.parse(`${value}T00:00:00Z`);
  // What the calendar does not have is left for the API to refuse: here it would become a day of the next month.
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== value) return value;
  return `${new Date(day + later * 86_400_000).toISOString().slice(0, 19)}Z`;
}
