import { CANARY_KEYS, type CanaryKey } from "../domain/canary/canary-key.ts";
import type { NamedMemory } from "../domain/named-memory.ts";

type Standing = "taken" | "frozen";

/** Why it is refused, as far as it can be told from what was taken before. */
export type Refusal = "this key" | "as always" | "as often as it may" | "no longer";

const FILE = "canary";
/** Of rates of a minute or an hour. */
const RATE_MS = 2 * 3_600_000;

/**
 * What each service took of the canary and what it refused. A rule that keeps the canary out from the first day was made on
 * purpose; one that does so from today may be, and somebody should say so.
 */
export class CanaryHistory {
  readonly #memory: NamedMemory;
  readonly #now: () => number;
  readonly #refused = new Map<string, Set<CanaryKey>>();
  /** Who refuses whatever key it is. */
  readonly #lost = new Set<string>();
  readonly #takenAt = new Map<string, number>();

  constructor(memory: NamedMemory, now: () => number) {
    this.#memory = memory;
    this.#now = now;
  }

  /** The first that nobody refuses; of those, one that who refuses everything has not refused yet. */
  get key(): CanaryKey {
    const refused = (key: CanaryKey, isLost: boolean) =>
      [...this.#refused].some(([check, keys]) => this.#lost.has(check) === isLost && keys.has(key));
    const taken = CANARY_KEYS.filter((key) => !refused(key, false));
    return taken.find((key) => !refused(key, true)) ?? taken[0] ?? CANARY_KEYS[0];
  }

  async standing(check: string): Promise<Standing | undefined> {
    return (await this.#all())[check];
  }

  async taken(check: string): Promise<void> {
    this.#takenAt.set(check, this.#now());
    this.#lost.delete(check);
    await this.#set(check, "taken");
  }

  async frozen(check: string): Promise<void> {
    await this.#set(check, "frozen");
  }

  async refused(check: string, key: CanaryKey, status: number): Promise<Refusal> {
    if (status === 429 && this.#now() - (this.#takenAt.get(check) ?? this.#now()) < RATE_MS) {
      if (!this.#takenAt.has(check)) this.#takenAt.set(check, this.#now());
      return "as often as it may";
    }
    const isByKey = status === 400 && this.#isAnotherLeft(check, key);
    if (isByKey && !this.#lost.has(check)) return "this key";
    this.#lost.add(check);
    return (await this.standing(check)) === undefined ? "as always" : "no longer";
  }

  /** When all were refused, it begins again. */
  #isAnotherLeft(check: string, key: CanaryKey): boolean {
    const keys = new Set(this.#refused.get(check)).add(key);
    const isLeft = keys.size < CANARY_KEYS.length;
    this.#refused.set(check, isLeft ? keys : new Set());
    return isLeft;
  }

  async #all(): Promise<Readonly<Record<string, Standing>>> {
    return (await this.#memory.recall<Record<string, Standing>>(FILE)) ?? {};
  }

  async #set(check: string, standing: Standing): Promise<void> {
    const all = await this.#all();
    if (all[check] !== standing) await this.#memory.remember(FILE, { ...all, [check]: standing });
  }
}
