import type { Queryable } from "@chancery/postgres";
import { findUnfound, type Sought, soughtOf } from "../database/search-keys.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { judgeEntry } from "../domain/entry/logged-entry.ts";
import { changedIn } from "./ct-entries.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { Wrong } from "./wrong.ts";

interface Around {
  readonly report: Report;
  /** The log's rows, where they may be looked at. */
  readonly stored: { readonly db: Queryable; readonly name: string } | undefined;
  /** After a page of what is new, given what it took. */
  readonly breathe: (spentMs: number) => Promise<void>;
  /** After a page of what is looked at again. */
  readonly pause: (spentMs: number) => Promise<void>;
}

const PAGE = 256n;
const NEWEST = 100n;
const NO_DATABASE = "this auditor was not given the log's database";

/** The entries of a log one by one: each keeps to its own rules, and is found by what stands in it. */
export class EntryWatch {
  readonly #watch: LogWatch;
  readonly #around: Around;
  #next: bigint;
  /** Entries that should not be in the log. */
  readonly #invalid: Set<bigint>;
  /** By what the newest must be found: what stands in them does not change, so it is read once. */
  readonly #newest: { readonly index: bigint; readonly sought: readonly Sought[] }[] = [];
  /** The id of the log in the database. */
  #id: number | undefined;

  constructor(watch: LogWatch, around: Around) {
    this.#watch = watch;
    this.#around = around;
    this.#next = BigInt(watch.folder.cursor("entries") ?? 0);
    this.#invalid = new Set((watch.folder.cursor("invalid") ?? "").split(",").filter(Boolean).map(BigInt));
  }

  /** What came since the last time: signatures and all. */
  async checkNew(): Promise<void> {
    await this.#judge(`entries of ${this.#watch.log.name}`, async (findings) => {
      const { size } = this.#watch.proven;
      while (this.#next < size) {
        const started = performance.now();
        const end = min((this.#next / PAGE + 1n) * PAGE, size);
        const judged = await this.#read(this.#next, end, true);
        for (const { index, complaints } of judged) if (complaints.length > 0) this.#invalid.add(index);
        this.#next = end;
        if (this.#invalid.size > 0) await this.#watch.folder.setCursor("invalid", [...this.#invalid].join(","));
        await this.#watch.folder.setCursor("entries", String(end));
        await this.#around.breathe(performance.now() - started);
      }
      for (const index of this.#invalid) await findings.collect(() => this.#expectValid(index));
      return `${size} entries are canonical, and those whose signed bytes the log has verify with their own keys`;
    });
  }

  /** By what the newest entries must be found. */
  async checkNewestFound(): Promise<void> {
    const check = `newest in the index of ${this.#watch.log.name}`;
    const { stored } = this.#around;
    if (stored === undefined) return this.#around.report.unknown(check, NO_DATABASE);
    await this.#judge(check, async (findings) => {
      const { size } = this.#watch.proven;
      this.#id ??= (await findStoredTree(stored.db, stored.name)).id;
      for (let next = this.#newest.at(-1)?.index ?? size - NEWEST - 1n; ++next < size;) {
        if (next < 0n) continue;
        const page = await this.#read(next, min((next / PAGE + 1n) * PAGE, size), false);
        this.#newest.push(...page.map(({ index, texts }) => ({ index, sought: soughtOf(index, texts) })));
        next = page.at(-1)?.index ?? size;
      }
      this.#newest.splice(0, Math.max(0, this.#newest.length - Number(NEWEST)));
      const sought = this.#newest.flatMap((entry) => entry.sought);
      this.#expectFound(await findUnfound(stored.db, this.#id, sought), findings);
      return `the newest ${this.#newest.length} entries are found by what stands in them`;
    });
  }

  /** By what all must be found, at its own pace. */
  async checkAllFound(): Promise<void> {
    const check = `index of ${this.#watch.log.name}`;
    const { stored, pause } = this.#around;
    if (stored === undefined) return this.#around.report.unknown(check, NO_DATABASE);
    await this.#judge(check, async (findings) => {
      const { size } = this.#watch.proven;
      this.#id ??= (await findStoredTree(stored.db, stored.name)).id;
      for (let next = 0n; next < size; next = min((next / PAGE + 1n) * PAGE, size)) {
        const started = performance.now();
        const id = this.#id;
        await findings.collect(async () => {
          const judged = await this.#read(next, min((next / PAGE + 1n) * PAGE, size), false);
          const sought = judged.flatMap(({ index, texts }) => soughtOf(index, texts));
          this.#expectFound(await findUnfound(stored.db, id, sought), findings);
        });
        await pause(performance.now() - started);
      }
      return `all ${size} entries are found by what stands in them`;
    });
  }

  #expectFound(unfound: Awaited<ReturnType<typeof findUnfound>>, findings: Findings): void {
    for (const { index, text } of unfound) {
      const what = `entry ${index} of ${this.#watch.log.name} is not found by ${text}`;
      findings.add(new Wrong("changed-index", what, { index: String(index), text }));
    }
  }

  /** What is in the log stays there, and so does what is said of it. */
  async #expectValid(index: bigint): Promise<void> {
    const [judged] = await this.#read(index, index + 1n, true);
    if (judged === undefined || judged.complaints.length === 0) return;
    const what = `entry ${index} of ${this.#watch.log.name} ${judged.complaints.join("; ")}`;
    const entry = Buffer.from(judged.leaf).toString("base64");
    throw new Wrong("invalid-entry", what, { index: String(index), entry, all: [...this.#invalid].map(String) });
  }

  /** Of [first, end), which lie in one tile: bound to the proven tree by their leaf hashes. */
  async #read(first: bigint, end: bigint, verify: boolean) {
    const { main, proven } = this.#watch;
    const leaves = await main.leaves.read(first, end);
    await proven.expectLeaves(first, end, leaves, main);
    return leaves.map((leaf, at) => Object.assign(judgeEntry(leaf, { verify }), { index: first + BigInt(at), leaf }));
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#around.report,
      couldNot: `entries of ${this.#watch.log.name} could not be read`,
      wrongOf: (difference) => changedIn(this.#watch.log.name, difference),
      goneBack: () => this.#watch.goneBack(),
    });
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
