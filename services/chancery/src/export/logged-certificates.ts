import { decodeHex, DerReader, encodeHex } from "@chancery/encoding";
import type { IssuedEntry } from "@chancery/fulcio";
import type { LogReader } from "@chancery/log";
import { leafHash } from "@chancery/tlog";
import { readLeaf } from "./ct-entries.ts";
import {
  changed,
  CtLogOfRows,
  hashOf,
  type HeldCertificates,
  type Named,
  namedIn,
  namedJson,
  NONE,
  otherThere,
  texts,
  withOneMore,
} from "./held-certificates.ts";
import type { ExportedLog } from "./manifest.ts";
import type { Position } from "./source.ts";
import { TreeCheck } from "./tree-check.ts";

/** A row is written when the CT log has answered; with some to spare for both clocks. */
export const ROW_MARGIN_MS = 60_000;

interface Around {
  readonly reader: Pick<LogReader, "entries" | "tiles">;
  readonly rows: CtLogOfRows;
  /** With the index of the first entry whose row belongs into the export. */
  readonly log: ExportedLog & { readonly from: string };
  /** The CT entries that rows of a serial, in hexadecimal, name. */
  readonly entriesOf: (serial: string) => Promise<readonly bigint[]>;
}

/**
 * Holds rows of the ledger, oldest first, against the entries of the CT log: each row is the one of its entry, byte for byte
 * but for the SCTs, and each entry has its row. What the ledger lacks is told: a crash of the CA leaves an entry without
 * one, and so does whoever deletes a row.
 */
export class LoggedCertificates implements HeldCertificates {
  readonly #around: Around;
  readonly #check: TreeCheck;
  /** SHA-256 of what the CT log is to hold, hexadecimal, of rows whose entries come later. */
  readonly #pending: Map<bigint, string>;
  #missing: Named;
  #unheld: Named;

  private constructor(
    around: Around,
    check: TreeCheck,
    { pending, missing, unheld }: { pending: Map<bigint, string>; missing: Named; unheld: Named },
  ) {
    this.#around = around;
    this.#check = check;
    this.#pending = pending;
    this.#missing = missing;
    this.#unheld = unheld;
  }

  static async open(around: Around, after: Position | undefined): Promise<LoggedCertificates> {
    const { reader, log } = around;
    const head = { size: BigInt(log.size), root: decodeHex(log.root, "state") };
    if (after === undefined) {
      const begun = await TreeCheck.from(BigInt(log.from), reader, head);
      return new LoggedCertificates(around, begun, { pending: new Map(), missing: NONE, unheld: NONE });
    }
    const edge = texts(after["edge"]).map((hash) => decodeHex(hash, "state"));
    const check = TreeCheck.resume({ size: BigInt(String(after["ctNext"])), edge }, reader, head);
    const pending = texts(after["pending"]).map((text) => {
      const [index = "", hash = ""] = text.split(":");
      return [BigInt(index), hash] as const;
    });
    const missing = namedIn(after["missing"], after["missingFirst"]);
    const unheld = namedIn(after["unheld"], after["unheldFirst"]);
    return new LoggedCertificates(around, check, { pending: new Map(pending), missing, unheld });
  }

  get position(): Position {
    const { size, edge } = this.#check.edge;
    return {
      ctNext: String(size),
      edge: edge.map(encodeHex),
      pending: [...this.#pending].map(([index, hash]) => `${index}:${hash}`),
      missing: String(this.#missing.count),
      missingFirst: this.#missing.first,
      unheld: String(this.#unheld.count),
      unheldFirst: this.#unheld.first,
    };
  }

  /** The log with the range of it of which each entry has its row, but for those that are told. */
  get log(): ExportedLog {
    const missing = this.#missing.count === 0n ? {} : { missing: namedJson(this.#missing) };
    const { size } = this.#check.edge;
    return { ...this.#around.log, to: String(size), ...missing, unheld: namedJson(this.#unheld) };
  }

  async take(rows: readonly IssuedEntry[], until: number): Promise<void> {
    for (const row of rows) await this.#expect(row);
    await this.#advance(until);
  }

  async finish(until: number): Promise<void> {
    await this.#advance(until);
    if (this.#check.edge.size > 0n) await this.#check.finish();
    // Behind an entry whose row may be on its way.
    for (const [index, tbs] of this.#pending) await this.#around.rows.prove({ index, tbs });
  }

  async #expect(row: IssuedEntry): Promise<void> {
    const { log, rows } = this.#around;
    const place = await rows.placeOf(row);
    if (place === undefined) {
      this.#unheld = withOneMore(this.#unheld, encodeHex(row.serial));
      return;
    }
    const { index, tbs } = place;
    // Of the margin before the first of which each has its row.
    if (index < BigInt(log.from)) return await rows.prove(place);
    if (index < this.#check.edge.size || this.#pending.has(index)) {
      const serial = encodeHex(row.serial);
      throw changed(`the row of the certificate ${serial} names the CT entry ${index}, which is another row's`);
    }
    this.#pending.set(index, tbs);
  }

  async #advance(until: number): Promise<void> {
    const size = BigInt(this.#around.log.size);
    const hashes: Uint8Array[] = [];
    for (let index = this.#check.edge.size; index < size; index++) {
      const entry = await this.#around.rows.entries.at(index);
      const { time, tbs } = readLeaf(entry);
      const expected = this.#pending.get(index);
      if (expected !== undefined && (tbs === undefined || hashOf(tbs) !== expected)) {
        throw otherThere(index);
      }
      if (expected === undefined && tbs !== undefined) {
        if (time + ROW_MARGIN_MS >= until) break;
        if (!(await this.#isAgain(index, tbs))) this.#missing = withOneMore(this.#missing, String(index));
      }
      this.#pending.delete(index);
      hashes.push(leafHash(entry.leaf));
    }
    this.#check.add(hashes);
  }

  /** Anyone may submit a precertificate again, under the other of its two ECDSA signatures: its row is of the first. */
  async #isAgain(index: bigint, tbs: Uint8Array): Promise<boolean> {
    for (const other of await this.#around.entriesOf(serialOf(tbs))) {
      if (other >= index) continue;
      const [first] = await this.#around.reader.entries(other, 1);
      const logged = first && readLeaf(first).tbs;
      if (logged !== undefined && hashOf(logged) === hashOf(tbs)) return true;
    }
    return false;
  }
}

/** TBSCertificate ::= SEQUENCE { version [0], serialNumber INTEGER, … } */
function serialOf(tbs: Uint8Array): string {
  const fields = new DerReader(tbs, "TBS").sequence();
  fields.explicit(0);
  return encodeHex(fields.integerBytes());
}
