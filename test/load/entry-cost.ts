import type { TransparencyLog } from "../../libs/log/src/index.ts";
import { spread } from "./figures.ts";
import { inFlight } from "./in-flight.ts";
import { newEntry, sizeOf } from "./log-node.ts";
import { treeCpu } from "./process-cpu.ts";

export interface CostedLog {
  readonly log: TransparencyLog;
  /** The process of the PostgreSQL that it lies in, and of nothing else. */
  readonly postgres: number;
}

/** Until most pages of its indexes were read since the start: a log is started once and runs for months. */
const WARM_ENTRIES = 250_000;
/** More than what comes between two checkpoints of PostgreSQL, after each of which a page goes into its log whole. */
const COMPARED_ENTRIES = 500_000;
/** The small one has shorter turns, so that it stays small. */
const [SMALL_SECONDS, LARGE_SECONDS] = [1, 3];

/** CPU seconds: of this process in its turns, and of its PostgreSQL in both, for a checkpoint is nobody's turn. */
interface Cost {
  entries: number;
  node: number;
  postgres: number;
}

/**
 * What an entry costs in two logs that take turns: what the machine's speed does meanwhile it does to both. Returns lines.
 */
export async function compareCosts(
  small: CostedLog,
  large: CostedLog,
  { clients, keys }: { readonly clients: number; readonly keys: number },
): Promise<string[]> {
  const run = ({ log }: CostedLog, until: { seconds: number } | { count: number }) =>
    inFlight(clients, until, () => log.append(newEntry(keys)));
  await run(small, { seconds: SMALL_SECONDS });
  await run(large, { count: WARM_ENTRIES });
  const turn = async (place: CostedLog, seconds: number) => {
    const before = treeCpu(process.pid).program;
    const { count } = await run(place, { seconds });
    return { entries: count, node: treeCpu(process.pid).program - before };
  };
  const pairs: { readonly small: Cost; readonly large: Cost }[] = [];
  let logged = 0;
  for (; logged < COMPARED_ENTRIES; logged += pairs.at(-1)?.large.entries ?? Infinity) {
    const before = [small, large].map(ofPostgres);
    const [first, second] = [await turn(small, SMALL_SECONDS), await turn(large, LARGE_SECONDS)];
    const [ofSmall = Number.NaN, ofLarge = Number.NaN] = [small, large].map(
      (log, at) => ofPostgres(log) - (before[at] ?? 0),
    );
    pairs.push({ small: { ...first, postgres: ofSmall }, large: { ...second, postgres: ofLarge } });
  }
  const costs = (pick: (pair: { small: Cost; large: Cost }) => Cost) => pairs.map(pick);
  const [inSmall, inLarge] = [costs((pair) => pair.small), costs((pair) => pair.large)];
  const ratios = inLarge.map((cost, at) => perEntry([cost]) / perEntry(inSmall.slice(at, at + 1)));
  return [
    `an entry at ${clients} in flight, in ${pairs.length} pairs, CPU µs Node + PostgreSQL, all pairs together (a pair):`,
    `  in a log of ${await sizeOf(small)} entries  ${described(inSmall)}`,
    `  in a log of ${await sizeOf(large)} entries  ${described(inLarge)}`,
    `  ratio ${(perEntry(inLarge) / perEntry(inSmall)).toFixed(2)} of all together, ${spread(ratios, 2)} of a pair; ${logged} entries in the large one`,
  ];
}

function ofPostgres({ postgres }: CostedLog): number {
  const { program, children } = treeCpu(postgres);
  return program + children;
}

function perEntry(costs: readonly Cost[], pick = (cost: Cost) => cost.node + cost.postgres): number {
  const sum = (of: (cost: Cost) => number) => costs.reduce((total, cost) => total + of(cost), 0);
  return (sum(pick) / sum(({ entries }) => entries)) * 1e6;
}

function described(costs: readonly Cost[]): string {
  const node = perEntry(costs, (cost) => cost.node).toFixed(0);
  const postgres = perEntry(costs, (cost) => cost.postgres).toFixed(0);
  const each = costs.map((cost) => perEntry([cost]));
  return `${perEntry(costs).toFixed(0)} = ${node} + ${postgres} (${spread(each, 0)})`;
}
