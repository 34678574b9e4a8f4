import type { Report } from "../domain/alarm.ts";
import { describePlace, type Place, subjectOf } from "../domain/difference.ts";
import type { VouchedTree } from "../domain/proven-log.ts";
import { storedName } from "../public/served-log.ts";
import { requireAbreast } from "./certificate-around.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { Unchecked, Wrong, wrongOf } from "./wrong.ts";

/** Entries [first, end) of one lowest tile that are not those of the tree; not `isExact`: which of them, nothing says. */
interface Damage {
  readonly first: bigint;
  readonly end: bigint;
  readonly isExact: boolean;
}

interface IndexVerdict {
  /** The first ones, and how many entries there are in all. */
  readonly damaged: { readonly first: readonly Damage[]; readonly count: bigint };
  /** What is other beside the entries that are in the tree. */
  readonly differences: readonly string[];
  /** So many entries, from the first on, are of before there was this search, says the database. */
  readonly unindexed: bigint;
}

interface IndexAround {
  readonly signal: AbortSignal;
  /** Called as it goes on. */
  readonly alive?: (() => void) | undefined;
  /** The first entries that are not judged MUST NOT be more than these, whatever the database says. */
  readonly mostUnindexed?: bigint | undefined;
}

/** Holds all that a log is found by against those of its entries that are in the tree, both ways; resolves to what is other. */
export type VerifyIndex = (log: string, tree: VouchedTree, around: IndexAround) => Promise<IndexVerdict>;

/** How many entries were said to be of before when this was first looked at: never more from then on. */
const UNINDEXED = "unindexed";

interface Around {
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** With the search's own code, where the auditor is given it: it alone knows every kind of entry. What is in the tree it is told. */
export async function checkSearchIndex(
  watch: LogWatch,
  verifyIndex: VerifyIndex | undefined,
  { report, signal }: Around,
): Promise<void> {
  const { log, proven, folder } = watch;
  const { name } = log;
  if (verifyIndex === undefined) return;
  let isDamaged = false;
  await judgeAll(
    `search index of ${name}`,
    async (findings) => {
      const tree = proven.vouched();
      const kept = folder.cursor(UNINDEXED);
      const mostUnindexed = kept === undefined ? undefined : BigInt(kept);
      const around = { signal, mostUnindexed };
      const { damaged, differences, unindexed } = await verifyIndex(storedName(log), tree, around);
      if (mostUnindexed === undefined) await folder.setCursor(UNINDEXED, String(unindexed));
      isDamaged = damaged.count > 0n;
      for (const damage of damaged.first) findings.add(changedEntry(name, damage));
      const told = damaged.first.reduce((sum, { first, end }) => sum + (end - first), 0n);
      findings.addMore(Number(damaged.count - told));
      const [first, ...others] = differences;
      if (first !== undefined) {
        const what = `the search index of ${name} is other than its entries: ${first}`;
        findings.add(new Wrong("changed-index", what, { first, others }, `search index of ${name}`));
      }
      requireAbreast(watch, `the index of ${tree.size} entries was checked`);
      // As it is by now: the tree of a look that began while the auditor caught up may end before the gap does.
      judgeGap(name, { unindexed, mostUnindexed, size: proven.size }, findings);
      if (unindexed > 0n && findings.count === 0) {
        throw new Unchecked(
          `entries before index ${unindexed} are of before there was this search, and not judged: run chancery index rebuild, which adds what they lack`,
        );
      }
      return "all that entries are found by is theirs, and nothing is missing";
    },
    {
      report,
      couldNot: `the search index of ${name} could not be read`,
      wrongOf: (difference) => wrongOf(name, difference),
      // An older database lacks entries, and with them all that they are found by.
      goneBack: async () => (isDamaged ? watch.goneBack() : undefined),
    },
  );
}

interface Gap {
  readonly unindexed: bigint;
  /** Undefined at the first look, when the tree that is proven may be behind the one that was upgraded. */
  readonly mostUnindexed: bigint | undefined;
  readonly size: bigint;
}

/** What is of before is not judged, so who hides an entry says that it is. Their number never grows. */
function judgeGap(log: string, { unindexed, mostUnindexed, size }: Gap, findings: Findings): void {
  if (mostUnindexed === undefined || (unindexed <= mostUnindexed && unindexed <= size)) return;
  const before = unindexed > mostUnindexed ? `at the first look it said ${mostUnindexed}` : `the log has ${size}`;
  const what = `the search of ${log} is said to lack the keys of entries before index ${unindexed}, and ${before}: rows of log.search_gap or log.search_rebuilt were changed`;
  findings.add(new Wrong("changed-index", what, { unindexed: String(unindexed) }, `search gap of ${log}`));
}

/** Under the name that those who hold the entries themselves give it: it is one alarm. */
function changedEntry(log: string, { first, end, isExact }: Damage): Wrong {
  const more = Number(end - first) - 1;
  const place: Place = { kind: "entry", index: first, field: "leaf", ...(more > 0 && { more }) };
  const which = isExact ? "it is not what was proven" : "one of them at least is not what was proven";
  const what = `${log} in the database, ${describePlace(place)}: ${which}; search rows beside it were not judged`;
  return new Wrong("changed-entry", what, { place: describePlace(place) }, subjectOf(log, place));
}
