import { sha256 } from "@chancery/crypto";
import { decodeHex, DerReader, encodeHex, TlsReader } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import type { IssuedEntry } from "@chancery/fulcio";
import type { LoggedEntry, LogReader } from "@chancery/log";
import { leafHash } from "@chancery/tlog";
import { parseCertificate, removeSctList } from "@chancery/x509";
import { readPage } from "./entry-page.ts";
import type { ExportedLog } from "./manifest.ts";
import type { Position } from "./source.ts";
import { TreeCheck } from "./tree-check.ts";

/** A row is written when the CT log has answered; with some to spare for both clocks. */
export const ROW_MARGIN_MS = 60_000;
const PAGE = 256;
/** Of those that are missing so many are named, the first. */
const MOST_NAMED = 100;

interface Missing {
  readonly count: bigint;
  readonly first: readonly string[];
}

const NONE: Missing = { count: 0n, first: [] };

interface Around {
  readonly reader: Pick<LogReader, "entries" | "tiles">;
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
export class LoggedCertificates {
  readonly #around: Around;
  readonly #check: TreeCheck;
  /** SHA-256 of what the CT log is to hold, hexadecimal, of rows whose entries come later. */
  readonly #pending: Map<bigint, string>;
  #missing: Missing;
  #page: readonly LoggedEntry[] = [];

  private constructor(around: Around, check: TreeCheck, pending: Map<bigint, string>, missing: Missing) {
    this.#around = around;
    this.#check = check;
    this.#pending = pending;
    this.#missing = missing;
  }

  static async open(around: Around, after: Position | undefined): Promise<LoggedCertificates> {
    const { reader, log } = around;
    const head = { size: BigInt(log.size), root: decodeHex(log.root, "state") };
    if (after === undefined) {
      return new LoggedCertificates(around, await TreeCheck.from(BigInt(log.from), reader, head), new Map(), NONE);
    }
    const edge = texts(after["edge"]).map((hash) => decodeHex(hash, "state"));
    const check = TreeCheck.resume({ size: BigInt(String(after["ctNext"])), edge }, reader, head);
    const pending = texts(after["pending"]).map((text) => {
      const [index = "", hash = ""] = text.split(":");
      return [BigInt(index), hash] as const;
    });
    const missing = { count: BigInt(String(after["missing"])), first: texts(after["missingFirst"]) };
    return new LoggedCertificates(around, check, new Map(pending), missing);
  }

  get position(): Position {
    const { size, edge } = this.#check.edge;
    return {
      ctNext: String(size),
      edge: edge.map(encodeHex),
      pending: [...this.#pending].map(([index, hash]) => `${index}:${hash}`),
      missing: String(this.#missing.count),
      missingFirst: this.#missing.first,
    };
  }

  /** The log with the range of it of which each entry has its row, but for those that are told. */
  get log(): ExportedLog {
    const { count, first } = this.#missing;
    const missing = count === 0n ? {} : { missing: { count: String(count), first: [...first] } };
    return { ...this.#around.log, to: String(this.#check.edge.size), ...missing };
  }

  /** `until`: the rows that follow are not older. */
  async take(rows: readonly IssuedEntry[], until: number): Promise<void> {
    for (const row of rows) this.#expect(row);
    await this.#advance(until);
  }

  async finish(until: number): Promise<void> {
    await this.#advance(until);
    if (this.#check.edge.size > 0n) await this.#check.finish();
  }

  #expect({ ctIndex, certificate, serial }: IssuedEntry): void {
    const { from, size } = this.#around.log;
    // Of the margin before the first, or logged since the export began.
    if (ctIndex === undefined || ctIndex < BigInt(from) || ctIndex >= BigInt(size)) return;
    if (ctIndex < this.#check.edge.size || this.#pending.has(ctIndex)) {
      throw changed(
        `the row of the certificate ${encodeHex(serial)} names the CT entry ${ctIndex}, which is another row's`,
      );
    }
    this.#pending.set(ctIndex, hashOf(removeSctList(parseCertificate(certificate, "certificate"))));
  }

  async #advance(until: number): Promise<void> {
    const size = BigInt(this.#around.log.size);
    const hashes: Uint8Array[] = [];
    for (let index = this.#check.edge.size; index < size; index++) {
      const entry = await this.#entry(index, size);
      const { time, tbs } = readLeaf(entry);
      const expected = this.#pending.get(index);
      if (expected !== undefined && (tbs === undefined || hashOf(tbs) !== expected)) {
        throw changed(`the certificate of the row that names the CT entry ${index} is not the one that stands there`);
      }
      if (expected === undefined && tbs !== undefined) {
        if (time + ROW_MARGIN_MS >= until) break;
        if (!(await this.#isAgain(index, tbs))) this.#miss(index);
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

  #miss(index: bigint): void {
    const { count, first } = this.#missing;
    this.#missing = { count: count + 1n, first: first.length < MOST_NAMED ? [...first, String(index)] : first };
  }

  async #entry(index: bigint, size: bigint): Promise<LoggedEntry> {
    const first = this.#page[0]?.index ?? index;
    const held = this.#page[Number(index - first)];
    if (held?.index === index) return held;
    const count = size - index < BigInt(PAGE) ? Number(size - index) : PAGE;
    const read: LoggedEntry[] = [];
    for await (const entries of readPage(this.#around.reader, index, count)) read.push(...entries);
    this.#page = read;
    const [entry] = read;
    if (entry === undefined) throw new RefusedToSign(`entry ${index} of the CT log is missing from the database`);
    return entry;
  }
}

/** MerkleTreeLeaf { v1(0), timestamped_entry(0), uint64 timestamp, uint16 entry_type, … }, RFC 6962, Section 3.4. */
function readLeaf({ index, leaf }: LoggedEntry): { readonly time: number; readonly tbs: Uint8Array | undefined } {
  try {
    const reader = new TlsReader(leaf, "leaf");
    if (reader.uint16() !== 0) throw new RangeError("version");
    const time = Number(reader.uint64());
    if (reader.uint16() !== 1) return { time, tbs: undefined };
    reader.bytes(32);
    return { time, tbs: reader.opaque24() };
  } catch (cause) {
    throw new RefusedToSign(`entry ${index} of the CT log cannot be read; chancery fsck says what became of it`, {
      cause,
    });
  }
}

/** TBSCertificate ::= SEQUENCE { version [0], serialNumber INTEGER, … } */
function serialOf(tbs: Uint8Array): string {
  const fields = new DerReader(tbs, "TBS").sequence();
  fields.explicit(0);
  return encodeHex(fields.integerBytes());
}

function changed(what: string): RefusedToSign {
  return new RefusedToSign(`${what}: the database was changed`);
}

function hashOf(tbs: Uint8Array): string {
  return encodeHex(sha256(tbs));
}

function texts(value: Position[string] | undefined): string[] {
  return Array.isArray(value) ? [...(value as readonly string[])] : [];
}
