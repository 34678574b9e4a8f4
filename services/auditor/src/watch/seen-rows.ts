import type { Queryable } from "@chancery/postgres";
import {
  type LedgerPlace,
  type LedgerRow,
  evidenceOf,
  nameOf,
  serialsInLedger,
  timeOf,
  unsigned,
} from "../database/ledger.ts";
import { LedgerFile, type SeenRow } from "../state/ledger-file.ts";
import type { Findings } from "./findings.ts";
import { Wrong } from "./wrong.ts";

/** What a row's time can be moved by and still be within a moment of its certificate's beginning; with some to spare. */
const APART_MS = 30_000n;
/** Of the newest rows, looked for each time: what somebody wants to be gone is most often new. */
const NEWEST = 64;
const ALWAYS = 2n ** 63n - 1n;

/**
 * The ledger's rows as they were seen first, for no hash covers them: a certificate says nothing of the claims it was issued
 * for and of what a policy in dry run said, and who deletes a row leaves nothing that says it was there.
 */
export class SeenRows {
  readonly #path: string;
  #file: Promise<LedgerFile> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Those from a place on up to another, and those that one of them could have been before. */
  async page(after: LedgerPlace, last: LedgerPlace | undefined): Promise<SeenPage> {
    const file = await this.#opened();
    const to = last === undefined ? ALWAYS : last.time + APART_MS;
    return new SeenPage(await file.within(after.time - APART_MS, to), after, last);
  }

  async newest(): Promise<readonly SeenRow[]> {
    return (await this.#opened()).newest(NEWEST);
  }

  /** The row of a certificate that was logged at a time. */
  async rowOf(serial: Uint8Array, time: bigint): Promise<SeenRow | undefined> {
    const near = await (await this.#opened()).within(time - APART_MS, time + APART_MS);
    return near.find((row) => numberOf(row) === unsigned(serial));
  }

  async add(rows: readonly SeenRow[]): Promise<void> {
    await (await this.#opened()).append(rows);
  }

  async #opened(): Promise<LedgerFile> {
    this.#file ??= LedgerFile.open(this.#path);
    // A disk that could not be read is tried again.
    this.#file.catch(() => (this.#file = undefined));
    return this.#file;
  }
}

/** What was seen of a part of the ledger. */
export class SeenPage {
  readonly #rows: readonly SeenRow[];
  readonly #bySerial: Map<string, SeenRow>;
  readonly #fresh: SeenRow[] = [];

  constructor(near: readonly SeenRow[], after: LedgerPlace, last: LedgerPlace | undefined) {
    this.#bySerial = new Map(near.map((row) => [numberOf(row), row]));
    this.#rows = near.filter((row) => isBehind(row, after) && (last === undefined || !isBehind(row, last)));
  }

  /** Rows that were not seen before. */
  get fresh(): readonly SeenRow[] {
    return this.#fresh;
  }

  /** Whether the row was judged before, and is in every column what it was. */
  isUnchanged({ serial }: LedgerRow, digest: string): boolean {
    return this.#bySerial.get(unsigned(serial))?.digest === digest;
  }

  /** Whether no row of its certificate was judged good before. */
  isNew({ serial }: LedgerRow): boolean {
    return !this.#bySerial.has(unsigned(serial));
  }

  /** Whether its issuer was believed because the row was there before the auditor looked. */
  isUnconfirmed({ serial }: LedgerRow): boolean {
    return this.#bySerial.get(unsigned(serial))?.isUnconfirmed ?? false;
  }

  /** Throws unless the row is the one that was seen first; the first of its certificate is. */
  hold(row: LedgerRow, digest: string, isUnconfirmed = false): void {
    const number = unsigned(row.serial);
    const before = this.#bySerial.get(number);
    if (before?.digest === digest) return;
    if (before === undefined) {
      const seen: SeenRow = {
        time: row.time,
        serial: row.serial.toHex(),
        digest,
        ...(isUnconfirmed && { isUnconfirmed }),
      };
      this.#bySerial.set(number, seen);
      this.#fresh.push(seen);
      return;
    }
    const moved = before.time === row.time ? "" : `; its time was ${shown(before)} and is ${timeOf(row)}`;
    const what = `${nameOf(row)} has another row than when it was seen first (its hash was ${before.digest} and is ${digest})${moved}`;
    throw new Wrong("changed-ledger", what, { ...evidenceOf(row), row: columnsOf(row), seenFirst: before });
  }

  /** Those that were seen between the two places and are none of these, and stand nowhere else. */
  async expect(db: Queryable, rows: readonly LedgerRow[], findings: Findings): Promise<void> {
    await expectThere(db, this.#rows, rows, findings);
  }
}

/** That rows are still in the ledger, wherever. */
export async function expectThere(
  db: Queryable,
  seen: readonly SeenRow[],
  found: readonly LedgerRow[],
  findings: Findings,
): Promise<void> {
  const there = new Set(found.map(({ serial }) => unsigned(serial)));
  const missing = seen.filter((row) => !there.has(numberOf(row)));
  if (missing.length === 0) return;
  const known = await serialsInLedger(
    db,
    missing.map(({ serial }) => Uint8Array.fromHex(serial)),
  );
  for (const row of missing) if (!known.has(numberOf(row))) findings.add(lostRow(row));
}

export function lostRow(row: SeenRow): Wrong {
  const what = `the row of the certificate ${row.serial} is gone from the ledger, where it was seen with the time ${shown(row)}`;
  return new Wrong("lost-ledger", what, { seenFirst: row }, goneSubject(`${row.time}/${row.serial}`));
}

/** Of its own: what was told of the row while it stood there is another alarm. */
export function goneSubject(place: string): string {
  return `ledger row ${place}, gone`;
}

function shown({ time, serial }: SeenRow): string {
  return timeOf({ time, serial: Uint8Array.fromHex(serial) });
}

function numberOf({ serial }: SeenRow): string {
  return unsigned(Uint8Array.fromHex(serial));
}

function isBehind({ time, serial }: SeenRow, place: LedgerPlace): boolean {
  return time > place.time || (time === place.time && serial > place.serial.toHex());
}

/** What its certificate does not say. */
function columnsOf({ time, issuer, subject, claimsHash, wouldRefuse }: LedgerRow): object {
  return { time: String(time), issuer, subject, claimsHash: claimsHash.toHex(), wouldRefuse: wouldRefuse ?? null };
}
