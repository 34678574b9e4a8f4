import { createHash, randomInt } from "node:crypto";

/** Printed with every summary: the same seed throws the same dice again. */
export const SEED = Number(process.env["CHANCERY_FAULT_SEED"] ?? randomInt(2 ** 31));

/** 1 is what CI runs; `soak` sets more. */
const FACTOR = Number(process.env["CHANCERY_FAULT_FACTOR"] ?? 1);

/** How often a fault is injected, given how often CI injects it. */
export function times(count: number): number {
  return Math.max(1, Math.round(count * FACTOR));
}

/** Room for a test that takes this long in CI on a slow day. */
export function minutes(count: number): number {
  return count * 60_000 * Math.max(1, FACTOR);
}

/** Repeatable chance. Each suite has its own, so that one more throw in one changes nothing in another. */
export class Dice {
  #state: number;

  constructor(suite: string) {
    this.#state = createHash("sha256").update(`${SEED} ${suite}`).digest().readUInt32LE();
  }

  /** mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  chance(of: number): boolean {
    return this.#next() < of;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }
}
