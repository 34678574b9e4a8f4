import { equalBytes } from "@chancery/encoding";

/**
 * Where the way from a leaf to the root has come: all that the rest of it depends on. RFC 9162, Section 2.1.3.2:
 * node `fn` of a level whose last one is `sn`, its hash, and the path from its `at`-th hash on.
 */
export interface Climb {
  readonly fn: bigint;
  readonly sn: bigint;
  readonly hash: Uint8Array;
  readonly path: readonly Uint8Array[];
  readonly at: number;
}

/**
 * Roots that were computed before, for proofs of one batch, which share all but their lowest nodes. It answers only for
 * the very same place, hash and rest of the path, octet by octet: whose proof meets another's there would be led on by the
 * same steps to the same root, or refused by the same check.
 */
export class ClimbedPaths {
  readonly #known = new Map<number, { readonly climb: Climb; readonly root: Uint8Array }>();

  rootOf(climb: Climb): Uint8Array | undefined {
    const known = this.#known.get(nameOf(climb));
    return known !== undefined && isSame(known.climb, climb) ? known.root : undefined;
  }

  /** All of one proof that was climbed to its end. */
  keep(climbs: readonly Climb[], root: Uint8Array): void {
    for (const climb of climbs) this.#known.set(nameOf(climb), { climb, root });
  }
}

/** Two that have one name are looked at all the same. */
function nameOf({ fn, path, at }: Climb): number {
  return Number(fn) * 64 + path.length - at;
}

function isSame(a: Climb, b: Climb): boolean {
  const left = a.path.length - a.at;
  if (a.fn !== b.fn || a.sn !== b.sn || left !== b.path.length - b.at || !equalBytes(a.hash, b.hash)) return false;
  for (let at = 0; at < left; at++) {
    const [one, other] = [a.path[a.at + at], b.path[b.at + at]];
    if (one === undefined || other === undefined || (one !== other && !equalBytes(one, other))) return false;
  }
  return true;
}
