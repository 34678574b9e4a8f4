/**
 * As many values as there is room for, those that were asked for last. In two generations: when the younger has half
 * of the room, the older one goes with all that nobody asked for meanwhile. To move each value to the end of one Map
 * whenever it is used was a tenth of what a proof cost.
 */
export class RecentlyUsed<Value> {
  readonly #half: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(room: number) {
    this.#half = room / 2;
  }

  get(name: string): Value | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, value: Value): void {
    this.#young.set(name, value);
    if (this.#young.size < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
