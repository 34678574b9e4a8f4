import type { NamedMemory } from "../domain/named-memory.ts";
import type { Role } from "../domain/trust/tuf.ts";

const FILE = "vantage-trust";
/** How exactly it is remembered when a file was seen last: else each look would be written. */
const SEEN_MS = 60_000;

/** What a place showed under a name that shows the same for ever, signed by the trusted keys, and the main place did not have. */
export interface AwaitedFile {
  readonly file: string;
  readonly version: number;
  readonly role: Role;
  readonly sha256: string;
  /** Of its text; most often all of it, and of a root always: its keys are what signs the rest there. */
  readonly beginning: string;
  readonly since: number;
  readonly seen: number;
}

/** Its timestamp has another version than the main place's. */
export interface Apart {
  readonly since: number;
  /** The lesser of the two versions. */
  readonly behind: number;
}

/** What is waited for of a place. */
export interface Waiting {
  readonly base: string;
  readonly apart?: Apart | undefined;
  readonly awaited: readonly AwaitedFile[];
}

/** Over restarts: an auditor that is started anew while a place shows what it should not gives it no more time. */
export class VantageMemory {
  readonly #memory: NamedMemory;
  #written = comparable([]);

  constructor(memory: NamedMemory) {
    this.#memory = memory;
  }

  async recall(): Promise<readonly Waiting[]> {
    const waiting = (await this.#memory.recall<readonly Waiting[]>(FILE)) ?? [];
    this.#written = comparable(waiting);
    return waiting;
  }

  async remember(places: readonly Waiting[]): Promise<void> {
    const waiting = places
      .filter(({ apart, awaited }) => apart !== undefined || awaited.length > 0)
      .map(({ base, apart, awaited }) => ({ base, apart, awaited }));
    const now = comparable(waiting);
    if (now === this.#written) return;
    await this.#memory.remember(FILE, waiting);
    this.#written = now;
  }
}

function comparable(waiting: readonly Waiting[]): string {
  return JSON.stringify(waiting, (name, value: unknown) =>
    name === "seen" && typeof value === "number" ? Math.floor(value / SEEN_MS) : value,
  );
}
