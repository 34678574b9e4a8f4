/** Repeatable chance: request 4711 of a seed is the same in every run, whatever came before it. */
export class Chance {
  #state: number;

  constructor(seed: number, index: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  }

  /** mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  in(of: number): boolean {
    return this.next() < of;
  }

  pick<T>(choices: readonly T[]): T {
    const found = choices[this.below(choices.length)];
    if (found === undefined) throw new RangeError("nothing to pick from");
    return found;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) bytes[at] = this.below(256);
    return bytes;
  }
}
