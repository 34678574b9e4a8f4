import { readFile } from "node:fs/promises";
import { Misconfigured } from "@chancery/fault";
import { formatPlace, type LedgerRow, nameOf, unsigned } from "../database/ledger.ts";
import { type Certificate, readCertificate, tbsWithout } from "../domain/certificate/certificate.ts";
import { SCT_LIST } from "../domain/certificate/fulcio-profile.ts";
import { sha256 } from "../domain/merkle.ts";
import type { Trouble } from "../domain/troubles.ts";
import { replaceFile } from "../state/durable-file.ts";
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
const MOST_BYTES = 16_384;

/** Bad rows of the ledger, kept over restarts: who wrote one can take it away, and what was issued stays issued. */
export class SuspectRows {
  readonly #path: string;
  #rows: Map<string, SuspectRow> | undefined;
  #isWritten = true;

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

  /** `save` makes it last. */
  async suspect(row: LedgerRow, { trouble, message }: Pick<Wrong, "trouble" | "message">): Promise<void> {
    const rows = await this.#load();
    const place = formatPlace(row);
    const before = rows.get(place);
    if (rows.size >= MOST && before === undefined) return;
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
    this.#isWritten = false;
  }

  async clear(place: string): Promise<void> {
    if ((await this.#load()).delete(place)) this.#isWritten = false;
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

  async save(): Promise<void> {
    if (this.#isWritten) return;
    await replaceFile(this.#path, `${JSON.stringify(await this.all())}\n`);
    this.#isWritten = true;
  }

  async #load(): Promise<Map<string, SuspectRow>> {
    return (this.#rows ??= new Map((await readRows(this.#path)).map((row) => [row.place, row])));
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

async function readRows(path: string): Promise<SuspectRow[]> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as SuspectRow[];
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw new Misconfigured("auditor.state", `${path} is not whole or cannot be read`, { cause });
  }
}
