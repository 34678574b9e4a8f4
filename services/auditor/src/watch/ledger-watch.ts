import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { counted } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import {
  evidenceOf,
  formatPlace,
  type LedgerPlace,
  type LedgerRow,
  nameOf,
  parsePlace,
  readLedger,
  readLedgerRow,
  readLedgerRowsOf,
  START,
  timeOf,
} from "../database/ledger.ts";
import type { Certificate } from "../domain/certificate/certificate.ts";
import { certificateMatches, type CtEntry, embeddedScts } from "../domain/certificate/ct-entry.ts";
import { type CertificateAround, issuerOf, requireAbreast } from "./certificate-around.ts";
import { certificateChecks } from "./certificate-checks.ts";
import type { CtEntries } from "./ct-entries.ts";
import { endOfPage, PAGE } from "./entry-pages.ts";
import type { Findings } from "./findings.ts";
import {
  digestOf,
  isOfPerson,
  judgeColumns,
  judgeProfile,
  judgeScts,
  judgeTime,
  namesIssuer,
  readRow,
} from "./ledger-row-check.ts";
import type { LogWatch } from "./log-watch.ts";
import { Rounds } from "./rounds.ts";
import { expectThere, type SeenPage, type SeenRows } from "./seen-rows.ts";
import { goneRow, type SuspectRow, SuspectRows } from "./suspect-rows.ts";
import { UnconfirmedIssuers } from "./unconfirmed-issuers.ts";
import { messageOf, Wrong } from "./wrong.ts";

const LEDGER_PAGE = 200;
/** Of a larger ledger the others are judged anew each time: some 12 MB. */
const MOST_GOOD = 50_000;
/** Of the CT log, kept for the rows that are judged together: some 20 MB. */
const MOST_PAGES = 32;
/** A cache in front of the log may be so far behind. */
const EARLY_MS = 6_000;
/** For what is new in the log: the rest comes with the next look. */
const LOOK_MS = 5_000;

/** What a row is judged with. */
interface RowContext {
  readonly digest: string;
  readonly seen: SeenPage;
  /** Of the CT log: each is asked for once. */
  readonly pages: Map<bigint, Promise<(CtEntry | Wrong)[]>>;
  /** Of a round through all. */
  readonly unconfirmed: UnconfirmedIssuers | undefined;
}

/** The CA's ledger: each row against the certificate in it, that against the CT log, and all against what was seen of it first. */
export class LedgerWatch {
  readonly #watch: LogWatch;
  readonly #ctKey: readonly KeyObject[];
  readonly #around: CertificateAround;
  readonly #entries: CtEntries;
  readonly #seen: SeenRows;
  readonly #startedAt: bigint;
  readonly #rounds: Rounds;
  /** Rows up to it were looked at. */
  #place: LedgerPlace;
  /** Those up to it that were judged bad: they are looked at again, and one that is gone is not forgotten. */
  readonly suspects: SuspectRows;
  /** The rows that were judged good, by place: one that reads the same is judged the same, for what its entry is never changes. */
  readonly #good = new Map<string, string>();

  constructor(watch: LogWatch, entries: CtEntries, seen: SeenRows, around: CertificateAround) {
    this.#watch = watch;
    this.#ctKey = watch.log.identity.keys;
    this.#around = around;
    this.#entries = entries;
    this.#seen = seen;
    this.#startedAt = BigInt(around.now());
    const { report, pauseInLedger: pause } = around;
    this.#rounds = new Rounds({ check: certificateChecks(watch.log.name).allLedgered, report, pause });
    this.#place = parsePlace(watch.folder.cursor("ledger"));
    this.suspects = new SuspectRows(join(watch.folder.directory, "suspects.json"));
  }

  async check(db: Queryable, whole: boolean, findings: Findings): Promise<string> {
    if (whole) this.#rounds.begin(findings);
    const suspects = whole ? [] : await this.suspects.all();
    const unconfirmed = whole ? new UnconfirmedIssuers() : undefined;
    let place = whole ? START : this.#place;
    let count = 0;
    for (;;) {
      const started = performance.now();
      const rows = await readLedger(db, place, LEDGER_PAGE);
      // Read before the look that must show their entries: on a busy machine minutes may lie between two.
      if (rows.some((row) => this.#isAhead(row))) await this.#watch.pass(LOOK_MS);
      const early = rows.findIndex((row) => this.#isEarly(row));
      const ready = early < 0 ? rows : rows.slice(0, early);
      const isLast = ready.length < LEDGER_PAGE;
      const last = ready.at(-1);
      if (whole || last !== undefined) {
        const seen = await this.#seen.page(place, whole && isLast ? undefined : (last ?? place));
        await this.#judgeRows(ready, { seen, unconfirmed, pages: new Map() }, findings);
        await seen.expect(db, ready, findings);
      }
      count += ready.length;
      if (last !== undefined) place = { time: last.time, serial: last.serial };
      if (!whole && last !== undefined) await this.#remember(place);
      if (isLast) break;
      if (whole)
        await this.#rounds.rest(
          performance.now() - started,
          `${counted(count, "row was", "rows were")} checked`,
          findings,
        );
    }
    unconfirmed?.tell(findings);
    // Last: pages that are refused keep no new row from being judged.
    if (!whole) await this.#lookAgain(db, suspects, findings);
    requireAbreast(this.#watch, `${counted(count, "row was", "rows were")} checked`);
    if (whole) this.#rounds.end();
    return whole
      ? `every one of ${counted(count, "row")} corresponds to the CT log`
      : `every row corresponds to the CT log, the newest of ${timeOf(place)}`;
  }

  /** Its entry is in the log, and the tree head that covers it was not proven yet: that takes a moment. */
  #isEarly(row: LedgerRow): boolean {
    if (!this.#isAhead(row)) return false;
    return !this.#watch.isCurrent || Math.abs(this.#around.now() - Number(row.time)) < EARLY_MS;
  }

  #isAhead({ ctIndex }: LedgerRow): boolean {
    return ctIndex !== undefined && ctIndex >= this.#watch.proven.size;
  }

  /** At bad rows, and whether the newest are still there. */
  async #lookAgain(db: Queryable, suspects: readonly SuspectRow[], findings: Findings): Promise<void> {
    const pages: RowContext["pages"] = new Map();
    for (const suspect of suspects) {
      const row = (await readLedgerRow(db, parsePlace(suspect.place))) ?? (await this.#movedRow(db, suspect));
      if (row === undefined) {
        findings.add(goneRow(suspect));
        continue;
      }
      const { time, serial } = row;
      const seen = await this.#seen.page({ time: time - 1n, serial }, { time, serial });
      await this.#judgeRows([row], { seen, unconfirmed: undefined, pages }, findings);
      const place = formatPlace(row);
      // Never before it is known where it is now: from there it could be taken away unseen.
      if (place !== suspect.place && (this.#good.has(place) || (await this.suspects.has(place)))) {
        await this.suspects.clear(suspect.place);
      }
    }
    await this.suspects.save();
    await this.suspects.tellBeyond(findings);
    const gone = new Set(suspects.map(({ place }) => place));
    const newest = await this.#seen.newest();
    const others = newest.filter(({ time, serial }) => !gone.has(`${time}/${serial}`));
    await expectThere(db, others, [], findings);
  }

  /**
   * The same certificate, in a row of another time or serial: mended, or not. The serial alone would be no sign of it: who
   * holds the CA's key issues a second certificate under the serial of a good one.
   */
  async #movedRow(db: Queryable, { serial, certificate }: SuspectRow): Promise<LedgerRow | undefined> {
    const rows = await readLedgerRowsOf(db, Uint8Array.fromHex(even(serial)));
    return rows.find((row) => Buffer.from(row.certificate).toString("base64") === certificate);
  }

  /** What was good and not seen before is remembered as it is. */
  async #judgeRows(rows: readonly LedgerRow[], around: Omit<RowContext, "digest">, findings: Findings): Promise<void> {
    const good: [place: string, digest: string][] = [];
    for (const row of rows) {
      const [place, digest] = [formatPlace(row), digestOf(row)];
      if (this.#good.get(place) === digest) continue;
      let isConfirmed = false;
      const judge = async () => void (isConfirmed = await this.#judge(row, { ...around, digest }));
      const isGood = await findings.collect(judge, `ledger row ${place}`);
      this.#good.delete(place);
      if (!isGood) continue;
      // The others are counted by each round.
      if (isConfirmed) good.push([place, digest]);
      await this.suspects.clear(place);
    }
    await this.#seen.add(around.seen.fresh);
    await this.suspects.save();
    for (const [place, digest] of good) if (this.#good.size < MOST_GOOD) this.#good.set(place, digest);
  }

  /** Resolves to whether its issuer is confirmed. */
  async #judge(row: LedgerRow, { digest, seen, pages, unconfirmed }: RowContext): Promise<boolean> {
    try {
      const isUnchanged = seen.isUnchanged(row, digest);
      const isBefore = seen.isNew(row) && (await this.#wasThereBefore(row));
      const isConfigured = this.#around.isFederated(row.issuer);
      const certificate = await this.#judgeRow(
        row,
        pages,
        (judged) => isUnchanged || (isOfPerson(judged) && (isConfigured || isBefore)),
      );
      const isConfirmed = isConfigured || namesIssuer(row, certificate);
      seen.hold(row, digest, !isConfirmed);
      if (isConfirmed || !seen.isUnconfirmed(row)) return true;
      unconfirmed?.add(row, certificate);
      return false;
    } catch (error) {
      // What could not be judged is looked at again, too.
      const told = error instanceof Wrong ? error : { trouble: "unreachable" as const, message: messageOf(error) };
      await this.suspects.suspect(row, told, { isRound: unconfirmed !== undefined });
      throw error;
    }
  }

  /**
   * What an issuer was configured to be when its certificate was issued, it may be no more, and nobody tells an auditor of
   * then. Of a row that came while this one watches it was told, and what it told of before is not taken back.
   */
  async #wasThereBefore(row: LedgerRow): Promise<boolean> {
    return row.time < this.#startedAt && (await this.suspects.troubleOf(formatPlace(row))) !== "changed-ledger";
  }

  async #judgeRow(
    row: LedgerRow,
    pages: RowContext["pages"],
    isFederated: (certificate: Certificate) => boolean,
  ): Promise<Certificate> {
    const [evidence, certificate] = [evidenceOf(row), readRow(row)];
    const issuer = issuerOf(certificate, this.#around.authorities());
    if (issuer === undefined) throw new Wrong("certificate-mismatch", `${nameOf(row)} is of another CA`, evidence);
    const { ctLog } = this.#around;
    // Another's log is another's to audit. That nobody can see a certificate comes before what is wrong with it.
    const isElsewhere = row.ctIndex === undefined && ctLog !== "own";
    const entry = isElsewhere ? undefined : await this.#entryOf(row, certificate, pages);
    const form = ctLog === "none" && embeddedScts(certificate).length === 0 ? "unlogged" : "certificate";
    judgeProfile(nameOf(row), certificate, form, issuer, evidence);
    if (entry !== undefined) {
      judgeScts(row, certificate, { issuer, keys: this.#ctKey, entry });
      judgeTime(row, certificate, entry);
    }
    // Last: then the certificate is known to be the one that was issued.
    judgeColumns(row, certificate, isFederated(certificate));
    return certificate;
  }

  async #entryOf(row: LedgerRow, certificate: Certificate, pages: RowContext["pages"]): Promise<CtEntry> {
    const [{ ctIndex }, { size }] = [row, this.#watch.proven];
    const unlogged = (why: string) => new Wrong("unlogged-certificate", `${nameOf(row)} ${why}`, evidenceOf(row));
    if (ctIndex === undefined || ctIndex >= size) throw unlogged("names no entry of the CT log");
    const page = ctIndex / PAGE;
    const reading = pages.get(page) ?? this.#entries.read(page * PAGE, endOfPage(ctIndex, size));
    if (pages.size >= MOST_PAGES) pages.clear();
    pages.set(page, reading);
    const entry = (await reading)[Number(ctIndex % PAGE)];
    if (entry instanceof Wrong && entry.trouble === "changed-entry") throw entry;
    if (entry !== undefined && !(entry instanceof Wrong) && certificateMatches(certificate, entry)) return entry;
    throw unlogged(`is not the one at ${ctIndex} of the CT log`);
  }

  /** What was judged bad is written before: a crash in between judges it once more. */
  async #remember(place: LedgerPlace): Promise<void> {
    this.#place = place;
    await this.#watch.folder.setCursor("ledger", formatPlace(place));
  }
}

function even(digits: string): string {
  return digits.padStart(digits.length + (digits.length % 2), "0");
}
