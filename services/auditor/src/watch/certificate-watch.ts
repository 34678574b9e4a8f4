import { join } from "node:path";
import { counted } from "@chancery/encoding";
import { type CtEntry, isChainOf, precertificateMatches } from "../domain/certificate/ct-entry.ts";
import { sha256 } from "../domain/merkle.ts";
import type { Refused } from "../public/http-log.ts";
import { AwaitedRows } from "./awaited-rows.ts";
import { type Bad, BadEntries } from "./bad-entries.ts";
import { type CertificateAround, issuerOf, requireAbreast } from "./certificate-around.ts";
import { certificateChecks } from "./certificate-checks.ts";
import { changedIn, CtEntries } from "./ct-entries.ts";
import { endOfPage, PAGE } from "./entry-pages.ts";
import { type Findings, judgeAll } from "./findings.ts";
import { judgeProfile } from "./ledger-row-check.ts";
import { LedgerWatch } from "./ledger-watch.ts";
import type { LogWatch } from "./log-watch.ts";
import { Rounds } from "./rounds.ts";
import { SeenRows } from "./seen-rows.ts";
import { Wrong } from "./wrong.ts";

/** For what is new in the log: the rest comes with the next look. */
const LOOK_MS = 5_000;

/**
 * The CA's ledger and the CT log are the same set: every certificate was shown to the log before it left, byte for byte but
 * for the SCT, and the log holds none of the CA that it does not know of. And each is what the profile says.
 */
export class CertificateWatch {
  readonly #watch: LogWatch;
  readonly #around: CertificateAround;
  readonly #checks: ReturnType<typeof certificateChecks>;
  readonly #entries: CtEntries;
  readonly #ledger: LedgerWatch;
  readonly #awaited: AwaitedRows;
  /** By which SCTs name the log. */
  readonly #logIds: ReadonlySet<string>;
  /** Entries below it were looked at. */
  #next: bigint;
  /** Those below that were judged bad are looked at again. */
  readonly #bad: BadEntries;
  readonly #rounds: Rounds;
  /** What the last page of entries took. */
  #spentMs = 0;

  constructor(watch: LogWatch, around: CertificateAround) {
    const { log, folder } = watch;
    this.#watch = watch;
    this.#around = around;
    this.#checks = certificateChecks(log.name);
    this.#entries = new CtEntries(watch, around.way);
    const seen = new SeenRows(join(folder.directory, "ledger"));
    this.#ledger = new LedgerWatch(watch, this.#entries, seen, around);
    this.#awaited = new AwaitedRows(folder, seen);
    const ids = log.identity.keys.map((key) => sha256(key.export({ type: "spki", format: "der" })).toHex());
    this.#logIds = new Set(ids);
    const { report, pause } = around;
    this.#rounds = new Rounds({ check: this.#checks.allLogged, report, pause });
    this.#next = BigInt(folder.cursor("certificates") ?? 0);
    this.#bad = new BadEntries(folder.cursor("bad certificates"));
  }

  /** What is new since the last time. */
  async checkNew(): Promise<void> {
    await this.#around.settled.endAlarms(this.#around.report);
    await this.#judge(this.#checks.newLogged, (findings) => this.#checkLog(false, findings));
    await this.#judgeLedger(this.#checks.newLedgered, false);
  }

  /** All that there are, at its own pace. What it found is told before it rests. */
  async checkAllLogged(): Promise<void> {
    await this.#judge(this.#checks.allLogged, (findings) => this.#checkLog(true, findings), true);
    await this.#around.pause(this.#spentMs, false);
  }

  async checkAllLedgered(): Promise<void> {
    await this.#judgeLedger(this.#checks.allLedgered, true);
  }

  async #judgeLedger(check: string, whole: boolean): Promise<void> {
    const { db, report } = this.#around;
    if (db === undefined) report.unknown(check, "this auditor was not given the CA's database");
    else await this.#judge(check, (findings) => this.#ledger.check(db, whole, findings), whole);
  }

  async #checkLog(whole: boolean, findings: Findings): Promise<string> {
    const { promised, now } = this.#around;
    const due = whole ? [] : await promised.due(now(), this.#logIds);
    // So that what follows is of a look that began when they were due.
    if (due.length > 0) await this.#watch.pass(LOOK_MS);
    const { size } = this.#watch.proven;
    if (whole) await this.#judgeAllEntries(size, findings);
    else await this.#judgeNewEntries(size, findings);
    const { db } = this.#around;
    if (db !== undefined) await this.#awaited.judge(db, now(), this.#watch.log.name, findings);
    if (due.length > 0 && this.#watch.isCurrent) await promised.judge(findings, now(), this.#logIds);
    requireAbreast(this.#watch, `${counted(size, "precertificate was", "precertificates were")} checked`);
    if (whole) this.#rounds.end();
    return `every one of ${counted(size, "precertificate")} corresponds to its leaf and keeps to the profile`;
  }

  async #judgeAllEntries(size: bigint, findings: Findings): Promise<void> {
    this.#rounds.begin(findings);
    for (let next = 0n; next < size;) {
      const started = performance.now();
      const end = endOfPage(next, size);
      const { entries, bad, refused } = await this.#judgePage(next, end, () => true, findings);
      this.#bad.add(bad);
      for (const { found } of bad) if (found instanceof Wrong) findings.add(found);
      if (refused !== undefined) findings.refuse(refused);
      await this.#read(entries, false);
      await this.#expectLedgered(next, entries);
      next = end;
      this.#spentMs = performance.now() - started;
      if (next < size)
        await this.#rounds.rest(this.#spentMs, `${next} of ${size} precertificates were checked`, findings);
    }
  }

  /** What came since the last time; then some of what was bad. */
  async #judgeNewEntries(size: bigint, findings: Findings): Promise<void> {
    const first = this.#next;
    try {
      while (this.#next < size) {
        const end = endOfPage(this.#next, size);
        const { entries, bad, refused } = await this.#judgePage(this.#next, end, () => true, findings);
        this.#bad.add(bad);
        await this.#read(entries, true);
        await this.#expectLedgered(this.#next, entries);
        await this.#rememberEntries(end);
        if (refused !== undefined) findings.refuse(refused);
      }
      for (const [at, page] of this.#bad.again.entries()) {
        // One at least: a log that grows all the time would keep a page that was refused once from being judged for ever.
        if (at > 0 && this.#next < this.#watch.proven.size) break;
        await this.#judgeAgain(page, findings);
      }
    } finally {
      this.#bad.tell(findings, first);
    }
    await this.#rememberEntries(this.#next);
  }

  async #judgeAgain(page: bigint, findings: Findings): Promise<void> {
    const end = endOfPage(page * PAGE, this.#watch.proven.size);
    const isBad = this.#bad.ofPage(page);
    const { entries, bad, refused } = await this.#judgePage(page * PAGE, end, isBad, findings);
    if (refused !== undefined) {
      this.#bad.postpone(page);
      return findings.refuse(refused);
    }
    const isGood = (at: number) => bad.every(({ first }) => first !== page * PAGE + BigInt(at));
    const mended = entries.filter((_, at) => isBad(page * PAGE + BigInt(at)) && isGood(at));
    this.#bad.replace(page, bad);
    await this.#read(mended, true);
    await this.#expectLedgered(page * PAGE, entries);
  }

  /** What was waited for is in the log. */
  async #read(entries: readonly (CtEntry | Wrong)[], isNew: boolean): Promise<void> {
    const logged = entries.flatMap((entry) => (entry instanceof Wrong || entry.tbs === undefined ? [] : [entry.tbs]));
    await this.#around.promised.seen(logged, isNew);
    await this.#around.promised.save();
    await this.#ledger.suspects.logged(logged);
    await this.#ledger.suspects.save();
  }

  /** What is bad of those of a page that are `asked` for. One that cannot be read, or held against what was proven, is bad as a whole. */
  async #judgePage(
    first: bigint,
    end: bigint,
    asked: (index: bigint) => boolean,
    findings: Findings,
  ): Promise<{
    readonly entries: readonly (CtEntry | Wrong)[];
    readonly bad: readonly Bad[];
    readonly refused: Refused | undefined;
  }> {
    const part = findings.ofPart();
    let entries: readonly (CtEntry | Wrong)[] = [];
    const isRead = await part.collect(async () => void (entries = await this.#entries.read(first, end)));
    const { refused } = part;
    if (!isRead) return { entries, bad: [{ first, end, found: refused ?? part.first(1)[0] }], refused };
    const bad: Bad[] = [];
    for (const [at, entry] of entries.entries()) {
      const index = first + BigInt(at);
      if (!asked(index)) continue;
      const own = findings.ofPart();
      if (await own.collect(() => this.#judgeEntry(index, entry), this.#entrySubject(index))) continue;
      bad.push({ first: index, end: index + 1n, found: own.first(1)[0] });
    }
    return { entries, bad, refused };
  }

  #entrySubject(index: bigint): string {
    return `${this.#watch.log.name} certificate ${index}`;
  }

  /** What was judged bad first: a crash in between judges it once more. */
  async #rememberEntries(next: bigint): Promise<void> {
    const { folder } = this.#watch;
    await folder.setCursor("bad certificates", String(this.#bad));
    await folder.setCursor("certificates", String((this.#next = next)));
  }

  #judgeEntry(index: bigint, entry: CtEntry | Wrong): void {
    if (entry instanceof Wrong) throw entry;
    const issuer = issuerOf(entry.certificate, this.#around.authorities());
    // Whoever has a certificate of the CA may submit it again, whole.
    if (entry.tbs === undefined || issuer === undefined) return;
    const evidence = { ctIndex: String(index), precertificate: Buffer.from(entry.certificate.der).toString("base64") };
    if (!precertificateMatches(entry)) {
      throw new Wrong("certificate-mismatch", `CT leaf ${index} is not of the precertificate beside it`, evidence);
    }
    if (Buffer.compare(entry.issuerKeyHash ?? new Uint8Array(), sha256(issuer.spki)) !== 0) {
      throw new Wrong("certificate-mismatch", `CT leaf ${index} names another issuer's key`, evidence);
    }
    if (!isChainOf(entry, issuer, this.#around.authorities())) {
      const what = `beside CT leaf ${index} stands another chain than the CA's`;
      throw new Wrong("certificate-mismatch", what, { ...evidence, chain: entry.chain.map((one) => one.toHex()) });
    }
    const name = `the precertificate at ${index} of the CT log`;
    judgeProfile(name, entry.certificate, "precertificate", issuer, evidence);
  }

  /** Those of our CA that the ledger does not know are waited for. */
  async #expectLedgered(first: bigint, entries: readonly (CtEntry | Wrong)[]): Promise<void> {
    const { db, now } = this.#around;
    if (db === undefined) return;
    const authorities = this.#around.authorities();
    const ours = entries.flatMap((entry, at) => {
      if (entry instanceof Wrong) return [];
      const { certificate, tbs, timestamp: time } = entry;
      const isOurs = tbs !== undefined && issuerOf(certificate, authorities) !== undefined;
      return isOurs ? [{ index: first + BigInt(at), serial: certificate.serial, time }] : [];
    });
    await this.#awaited.expect(db, ours, now());
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>, isRound = false): Promise<void> {
    await judgeAll(check, work, {
      isRound,
      report: this.#around.report,
      couldNot: "the CT log or the ledger could not be checked",
      wrongOf: (difference) => changedIn(this.#watch.log.name, difference),
      isSettled: ({ trouble, message }) => this.#around.settled.has(trouble, message),
      goneBack: () => this.#watch.goneBack(),
    });
  }
}
