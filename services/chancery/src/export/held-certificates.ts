import { sha256 } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Malformed, RefusedToSign } from "@chancery/fault";
import type { IssuedEntry } from "@chancery/fulcio";
import type { LogReader } from "@chancery/log";
import type { TreeHead } from "@chancery/tlog";
import { type Certificate, embeddedScts, parseCertificate, removeSctList } from "@chancery/x509";
import { CtEntries, readLeaf } from "./ct-entries.ts";
import { indexAt } from "./entry-source.ts";
import type { ExportedLog } from "./manifest.ts";
import type { Position } from "./source.ts";

/** What is exported is held against the CT log: each row is proven to be in it, or named. */
export interface HeldCertificates {
  /** With what was found so far. */
  readonly log: ExportedLog;
  readonly position: Position;
  /** `until`: the rows that follow are not older. */
  take(rows: readonly IssuedEntry[], until: number): Promise<void>;
  finish(until: number): Promise<void>;
}

/** Of many so many are named, the first. */
const MOST_NAMED = 100;

export interface Named {
  readonly count: bigint;
  readonly first: readonly string[];
}

export const NONE: Named = { count: 0n, first: [] };

export function withOneMore({ count, first }: Named, name: string): Named {
  return { count: count + 1n, first: first.length < MOST_NAMED ? [...first, name] : first };
}

export function namedJson({ count, first }: Named): { count: string; first: string[] } {
  return { count: String(count), first: [...first] };
}

export function namedIn(count: Position[string] | undefined, first: Position[string] | undefined): Named {
  return { count: BigInt(String(count ?? "0")), first: texts(first) };
}

export function texts(value: Position[string] | undefined): string[] {
  return Array.isArray(value) ? [...(value as readonly string[])] : [];
}

/** Where in the CT log a row's certificate is to be, and the SHA-256, hexadecimal, of what is to stand there. */
export interface LoggedPlace {
  readonly index: bigint;
  readonly tbs: string;
}

/** A CT log as the rows of a ledger are held against it. */
export class CtLogOfRows {
  readonly entries: CtEntries;
  readonly #reader: Pick<LogReader, "entries" | "tiles">;
  readonly #size: bigint;
  /** By which SCTs name it, hexadecimal. */
  readonly #logId: string;

  constructor(reader: Pick<LogReader, "entries" | "tiles">, head: TreeHead, logId: string) {
    this.entries = new CtEntries(reader, head);
    this.#reader = reader;
    this.#size = head.size;
    this.#logId = logId;
  }

  /** Undefined of what is in no place of this tree by its own word: issued without a CT log, with another's, or damaged. */
  async placeOf({ ctIndex, certificate: der }: IssuedEntry): Promise<LoggedPlace | undefined> {
    const certificate = readable(der);
    if (certificate === undefined || (ctIndex !== undefined && ctIndex >= this.#size)) return undefined;
    const tbs = hashOf(removeSctList(certificate));
    const index = ctIndex ?? (await this.#find(certificate, tbs));
    return index === undefined ? undefined : { index, tbs };
  }

  /** Throws RefusedToSign unless the certificate is the one of that entry, and the entry in the published tree. */
  async prove({ index, tbs }: LoggedPlace): Promise<void> {
    const logged = readLeaf(await this.entries.provenAt(index)).tbs;
    if (logged === undefined || hashOf(logged) !== tbs) throw otherThere(index);
  }

  /** A row that names no entry may have one: its SCT says when. */
  async #find(certificate: Certificate, tbs: string): Promise<bigint | undefined> {
    const sct = embeddedScts(certificate).find(({ logId }) => encodeHex(logId) === this.#logId);
    if (sct === undefined) return undefined;
    const first = await indexAt(this.#reader, this.#size, sct.timestamp);
    for (let index = first; index < this.#size; index++) {
      const logged = readLeaf(await this.entries.at(index));
      if (logged.time !== sct.timestamp) return undefined;
      if (logged.tbs !== undefined && hashOf(logged.tbs) === tbs) return index;
    }
    return undefined;
  }
}

/** Of rows that filters chose: each by itself. What they leave out may well be in the CT log. */
export class ChosenCertificates implements HeldCertificates {
  readonly #log: ExportedLog;
  readonly #rows: CtLogOfRows;
  #unheld: Named;

  constructor(log: ExportedLog, rows: CtLogOfRows, after: Position | undefined) {
    this.#log = log;
    this.#rows = rows;
    this.#unheld = namedIn(after?.["unheld"], after?.["unheldFirst"]);
  }

  get log(): ExportedLog {
    return { ...this.#log, unheld: namedJson(this.#unheld) };
  }

  get position(): Position {
    return { unheld: String(this.#unheld.count), unheldFirst: this.#unheld.first };
  }

  async take(rows: readonly IssuedEntry[]): Promise<void> {
    for (const row of rows) {
      const place = await this.#rows.placeOf(row);
      if (place === undefined) this.#unheld = withOneMore(this.#unheld, encodeHex(row.serial));
      else await this.#rows.prove(place);
    }
  }

  async finish(): Promise<void> {}
}

export function otherThere(index: bigint): RefusedToSign {
  return changed(`the certificate of the row that names the CT entry ${index} is not the one that stands there`);
}

export function changed(what: string): RefusedToSign {
  return new RefusedToSign(`${what}: the database was changed`);
}

export function hashOf(tbs: Uint8Array): string {
  return encodeHex(sha256(tbs));
}

function readable(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der, "certificate");
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
