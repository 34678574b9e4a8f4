import { setImmediate } from "node:timers/promises";
import type { Condition } from "./condition.ts";
import { matches, matchesGlob } from "./condition.ts";
import type { EntryFacts } from "./entry-facts.ts";
import { sansOf } from "./san.ts";

/** Some 8 ms, with one name's at most twice that. */
const STEPS_OF_A_TURN = 1_000_000;
/** Some 0.3 s. */
const STEPS_OF_A_SEARCH = 32_000_000;

/**
 * Holds entries against conditions for one search, and lets others have their turn. An entry's certificates have room
 * for millions of characters of names, chosen by whoever logged it; the patterns are chosen by whoever asks.
 */
export class MatchingSteps {
  #taken = 0;
  #ofTurn = 0;

  get isSpent(): boolean {
    return this.#taken >= STEPS_OF_A_SEARCH;
  }

  /** As `meetsAll`. An entry is held against all of them, however long it takes. */
  async meetsAll(facts: EntryFacts, groups: readonly (readonly Condition[])[]): Promise<boolean> {
    for (const conditions of groups) {
      if (!(await this.#meetsOne(facts, conditions))) return false;
    }
    return true;
  }

  async #meetsOne(facts: EntryFacts, conditions: readonly Condition[]): Promise<boolean> {
    for (const condition of conditions) {
      const isMet = condition.by === "sanGlob" ? await this.#meetsGlob(facts, condition) : matches(facts, condition);
      if (isMet) return true;
    }
    return false;
  }

  async #meetsGlob(facts: EntryFacts, { glob }: Extract<Condition, { readonly by: "sanGlob" }>): Promise<boolean> {
    for (const san of sansOf(facts)) {
      await this.#take(glob.steps(san.value));
      if (matchesGlob(san, glob)) return true;
    }
    return false;
  }

  async #take(steps: number): Promise<void> {
    this.#taken += steps;
    this.#ofTurn += steps;
    if (this.#ofTurn < STEPS_OF_A_TURN) return;
    await setImmediate();
    this.#ofTurn = steps;
  }
}
