import type { SearchKey } from "@chancery/log";
import { nameKeys } from "../search-key.ts";
import type { Condition } from "./condition.ts";
import { conditionKeys } from "./condition-keys.ts";
import type { SearchedLog } from "./searched-log.ts";

/** Of one search. The names of a prefix may be 256, each in one of three columns. */
const MOST_KEYS = 1_000;

/**
 * The keys to look a search up by: of each group of conditions those of which every entry that meets one of them has
 * one. A group is left out of which that cannot be said; with none left every entry may be meant.
 */
export async function searchGroups(
  { log }: SearchedLog,
  groups: readonly (readonly Condition[])[],
): Promise<readonly (readonly SearchKey[])[]> {
  const known = (await Promise.all(groups.map((conditions) => groupKeys(log, conditions)))).filter(
    (keys) => keys !== undefined,
  );
  // Those of the fewest keys are looked up; whatever is found is held against all conditions anyway.
  let left = MOST_KEYS;
  return known.toSorted((a, b) => a.length - b.length).filter((keys) => (left -= keys.length) >= 0);
}

async function groupKeys(
  log: SearchedLog["log"],
  conditions: readonly Condition[],
): Promise<readonly SearchKey[] | undefined> {
  const keys = await Promise.all(conditions.map((condition) => keysOf(log, condition)));
  const known = keys.filter((each) => each !== undefined);
  return known.length === keys.length ? known.flat() : undefined;
}

async function keysOf(log: SearchedLog["log"], condition: Condition): Promise<readonly SearchKey[] | undefined> {
  const found = conditionKeys(condition);
  if (found.by === "keys") return found.keys;
  if (found.by === "all") return undefined;
  const names = await log.lookup.names(found.prefix);
  return names === undefined ? found.otherwise : nameKeys(names);
}
