import { isTexts } from "../domain/json-member.ts";
import type { NamedMemory } from "../domain/named-memory.ts";

const FILE = "canary-keys";
/** Of 18 hours, a round a minute: further back nobody looks for the newest entries. 40 kB. */
const MOST = 1_100;
/** Half of a fingerprint: a key that has the same half as one of these takes 2^117 tries. */
const DIGITS = 32;

/**
 * By which keys the canary signed. A name says nothing: whoever can get a certificate in the canary's, or brings one of
 * another authority, could be left out with it where pages leave out the canary. Each round has a key of its own, and
 * nobody else has it.
 */
export class CanaryKeys {
  readonly #memory: NamedMemory;
  #keys: Promise<readonly string[]> | undefined;

  constructor(memory: NamedMemory) {
    this.#memory = memory;
  }

  /** The first digits of the SHA-256 of each public key, the newest first. */
  newest(): Promise<readonly string[]> {
    // What is damaged leaves nothing out, and is written anew.
    this.#keys ??= this.#memory.recall<unknown>(FILE).then(
      (kept) => (isTexts(kept) ? kept : []),
      () => [],
    );
    return this.#keys;
  }

  /** MUST be done before the key is shown to anyone. */
  async add(fingerprint: string): Promise<void> {
    const keys = [fingerprint.slice(0, DIGITS), ...(await this.newest())].slice(0, MOST);
    this.#keys = Promise.resolve(keys);
    await this.#memory.remember(FILE, keys);
  }
}
