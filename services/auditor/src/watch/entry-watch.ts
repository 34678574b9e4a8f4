import { counted, countedEntries } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import { findUnfound, type Sought, soughtOf } from "../database/search-keys.ts";
import { findStoredTree } from "../database/stored-log.ts";
import type { Report } from "../domain/alarm.ts";
import { judgeEntry } from "../domain/entry/logged-entry.ts";
import type { Refused } from "../public/http-log.ts";
import { type Bad, BadEntries } from "./bad-entries.ts";
import { changedIn, isAt } from "./ct-entries.ts";
import { endOfPage, PAGE } from "./entry-pages.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { type Pause, Rounds } from "./rounds.ts";
import { Wrong } from "./wrong.ts";

interface Around {
  readonly report: Report;
  /** The log's rows, where they may be looked at. */
  readonly stored: { readonly db: Queryable; readonly name: string } | undefined;
  /** After a page of what is new, given what it took. */
  readonly breathe: (spentMs: number) => Promise<void>;
  /** After a page of what is looked at again. */
  readonly pause: Pause;
}

const NEWEST = 100n;
const NO_DATABASE = "this auditor was not given the log's database";

interface Judged {
  readonly index: bigint;
  /** By what it must be found. */
  readonly texts: readonly string[];
  readonly wrong: Wrong | undefined;
}

/** The entries of a log one by one: each keeps to its own rules, and is found by what stands in it. */
export class EntryWatch {
  readonly #watch: LogWatch;
  readonly #around: Around;
  #next: bigint;
  /** Entries that should not be in the log, or were others than was proven when they were read. */
  readonly #bad: BadEntries;
  /** By what the newest must be found: what stands in them does not change, so it is read once. */
  readonly #newest: { readonly index: bigint; readonly sought: readonly Sought[] }[] = [];
  readonly #rounds: Rounds;
  /** The id of the log in the database. */
  #id: number | undefined;

  constructor(watch: LogWatch, around: Around) {
    this.#watch = watch;
    this.#around = around;
    const { report, pause } = around;
    this.#rounds = new Rounds({ check: `index of ${watch.log.name}`, report, pause });
    this.#next = BigInt(watch.folder.cursor("entries") ?? 0);
    this.#bad = new BadEntries(watch.folder.cursor("invalid"));
  }

  /** What came since the last time, signatures and all; then some of what was bad. */
  async checkNew(): Promise<void> {
    await this.#judge(`entries of ${this.#watch.log.name}`, async (findings) => {
      const first = this.#next;
      try {
        await this.#judgeNew(findings);
        await this.#judgeBad(findings);
      } finally {
        this.#bad.tell(findings, first);
      }
      return `${counted(this.#next, "entry is", "entries are")} canonical, and those whose signed bytes the log has verify with their own keys`;
    });
  }

  async #judgeNew(findings: Findings): Promise<void> {
    const { size } = this.#watch.proven;
    while (this.#next < size) {
      const started = performance.now();
      const end = endOfPage(this.#next, size);
      const { bad, refused } = await this.#badIn(this.#next, end, () => true, findings);
      this.#bad.add(bad);
      this.#next = end;
      await this.#rememberBad();
      await this.#watch.folder.setCursor("entries", String(end));
      if (refused !== undefined) findings.refuse(refused);
      await this.#around.breathe(performance.now() - started);
    }
  }

  /** What is in the log stays there, and so does what is said of it; what was another than was proven may be mended. */
  async #judgeBad(findings: Findings): Promise<void> {
    for (const [at, page] of this.#bad.again.entries()) {
      // One at least: a log that grows all the time would keep a page that was refused once from being judged for ever.
      if (at > 0 && this.#next < this.#watch.proven.size) break;
      const started = performance.now();
      const end = endOfPage(page * PAGE, this.#watch.proven.size);
      const { bad, refused } = await this.#badIn(page * PAGE, end, this.#bad.ofPage(page), findings);
      if (refused === undefined) this.#bad.replace(page, bad);
      else this.#bad.postpone(page);
      if (refused !== undefined) findings.refuse(refused);
      await this.#around.breathe(performance.now() - started);
    }
    await this.#rememberBad();
  }

  async #rememberBad(): Promise<void> {
    await this.#watch.folder.setCursor("invalid", String(this.#bad));
  }

  /** What is bad of those of a page that are `asked` for. One that cannot be read, or held against what was proven, is bad as a whole. */
  async #badIn(
    first: bigint,
    end: bigint,
    asked: (index: bigint) => boolean,
    findings: Findings,
  ): Promise<{ readonly bad: readonly Bad[]; readonly refused: Refused | undefined }> {
    const part = findings.ofPart();
    let judged: readonly Judged[] = [];
    const isRead = await part.collect(async () => void (judged = await this.#read(first, end, asked)));
    const { refused } = part;
    if (!isRead) return { bad: [{ first, end, found: refused ?? part.first(1)[0] }], refused };
    const wrong = judged.filter((one) => one.wrong !== undefined && asked(one.index));
    return { bad: wrong.map(({ index, wrong: found }) => ({ first: index, end: index + 1n, found })), refused };
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
        const end = endOfPage(next, size);
        const page = await this.#readPage(next, end, findings);
        this.#newest.push(...page.map(({ index, texts }) => ({ index, sought: soughtOf(index, texts) })));
        next = end - 1n;
      }
      this.#newest.splice(0, Math.max(0, this.#newest.length - Number(NEWEST)));
      const sought = this.#newest.flatMap((entry) => entry.sought);
      this.#expectFound(await findUnfound(stored.db, this.#id, sought), findings);
      return `each of the newest ${countedEntries(this.#newest.length)} is found by what stands in it`;
    });
  }

  /** By what all must be found, at its own pace. What it found is told before it rests. */
  async checkAllFound(): Promise<void> {
    const check = `index of ${this.#watch.log.name}`;
    const { stored, pause } = this.#around;
    if (stored === undefined) return this.#around.report.unknown(check, NO_DATABASE);
    let spentMs = 0;
    const round = async (findings: Findings) => {
      this.#rounds.begin(findings);
      const { size } = this.#watch.proven;
      this.#id ??= (await findStoredTree(stored.db, stored.name)).id;
      for (let next = 0n; next < size; next = endOfPage(next, size)) {
        const started = performance.now();
        const id = this.#id;
        const end = endOfPage(next, size);
        const judged = await this.#readPage(next, end, findings);
        for (const { wrong } of judged) if (wrong !== undefined) findings.add(wrong);
        const sought = judged.flatMap(({ index, texts }) => soughtOf(index, texts));
        this.#expectFound(await findUnfound(stored.db, id, sought), findings);
        spentMs = performance.now() - started;
        if (end < size)
          await this.#rounds.rest(spentMs, `${end} of ${size} entries are found by what stands in them`, findings);
      }
      this.#rounds.end();
      return `every one of ${countedEntries(size)} is found by what stands in it`;
    };
    await this.#judge(check, round, true);
    await pause(spentMs, false);
  }

  #expectFound(unfound: Awaited<ReturnType<typeof findUnfound>>, findings: Findings): void {
    for (const { index, text } of unfound) {
      const what = `entry ${index} of ${this.#watch.log.name} is not found by ${text}`;
      findings.add(new Wrong("changed-index", what, { index: String(index), text }));
    }
  }

  /** One that cannot be read, or held against what was proven, is a finding, and no end. */
  async #readPage(first: bigint, end: bigint, findings: Findings): Promise<readonly Judged[]> {
    let judged: readonly Judged[] = [];
    await findings.collect(async () => void (judged = await this.#read(first, end)));
    return judged;
  }

  /** Of [first, end), which lie in one tile: bound to the proven tree by their leaf hashes. */
  async #read(first: bigint, end: bigint, verify: (index: bigint) => boolean = () => false): Promise<Judged[]> {
    const { main, proven, log } = this.#watch;
    const leaves = await main.leaves.read(first, end);
    const changed = await proven.changedLeaves(first, end, leaves, main);
    return Array.from({ length: Number(end - first) }, (_, at): Judged => {
      const [index, leaf] = [first + BigInt(at), leaves[at]];
      const difference = changed.find(({ place }) => isAt(place, index));
      if (difference !== undefined) return { index, texts: [], wrong: changedIn(log.name, difference) };
      const { texts, complaints } = judgeEntry(leaf ?? new Uint8Array(), { verify: verify(index) });
      if (complaints.length === 0) return { index, texts, wrong: undefined };
      const what = `entry ${index} of ${log.name} ${complaints.join("; ")}`;
      const evidence = { index: String(index), entry: Buffer.from(leaf ?? []).toString("base64") };
      return { index, texts, wrong: new Wrong("invalid-entry", what, evidence, `${log.name} entry ${index}`) };
    });
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>, isRound = false): Promise<void> {
    await judgeAll(check, work, {
      isRound,
      report: this.#around.report,
      couldNot: `entries of ${this.#watch.log.name} could not be read`,
      wrongOf: (difference) => changedIn(this.#watch.log.name, difference),
      goneBack: () => this.#watch.goneBack(),
    });
  }
}
