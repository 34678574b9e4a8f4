import type { KeyObject } from "node:crypto";
import type { Queryable } from "@chancery/postgres";
import type { Report } from "../domain/alarm.ts";
import type { Certificate } from "../domain/certificate/certificate.ts";
import {
  certificateMatches,
  type CtEntry,
  embeddedScts,
  isChainOf,
  precertificateMatches,
} from "../domain/certificate/ct-entry.ts";
import { type LeafForm, lintLeaf } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import type { Way } from "../public/http-log.ts";
import {
  evidenceOf,
  formatPlace,
  type LedgerPlace,
  type LedgerRow,
  nameOf,
  parsePlace,
  readLedger,
  readLedgerRow,
  serialsInLedger,
  START,
  timeOf,
  unsigned,
} from "../database/ledger.ts";
import { CHECKS } from "./certificate-checks.ts";
import { changedIn, CtEntries } from "./ct-entries.ts";
import { type Findings, judgeAll } from "./findings.ts";
import type { LogWatch } from "./log-watch.ts";
import { digestOf, judgeColumns, judgeScts, judgeTime, readRow } from "./ledger-row-check.ts";
import { Unchecked, Wrong } from "./wrong.ts";
import type { PromisedCertificates } from "./promised-certificates.ts";

/** The CA's own chains, the issuing certificate first, by which its leaves are told from those of others. */
export type Authorities = () => readonly (readonly Certificate[])[];

interface Around {
  readonly way: Way;
  /** Where the CA shows its certificates: to this log, to another's, to none. */
  readonly ctLog: "own" | "other" | "none";
  readonly report: Report;
  readonly now: () => number;
  /** Undefined: the ledger cannot be looked at. */
  readonly db: Queryable | undefined;
  readonly authorities: Authorities;
  readonly promised: PromisedCertificates;
  readonly federatedIssuers: readonly string[];
  /** Between two pages of what is looked at again, given what one took. */
  readonly pause: (spentMs: number) => Promise<void>;
  /** The same in the ledger, which is gone through again and again. */
  readonly pauseInLedger: (spentMs: number) => Promise<void>;
}

const PAGE = 256n;
const LEDGER_PAGE = 200;
/** Of a larger ledger the others are judged anew each time: some 12 MB. */
const MOST_GOOD = 50_000;
const MOST_BAD = 10_000;
/** The ledger follows the CT log by some milliseconds; a busy database may take its time. */
const LEDGER_GRACE_MS = 60_000;
const TOLD_MS = 86_400_000;
/** A cache in front of the log may be so far behind. */
const EARLY_MS = 6_000;
/** For what is new in the log: the rest comes with the next look. */
const LOOK_MS = 5_000;

/**
 * The CA's ledger and the CT log are the same set: every certificate was shown to the log before it left, byte for byte but
 * for the SCT, and the log holds none of the CA that it does not know of. And each is what the profile says.
 */
export class CertificateWatch {
  readonly #watch: LogWatch;
  readonly #ctKey: readonly KeyObject[];
  readonly #around: Around;
  readonly #entries: CtEntries;
  /** CT entries below it were looked at, ledger rows up to it. */
  #next: bigint;
  #ledger: LedgerPlace;
  /** Those below that were judged bad are looked at again: CT entries, and ledger rows by their places. */
  readonly #badEntries: Set<bigint>;
  readonly #badRows: Set<string>;
  /** Those that were alarms for a day: a crash leaves one for ever, and it is told once. */
  readonly #told: Set<bigint>;
  /** What the last page of entries took. */
  #spentMs = 0;
  /** The rows that were judged good, by place: one that reads the same is judged the same, for what its entry is never changes. */
  readonly #good = new Map<string, string>();
  /** Precertificates whose ledger row had not come yet: index and since when. */
  readonly #awaited = new Map<bigint, { serial: Uint8Array; since: number }>();

  constructor(watch: LogWatch, around: Around) {
    this.#watch = watch;
    this.#ctKey = watch.log.identity.keys;
    this.#around = around;
    this.#entries = new CtEntries(watch, around.way);
    this.#next = BigInt(watch.folder.cursor("certificates") ?? 0);
    this.#ledger = parsePlace(watch.folder.cursor("ledger"));
    const kept = (name: string) => (watch.folder.cursor(name) ?? "").split(",").filter(Boolean);
    this.#told = new Set(kept("unledgered").map(BigInt));
    this.#badEntries = new Set(kept("bad certificates").map(BigInt));
    this.#badRows = new Set(kept("bad rows"));
  }

  /** What is new since the last time. */
  async checkNew(): Promise<void> {
    await this.#judge(CHECKS.newLogged, (findings) => this.#checkLog(false, findings));
    await this.#judgeLedger(CHECKS.newLedgered, false);
  }

  /** All that there are, at its own pace. What it found is told before it rests. */
  async checkAllLogged(): Promise<void> {
    await this.#judge(CHECKS.allLogged, (findings) => this.#checkLog(true, findings));
    await this.#around.pause(this.#spentMs);
  }

  async checkAllLedgered(): Promise<void> {
    await this.#judgeLedger(CHECKS.allLedgered, true);
  }

  async #judgeLedger(check: string, whole: boolean): Promise<void> {
    const { db, report } = this.#around;
    if (db === undefined) report.unknown(check, "this auditor was not given the CA's database");
    else await this.#judge(check, (findings) => this.#checkLedger(db, whole, findings));
  }

  async #checkLog(whole: boolean, findings: Findings): Promise<string> {
    const due = whole ? [] : this.#around.promised.due(this.#around.now());
    // So that what follows is of a look that began when they were due.
    if (due.length > 0) await this.#watch.pass(LOOK_MS);
    const { size } = this.#watch.proven;
    if (!whole) await this.#judgeBadEntries(findings);
    let next = whole ? 0n : this.#next;
    while (next < size) {
      const started = performance.now();
      const end = min((next / PAGE + 1n) * PAGE, size);
      const entries = await this.#readPage(next, end, findings);
      for (const [at, entry] of entries.entries()) {
        const index = next + BigInt(at);
        if (!whole) this.#seen(entry);
        if (await findings.collect(() => this.#judgeEntry(index, entry), this.#entrySubject(index))) continue;
        this.#addBad(index, index + 1n);
      }
      await this.#expectLedgered(next, entries);
      next = end;
      this.#spentMs = performance.now() - started;
      if (whole && next < size) await this.#around.pause(this.#spentMs);
      if (!whole) await this.#rememberEntries(next);
    }
    await this.#judgeAwaited(findings);
    if (due.length > 0 && this.#watch.isCurrent) this.#around.promised.judge(findings, this.#around.now());
    this.#requireAbreast(`${size} precertificates were checked`);
    return `${size} precertificates correspond to their leaves and keep to the profile`;
  }

  async #judgeBadEntries(findings: Findings): Promise<void> {
    const pages = new Set([...this.#badEntries].map((index) => index / PAGE));
    for (const page of pages) {
      const first = page * PAGE;
      const entries = await this.#readPage(first, min(first + PAGE, this.#watch.proven.size), findings);
      for (const [at, entry] of entries.entries()) {
        const index = first + BigInt(at);
        if (!this.#badEntries.has(index)) continue;
        const isGood = await findings.collect(() => this.#judgeEntry(index, entry), this.#entrySubject(index));
        if (!isGood) continue;
        this.#seen(entry);
        this.#badEntries.delete(index);
      }
    }
  }

  #seen(entry: CtEntry | Wrong): void {
    if (!(entry instanceof Wrong) && entry.tbs !== undefined) this.#around.promised.seen(entry.tbs);
  }

  /** One that cannot be read, or held against what was proven, is a finding, and no end: all of it counts as bad. */
  async #readPage(first: bigint, end: bigint, findings: Findings): Promise<readonly (CtEntry | Wrong)[]> {
    let entries: readonly (CtEntry | Wrong)[] = [];
    const isRead = await findings.collect(async () => void (entries = await this.#entries.read(first, end)));
    if (!isRead) this.#addBad(first, end);
    return entries;
  }

  /** Of more the round through all tells. */
  #addBad(first: bigint, end: bigint): void {
    for (let index = first; index < end && this.#badEntries.size < MOST_BAD; index++) this.#badEntries.add(index);
  }

  #entrySubject(index: bigint): string {
    return `${this.#watch.log.name} certificate ${index}`;
  }

  /** What was judged bad first: a crash in between judges it once more. */
  async #rememberEntries(next: bigint): Promise<void> {
    const { folder } = this.#watch;
    await folder.setCursor("bad certificates", [...this.#badEntries].join(","));
    await folder.setCursor("certificates", String((this.#next = next)));
  }

  #judgeEntry(index: bigint, entry: CtEntry | Wrong): void {
    if (entry instanceof Wrong) throw entry;
    const issuer = this.#issuerOf(entry.certificate);
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
    this.#lint(`the precertificate at ${index} of the CT log`, entry.certificate, "precertificate", issuer, evidence);
  }

  #lint(name: string, certificate: Certificate, form: LeafForm, issuer: Certificate, evidence: object): void {
    const complaints = lintLeaf(certificate, form, issuer);
    if (complaints.length === 0) return;
    throw new Wrong("certificate-profile", `${name} ${complaints.join("; ")}`, evidence);
  }

  #issuerOf({ issuer }: Certificate): Certificate | undefined {
    const issuing = this.#around.authorities().flatMap((chain) => chain.slice(0, 1));
    return issuing.find(({ subject }) => Buffer.compare(subject, issuer) === 0);
  }

  /** Those of our CA that the ledger does not know are waited for. */
  async #expectLedgered(first: bigint, entries: readonly (CtEntry | Wrong)[]): Promise<void> {
    const { db, now } = this.#around;
    if (db === undefined) return;
    const ours = entries.flatMap((entry, at) => {
      if (entry instanceof Wrong) return [];
      const { certificate, tbs } = entry;
      const isOurs = tbs !== undefined && this.#issuerOf(certificate) !== undefined;
      return isOurs ? [{ index: first + BigInt(at), serial: certificate.serial }] : [];
    });
    const known = await serialsInLedger(
      db,
      ours.map(({ serial }) => serial),
    );
    for (const { index, serial } of ours) {
      if (known.has(unsigned(serial))) continue;
      if (this.#awaited.has(index) || this.#told.has(index)) continue;
      this.#awaited.set(index, { serial, since: now() });
    }
  }

  async #judgeAwaited(findings: Findings): Promise<void> {
    const { db, now } = this.#around;
    if (db === undefined || this.#awaited.size === 0) return;
    const known = await serialsInLedger(
      db,
      [...this.#awaited.values()].map(({ serial }) => serial),
    );
    for (const [index, { serial, since }] of this.#awaited) {
      const age = now() - since;
      if (known.has(unsigned(serial)) || age > TOLD_MS) this.#awaited.delete(index);
      if (age > TOLD_MS) await this.#keepTold(index);
      if (this.#awaited.has(index) && age > LEDGER_GRACE_MS) {
        const what = `CT entry ${index} is a precertificate of our CA (serial ${serial.toHex()}) that the ledger does not hold`;
        const evidence = { ctIndex: String(index), serial: serial.toHex() };
        findings.add(new Wrong("unledgered-certificate", what, evidence, this.#entrySubject(index)));
      }
    }
  }

  async #keepTold(index: bigint): Promise<void> {
    this.#told.add(index);
    await this.#watch.folder.setCursor("unledgered", [...this.#told].join(","));
  }

  async #checkLedger(db: Queryable, whole: boolean, findings: Findings): Promise<string> {
    if (!whole) await this.#judgeBadRows(db, findings);
    let place = whole ? START : this.#ledger;
    let count = 0;
    for (;;) {
      const started = performance.now();
      const rows = await readLedger(db, place, LEDGER_PAGE);
      // Read before the look that must show their entries: on a busy machine minutes may lie between two.
      if (rows.some((row) => this.#isAhead(row))) await this.#watch.pass(LOOK_MS);
      const early = rows.findIndex((row) => this.#isEarly(row));
      const ready = early < 0 ? rows : rows.slice(0, early);
      await this.#judgeRows(ready, findings);
      count += ready.length;
      const last = ready.at(-1);
      if (last !== undefined) place = { time: last.time, serial: last.serial };
      if (!whole && last !== undefined) await this.#remember(place);
      if (ready.length < LEDGER_PAGE) break;
      if (whole) await this.#around.pauseInLedger(performance.now() - started);
    }
    this.#requireAbreast(`${count} rows were checked`);
    return whole
      ? `all ${count} rows correspond to the CT log`
      : `every row corresponds to the CT log, the newest of ${timeOf(place)}`;
  }

  /** What lies behind an alarm of the log itself is no alarm, a certificate at a time. */
  #requireAbreast(checked: string): void {
    const { obstacle } = this.#watch;
    if (obstacle !== undefined) throw new Unchecked(`${checked}; those behind are not: ${obstacle}`);
  }

  /** Its entry is in the log, and the tree head that covers it was not proven yet: that takes a moment. */
  #isEarly(row: LedgerRow): boolean {
    if (!this.#isAhead(row)) return false;
    return !this.#watch.isCurrent || Math.abs(this.#around.now() - Number(row.time)) < EARLY_MS;
  }

  #isAhead({ ctIndex }: LedgerRow): boolean {
    return ctIndex !== undefined && ctIndex >= this.#watch.proven.size;
  }

  async #judgeBadRows(db: Queryable, findings: Findings): Promise<void> {
    for (const text of this.#badRows) {
      const row = await readLedgerRow(db, parsePlace(text));
      if (row !== undefined) await this.#judgeRows([row], findings);
      // If it was of an entry, that one is not in the ledger now. If not, all there is of it is in the evidence.
      else this.#badRows.delete(text);
    }
  }

  async #judgeRows(rows: readonly LedgerRow[], findings: Findings): Promise<void> {
    const pages = new Map<bigint, (CtEntry | Wrong)[]>();
    for (const row of rows) {
      const [place, digest] = [formatPlace(row), digestOf(row)];
      if (this.#good.get(place) === digest) continue;
      const isGood = await findings.collect(() => this.#judgeRow(row, pages), `ledger row ${place}`);
      this.#good.delete(place);
      if (isGood && this.#good.size < MOST_GOOD) this.#good.set(place, digest);
      if (isGood) this.#badRows.delete(place);
      else this.#badRows.add(place);
    }
  }

  async #judgeRow(row: LedgerRow, pages: Map<bigint, (CtEntry | Wrong)[]>): Promise<void> {
    const [evidence, certificate] = [evidenceOf(row), readRow(row)];
    const issuer = this.#issuerOf(certificate);
    if (issuer === undefined) throw new Wrong("certificate-mismatch", `${nameOf(row)} is of another CA`, evidence);
    const { ctLog } = this.#around;
    // Another's log is another's to audit. That nobody can see a certificate comes before what is wrong with it.
    const isElsewhere = row.ctIndex === undefined && ctLog !== "own";
    const entry = isElsewhere ? undefined : await this.#entryOf(row, certificate, pages);
    const form = ctLog === "none" && embeddedScts(certificate).length === 0 ? "unlogged" : "certificate";
    this.#lint(nameOf(row), certificate, form, issuer, evidence);
    if (entry !== undefined) {
      judgeScts(row, certificate, { issuer, keys: this.#ctKey, entry });
      judgeTime(row, certificate, entry);
    }
    // Last: then the certificate is known to be the one that was issued.
    judgeColumns(row, certificate, this.#around.federatedIssuers);
  }

  async #entryOf(row: LedgerRow, certificate: Certificate, pages: Map<bigint, (CtEntry | Wrong)[]>): Promise<CtEntry> {
    const [{ ctIndex }, { size }] = [row, this.#watch.proven];
    const unlogged = (why: string) => new Wrong("unlogged-certificate", `${nameOf(row)} ${why}`, evidenceOf(row));
    if (ctIndex === undefined || ctIndex >= size) throw unlogged("names no entry of the CT log");
    const page = ctIndex / PAGE;
    const entries = pages.get(page) ?? (await this.#entries.read(page * PAGE, min((page + 1n) * PAGE, size)));
    pages.set(page, entries);
    const entry = entries[Number(ctIndex % PAGE)];
    if (entry instanceof Wrong && entry.trouble === "changed-entry") throw entry;
    if (entry !== undefined && !(entry instanceof Wrong) && certificateMatches(certificate, entry)) return entry;
    throw unlogged(`is not the one at ${ctIndex} of the CT log`);
  }

  async #remember(place: LedgerPlace): Promise<void> {
    this.#ledger = place;
    await this.#watch.folder.setCursor("bad rows", [...this.#badRows].join(","));
    await this.#watch.folder.setCursor("ledger", formatPlace(place));
  }

  async #judge(check: string, work: (findings: Findings) => Promise<string>): Promise<void> {
    await judgeAll(check, work, {
      report: this.#around.report,
      couldNot: "the CT log or the ledger could not be checked",
      wrongOf: (difference) => changedIn(this.#watch.log.name, difference),
      goneBack: () => this.#watch.goneBack(),
    });
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
