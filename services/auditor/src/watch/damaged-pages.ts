import { Findings } from "./findings.ts";
import type { Wrong } from "./wrong.ts";

/** Pages that are remembered to be damaged, by their numbers; those beyond are found by the next round. */
const MOST_PAGES = 10_000;
/** Pages of which it is remembered what was wrong, and how much. */
const MOST_DETAILED = 100;
const MOST_OF_A_PAGE = 10;
/** Of those that were damaged, so many are looked at again with each look. */
const AGAIN = 8;

type Judge = (page: bigint, findings: Findings) => Promise<void>;

/**
 * What a round through pages found, and goes on behind: a page that was damaged is so until it was looked at and is not, over
 * a restart too. `save` MUST make it durable.
 */
export class DamagedPages {
  /** The one that was looked at longest ago first. */
  readonly #pages: Map<bigint, { readonly wrong: readonly Wrong[]; readonly more: number } | undefined>;
  readonly #save: (pages: string) => Promise<void>;

  constructor(remembered: string | undefined, save: (pages: string) => Promise<void>) {
    const pages = (remembered ?? "").split(",").filter(Boolean).map(BigInt);
    this.#pages = new Map(pages.map((page) => [page, undefined]));
    this.#save = save;
  }

  has(page: bigint): boolean {
    return this.#pages.has(page);
  }

  /** Looks at these, and then again at some of those that were damaged; all that is known to be wrong is found then. */
  async look(pages: readonly bigint[], findings: Findings, judge: Judge): Promise<void> {
    const again = [...this.#pages.keys()].slice(0, AGAIN);
    for (const page of new Set([...pages, ...again])) await this.#judge(page, findings, judge);
    for (const found of this.#pages.values()) {
      for (const wrong of found?.wrong ?? []) findings.add(wrong);
      // Of one that was not looked at since the start it is known that something was wrong.
      findings.addMore(found === undefined ? 1 : found.more);
    }
  }

  async #judge(page: bigint, findings: Findings, judge: Judge): Promise<void> {
    const own = findings.ofPart();
    await own.collect(() => judge(page, own));
    const isSound = own.count === 0 && own.refused === undefined;
    const isNew = !this.#pages.delete(page);
    if (!isSound && (!isNew || this.#pages.size < MOST_PAGES)) {
      const wrong = own.first(this.#detailed() < MOST_DETAILED ? MOST_OF_A_PAGE : 0);
      this.#pages.set(page, { wrong, more: own.count - wrong.length });
    }
    if (own.refused !== undefined) findings.refuse(own.refused);
    if (isSound !== isNew) await this.#save([...this.#pages.keys()].join(","));
  }

  #detailed(): number {
    return [...this.#pages.values()].filter((found) => found !== undefined && found.wrong.length > 0).length;
  }
}
