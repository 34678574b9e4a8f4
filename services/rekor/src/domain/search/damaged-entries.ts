import type { Damage } from "./held-page.ts";

/** The first stretches of entries that are not those of the tree, and how many entries there are in all. */
export interface DamagedStretches {
  readonly first: readonly Damage[];
  readonly count: bigint;
}

/** Of more it is not said which. */
const MOST_TOLD = 100;

/** Collects them in the order of the log, however many they are. */
export class DamagedEntries implements DamagedStretches {
  readonly first: Damage[] = [];
  count = 0n;

  add(damage: readonly Damage[]): void {
    for (const one of damage) {
      this.count += one.end - one.first;
      if (this.first.length < MOST_TOLD) this.first.push(one);
    }
  }
}

/** In one sentence, of a log that is named before it. */
export function describeDamage({ first, end, isExact }: Damage): string {
  const last = end - 1n;
  if (!isExact) {
    return `of entries ${first} to ${last} one at least is damaged, or a hash tile above them: they are not what the tree commits to, and nothing says which; mend them first, their search rows were not judged`;
  }
  const isOne = first === last;
  const which = isOne ? `entry ${first} is` : `entries ${first} to ${last} are`;
  const [it, the] = isOne ? ["it is not the one", "its"] : ["they are not the ones", "their"];
  return `${which} damaged: ${it} in the tree; mend ${isOne ? "it" : "them"} first, ${the} search rows were not judged`;
}
