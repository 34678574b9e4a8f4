import type { Queryable } from "@chancery/postgres";
import { serialsInLedger, unsigned } from "../database/ledger.ts";
import type { LogFolder } from "../state/log-folder.ts";
import type { Findings } from "./findings.ts";
import { lostRow, type SeenRows } from "./seen-rows.ts";
import { Wrong } from "./wrong.ts";

/** A precertificate of ours in the CT log. */
export interface LoggedPrecertificate {
  readonly index: bigint;
  readonly serial: Uint8Array;
  /** Of its entry. */
  readonly time: bigint;
}

interface Awaited extends LoggedPrecertificate {
  readonly since: number;
}

/** The ledger follows the CT log by some milliseconds; a busy database may take its time. */
const GRACE_MS = 60_000;
/** The round through all finds the others. */
const MOST = 1_000;
const CURSOR = "awaited rows";

/** Precertificates whose row in the ledger has not come: over restarts too, until it comes. A crash of the CA leaves one for ever. */
export class AwaitedRows {
  readonly #folder: LogFolder;
  readonly #seen: SeenRows;
  readonly #awaited: Map<bigint, Awaited>;

  constructor(folder: LogFolder, seen: SeenRows) {
    this.#folder = folder;
    this.#seen = seen;
    this.#awaited = new Map(parse(folder.cursor(CURSOR)).map((one) => [one.index, one]));
  }

  async expect(db: Queryable, logged: readonly LoggedPrecertificate[], now: number): Promise<void> {
    const known = await serialsInLedger(
      db,
      logged.map(({ serial }) => serial),
    );
    for (const one of logged) {
      if (known.has(unsigned(one.serial)) || this.#awaited.has(one.index) || this.#awaited.size >= MOST) continue;
      this.#awaited.set(one.index, { ...one, since: now });
    }
    await this.save();
  }

  async judge(db: Queryable, now: number, log: string, findings: Findings): Promise<void> {
    const awaited = [...this.#awaited.values()];
    const known = await serialsInLedger(
      db,
      awaited.map(({ serial }) => serial),
    );
    for (const { index, serial, time, since } of awaited) {
      if (known.has(unsigned(serial))) this.#awaited.delete(index);
      else if (now - since > GRACE_MS) findings.add(await this.#missing(index, serial, time, log));
    }
    await this.save();
  }

  async save(): Promise<void> {
    await this.#folder.setCursor(CURSOR, [...this.#awaited.values()].map(format).join(","));
  }

  async #missing(index: bigint, serial: Uint8Array, time: bigint, log: string): Promise<Wrong> {
    const before = await this.#seen.rowOf(serial, time);
    if (before !== undefined) return lostRow(before);
    const what = `CT entry ${index} is a precertificate of our CA (serial ${serial.toHex()}) that the ledger does not hold`;
    const evidence = { ctIndex: String(index), serial: serial.toHex() };
    return new Wrong("unledgered-certificate", what, evidence, `${log} certificate ${index}`);
  }
}

function format({ index, serial, time, since }: Awaited): string {
  return [index, serial.toHex(), time, since].map(String).join("/");
}

function parse(text = ""): Awaited[] {
  const parts = text.split(",").filter(Boolean);
  return parts.map((part) => {
    const [index = "0", serial = "", time = "0", since = "0"] = part.split("/");
    return { index: BigInt(index), serial: Uint8Array.fromHex(serial), time: BigInt(time), since: Number(since) };
  });
}
