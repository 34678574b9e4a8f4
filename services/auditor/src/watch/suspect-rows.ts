import { readFile } from "node:fs/promises";
import { Misconfigured } from "@chancery/fault";
import { formatPlace, type LedgerRow, nameOf, parsePlace, timeOf, unsigned } from "../database/ledger.ts";
import { type Certificate, readCertificate, tbsWithout } from "../domain/certificate/certificate.ts";
import { SCT_LIST } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import type { Trouble } from "../domain/troubles.ts";
import { replaceFile } from "../state/durable-file.ts";
import type { Findings } from "./findings.ts";
import { goneSubject } from "./seen-rows.ts";
import { Wrong } from "./wrong.ts";

/** A row that was judged bad, as it was. */
export interface SuspectRow {
  readonly place: string;
  readonly trouble: Trouble;
  readonly what: string;
  readonly name: string;
  /** Of its certificate, without zeros in front; of the row where that cannot be read. */
  readonly serial: string;
  /** Base64 of the DER; empty where that is too long to be kept. */
  readonly certificate: string;
  /** SHA-256 of what the CT log would hold of it, hexadecimal. */
  readonly tbs: string | undefined;
  /** The CT log came to hold it. */
  readonly isLogged: boolean;
}

/** Rows and bytes of a certificate: 20 MB. The others are found by the round through all, as long as they stand there. */
const MOST = 1_000;
/** A round, which comes by again, keeps a row that it could not judge only while there are fewer: the room is for bad ones. */
const MOST_UNREAD = 500;
/** Of so many others the place is kept. */
const MOST_BEYOND = 10_000;
const MOST_NAMED = 100;
const MOST_BYTES = 16_384;

/** Bad rows of the ledger, kept over restarts: who wrote one can take it away, and what was issued stays issued. */
export class SuspectRows {
  readonly #path: string;
  #rows: Map<string, SuspectRow> | undefined;
  /** Places of those for which there was no room. Whoever takes one of them away ends no more than what was told of it. */
  #beyond = new Set<string>();
  #isWritten = true;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async all(): Promise<SuspectRow[]> {
    return [...(await this.#load()).values()];
  }

  async has(place: string): Promise<boolean> {
    return (await this.#load()).has(place);
  }

  async troubleOf(place: string): Promise<Trouble | undefined> {
    return (await this.#load()).get(place)?.trouble;
  }

  /** `save` makes it last. `isRound`: found by a round through all, which comes by again. */
  async suspect(
    row: LedgerRow,
    { trouble, message }: Pick<Wrong, "trouble" | "message">,
    { isRound = false } = {},
  ): Promise<void> {
    const rows = await this.#load();
    const place = formatPlace(row);
    const before = rows.get(place);
    if (trouble === "unreachable") {
      // That it cannot be judged now takes back nothing of what was told of it.
      if (before !== undefined) return;
      // A CT log that refuses every page makes no row bad.
      if (isRound && rows.size >= MOST_UNREAD) return;
    }
    if (rows.size >= MOST && before === undefined) return this.#addBeyond(place);
    const isLogged = before?.isLogged ?? false;
    if (before?.trouble === trouble && before.what === message) return;
    const certificate = readable(row.certificate);
    rows.set(place, {
      place,
      trouble,
      what: message,
      name: nameOf(row),
      serial: unsigned(certificate?.serial ?? row.serial),
      certificate: row.certificate.length > MOST_BYTES ? "" : Buffer.from(row.certificate).toString("base64"),
      tbs: certificate && sha256(tbsWithout(certificate, SCT_LIST)).toHex(),
      isLogged,
    });
    this.#takeFromBeyond(place);
    this.#isWritten = false;
  }

  async clear(place: string): Promise<void> {
    if ((await this.#load()).delete(place)) this.#isWritten = false;
    this.#takeFromBeyond(place);
  }

  /** That there are more than are kept: nobody looks at those again but the round through all. */
  async tellBeyond(findings: Findings): Promise<void> {
    await this.#load();
    const [first, ...others] = this.#beyond;
    if (first === undefined) return;
    const { time, serial } = parsePlace(first);
    const what = `more rows of the ledger were judged bad than the ${MOST} that are kept with their certificates; the first of the others is of the certificate ${serial.toHex()} and of ${timeOf({ time, serial })}`;
    const places = [first, ...others].slice(0, MOST_NAMED);
    findings.add(new Wrong("unkept-rows", what, { count: this.#beyond.size, places }));
  }

  #addBeyond(place: string): void {
    if (this.#beyond.has(place) || this.#beyond.size >= MOST_BEYOND) return;
    this.#beyond.add(place);
    this.#isWritten = false;
  }

  #takeFromBeyond(place: string): void {
    if (this.#beyond.delete(place)) this.#isWritten = false;
  }

  /** What the CT log holds of precertificates. */
  async logged(tbs: readonly Uint8Array[]): Promise<void> {
    const rows = await this.#load();
    const waiting = [...rows.values()].filter(({ isLogged }) => !isLogged);
    if (waiting.length === 0) return;
    const hashes = new Set(tbs.map((one) => sha256(one).toHex()));
    for (const row of waiting) {
      if (row.tbs === undefined || !hashes.has(row.tbs)) continue;
      rows.set(row.place, { ...row, isLogged: true });
      this.#isWritten = false;
    }
  }

  /** One write at a time, for two would have the same file beside; what changes during one is left to the next. */
  async save(): Promise<void> {
    const write = this.#writing.then(() => this.#write());
    this.#writing = write.catch(() => {});
    await write;
  }

  async #write(): Promise<void> {
    if (this.#isWritten) return;
    const stored: StoredSuspects = { rows: await this.all(), beyond: [...this.#beyond] };
    this.#isWritten = true;
    try {
      await replaceFile(this.#path, `${JSON.stringify(stored)}\n`);
    } catch (error) {
      this.#isWritten = false;
      throw error;
    }
  }

  async #load(): Promise<Map<string, SuspectRow>> {
    if (this.#rows !== undefined) return this.#rows;
    const { rows, beyond } = await readSuspects(this.#path);
    // Somebody else may have loaded it meanwhile.
    if (this.#rows === undefined) this.#beyond = new Set(beyond);
    return (this.#rows ??= new Map(rows.map((row) => [row.place, row])));
  }
}

/** What is told of one that is gone. That nobody can see a certificate is as true without its row. */
export function goneRow({ place, trouble, what, name, certificate, isLogged }: SuspectRow): Wrong {
  const evidence = { place, certificate };
  if (trouble === "unlogged-certificate" && !isLogged) {
    return new Wrong(trouble, what, evidence, `ledger row ${place}`);
  }
  return new Wrong(
    "lost-ledger",
    `${name} is gone from it; what was told of its row: ${what}`,
    evidence,
    goneSubject(place),
  );
}

function readable(der: Uint8Array): Certificate | undefined {
  try {
    return readCertificate(der);
  } catch {
    return undefined;
  }
}

interface StoredSuspects {
  readonly rows: readonly SuspectRow[];
  readonly beyond: readonly string[];
}

async function readSuspects(path: string): Promise<StoredSuspects> {
  try {
    const stored = JSON.parse(await readFile(path, "utf8")) as StoredSuspects | readonly SuspectRow[];
    // As it was written before it said which others there are.
    return "rows" in stored ? stored : { rows: stored, beyond: [] };
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return { rows: [], beyond: [] };
    throw new Misconfigured("auditor.state", `${path} is not whole or cannot be read`, { cause });
  }
}
