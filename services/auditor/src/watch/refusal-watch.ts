import { counted } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import { earliestAfter, newestRefusal, readRefusals, type RefusalPage } from "../database/refusals.ts";
import type { Report } from "../domain/alarm.ts";
import type { NamedMemory } from "../domain/named-memory.ts";
import { DamagedPages } from "./damaged-pages.ts";
import { type Findings, judgeAll } from "./findings.ts";
import { Wrong } from "./wrong.ts";

const CHECK = "refusals";
const FILE = "refusals";
const DAMAGED_FILE = "damaged-refusals";
const PAGE = 1_024;
/** Who writes has committed by then, or never will: twice what PostgreSQL lets a statement take. A power cut takes less. */
const SETTLED_MS = 60_000;

interface Around {
  readonly db: Queryable;
  readonly report: Report;
  readonly memory: NamedMemory;
  /** Milliseconds that nobody can set. */
  readonly elapsed: () => number;
}

/** As it is remembered: JSON knows no bigint. */
interface StoredPage {
  readonly after: string;
  readonly last: string;
  readonly times: readonly [string, string];
  readonly count: number;
  readonly hash: string;
}

/**
 * What the CA refused, as it was when it was seen first. No log and no certificate holds a refusal, so that whoever deletes
 * one leaves nothing that anybody could derive it from: only who remembers it can tell. Places that are missing are no
 * sign, for a transaction that failed leaves a gap too.
 */
export class RefusalWatch {
  readonly #around: Around;
  #pages: readonly RefusalPage[] | undefined;
  #next = 0;
  /** All up to this place will be settled. */
  #awaited: { readonly place: bigint; readonly until: bigint; readonly at: number } | undefined;

  constructor(around: Around) {
    this.#around = around;
  }

  async check(): Promise<void> {
    await judgeAll(CHECK, (findings) => this.#look(findings), {
      report: this.#around.report,
      couldNot: "the CA's refusals could not be read",
      wrongOf: ({ message }) => new Wrong("lost-refusals", message),
      goneBack: async () => undefined,
    });
  }

  /** All pages. */
  async checkAll(): Promise<void> {
    const pages = await this.#remembered();
    for (const _ of pages) await this.check();
  }

  async #look(findings: Findings): Promise<string> {
    const pages = await this.#remembered();
    const damaged = (this.#damaged ??= new DamagedPages(
      await this.#around.memory.recall<string>(DAMAGED_FILE),
      (numbers) => this.#around.memory.remember(DAMAGED_FILE, numbers),
    ));
    this.#next = this.#next < pages.length - 1 ? this.#next : 0;
    const looked = pages.length === 0 ? [] : [this.#next++, pages.length - 1];
    await damaged.look(looked.map(BigInt), findings, async (number) => {
      const page = pages[Number(number)];
      if (page !== undefined) await this.#expect(page);
    });
    await this.#grow(pages, damaged.has(BigInt(pages.length - 1)));
    const count = (this.#pages ?? []).reduce((sum, page) => sum + page.count, 0);
    return `the rows of ${counted(count, "refusal")} are remembered, and those that were looked at are what they were`;
  }
  #damaged: DamagedPages | undefined;

  async #expect(page: RefusalPage): Promise<void> {
    const found = await readRefusals(this.#around.db, page, PAGE + 1);
    if (found?.hash === page.hash) return;
    const [first, last] = page.times.map((time) => new Date(Number(time)).toISOString());
    const there = found?.count ?? 0;
    const how = there === page.count ? "one is other than it was" : `${there} are there`;
    const what = `of ${counted(page.count, "row")} of refusals from ${first} to ${last}, ${how}`;
    throw new Wrong("lost-refusals", what, { remembered: page, found }, `refusals after ${page.after}`);
  }

  /** Takes in what was there a minute ago: nothing is added to a newest page that is not what it was. */
  async #grow(pages: readonly RefusalPage[], isDamaged: boolean): Promise<void> {
    const { db, elapsed } = this.#around;
    const awaited = this.#awaited;
    const isSettled = awaited !== undefined && elapsed() - awaited.at >= SETTLED_MS;
    if (awaited !== undefined && !isSettled) return;
    if (awaited !== undefined) await this.#take(pages, awaited, isDamaged);
    const newest = (await this.#remembered()).at(-1);
    const next = await newestRefusal(db, earliestAfter(newest?.times[1] ?? 0n));
    this.#awaited = next && { ...next, at: elapsed() };
  }

  async #take(
    pages: readonly RefusalPage[],
    { place, until }: { readonly place: bigint; readonly until: bigint },
    isDamaged: boolean,
  ) {
    const newest = pages.at(-1);
    const isFull = newest === undefined || newest.count >= PAGE || isDamaged;
    const after = isFull ? (newest?.last ?? -1n) : newest.after;
    const first = earliestAfter((isFull ? newest?.times[1] : newest.times[0]) ?? 0n);
    const page = await readRefusals(this.#around.db, { after, last: place, times: [first, until] }, PAGE);
    if (page === undefined || page.hash === newest?.hash) return;
    this.#pages = [...(isFull ? pages : pages.slice(0, -1)), page];
    await this.#around.memory.remember(FILE, this.#pages);
  }

  async #remembered(): Promise<readonly RefusalPage[]> {
    this.#pages ??= ((await this.#around.memory.recall<readonly StoredPage[]>(FILE)) ?? []).map(
      ({ after, last, times: [from, until], count, hash }) => ({
        after: BigInt(after),
        last: BigInt(last),
        times: [BigInt(from), BigInt(until)],
        count,
        hash,
      }),
    );
    return this.#pages;
  }
}
