import { open, stat } from "node:fs/promises";

/** A row of the CA's ledger as it was seen first. */
export interface SeenRow {
  /** Milliseconds since 1970. */
  readonly time: bigint;
  /** As the column has it, hexadecimal. */
  readonly serial: string;
  /** SHA-256 of all columns, hexadecimal. */
  readonly digest: string;
  /** Its issuer is not its certificate's, and was believed because the row was there before the auditor looked. */
  readonly isUnconfirmed?: boolean;
}

/**
 * struct { int64 time; uint8 length; opaque serial[20]; uint8 unconfirmed; opaque zeros[2]; opaque digest[32] }. A sector holds
 * whole ones, so that what a crash cuts off is a row that was not yet written. Where the file had grown and its sectors
 * were not written, zeros stand in their place: no row, for none has a digest of zeros.
 */
const ROW_BYTES = 64;
const SERIAL = { at: 9, most: 20 };
const UNCONFIRMED_AT = 29;
const DIGEST_AT = 32;
/** Rows of which the earliest and the latest time are kept in memory: 16 bytes for them. */
const BLOCK = 1_024;

/** Rows in the order in which they were seen first, which is that of their times but for those that came late. */
export class LedgerFile {
  readonly #path: string;
  readonly #blocks: { readonly earliest: number; readonly latest: number }[] = [];
  #count = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(path: string): Promise<LedgerFile> {
    const opened = new LedgerFile(path);
    const size = await stat(path).then(
      (found) => found.size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return 0;
        throw error;
      },
    );
    const count = Math.floor(size / ROW_BYTES);
    let empty = 0;
    for (let first = 0; first < count; first += BLOCK) {
      const places = await opened.#places(first, Math.min(first + BLOCK, count));
      const end = places.findLastIndex((row) => row !== undefined) + 1;
      // Those at the end are written over.
      if (end > 0) opened.#add(Array<undefined>(empty).fill(undefined));
      opened.#add(places.slice(0, end));
      empty = places.length - end + (end > 0 ? 0 : empty);
    }
    return opened;
  }

  /** Of places, of which a crash may have left some without a row. */
  get count(): number {
    return this.#count;
  }

  /** Those with a time in [from, to]. */
  async within(from: bigint, to: bigint): Promise<SeenRow[]> {
    const found: SeenRow[] = [];
    for (const [block, { earliest, latest }] of this.#blocks.entries()) {
      if (latest < Number(from) || earliest > Number(to)) continue;
      const first = block * BLOCK;
      const rows = await this.#read(first, Math.min(first + BLOCK, this.#count));
      found.push(...rows.filter(({ time }) => time >= from && time <= to));
    }
    return found;
  }

  /** The last that were added. */
  async newest(most: number): Promise<SeenRow[]> {
    return this.#read(Math.max(0, this.#count - most), this.#count);
  }

  /** On disk when it resolves. */
  async append(rows: readonly SeenRow[]): Promise<void> {
    if (rows.length === 0) return;
    const write = this.#writing.then(() => this.#write(rows));
    this.#writing = write.catch(() => {});
    await write;
  }

  async #write(rows: readonly SeenRow[]): Promise<void> {
    await using file = await open(this.#path, this.#count === 0 ? "a" : "r+", 0o600);
    const bytes = Buffer.concat(rows.map(encode));
    if (this.#count === 0) await file.truncate(0);
    await file.write(bytes, 0, bytes.length, this.#count * ROW_BYTES);
    await file.datasync();
    this.#add(rows);
  }

  async #read(first: number, end: number): Promise<SeenRow[]> {
    return (await this.#places(first, end)).filter((row) => row !== undefined);
  }

  async #places(first: number, end: number): Promise<(SeenRow | undefined)[]> {
    if (first >= end) return [];
    await using file = await open(this.#path, "r");
    const bytes = Buffer.alloc((end - first) * ROW_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, first * ROW_BYTES);
    if (bytesRead < bytes.length) throw new RangeError(`${this.#path} is shorter than it was`);
    return Array.from({ length: end - first }, (_, at) => decode(bytes.subarray(at * ROW_BYTES, (at + 1) * ROW_BYTES)));
  }

  #add(places: readonly (SeenRow | undefined)[]): void {
    for (const row of places) {
      const block = Math.floor(this.#count++ / BLOCK);
      const { earliest, latest } = this.#blocks[block] ?? { earliest: Infinity, latest: -Infinity };
      this.#blocks[block] = {
        earliest: Math.min(earliest, Number(row?.time ?? Infinity)),
        latest: Math.max(latest, Number(row?.time ?? -Infinity)),
      };
    }
  }
}

function encode({ time, serial, digest, isUnconfirmed = false }: SeenRow): Uint8Array {
  const bytes = Buffer.alloc(ROW_BYTES);
  const number = Uint8Array.fromHex(serial);
  if (number.length > SERIAL.most) throw new RangeError(`a serial of ${number.length} bytes`);
  bytes.writeBigInt64BE(time);
  bytes.writeUInt8(number.length, SERIAL.at - 1);
  bytes.set(number, SERIAL.at);
  bytes.writeUInt8(Number(isUnconfirmed), UNCONFIRMED_AT);
  bytes.set(Uint8Array.fromHex(digest), DIGEST_AT);
  return bytes;
}

function decode(bytes: Buffer): SeenRow | undefined {
  if (bytes.every((octet) => octet === 0)) return undefined;
  const length = bytes.readUInt8(SERIAL.at - 1);
  return {
    time: bytes.readBigInt64BE(),
    serial: bytes.toString("hex", SERIAL.at, SERIAL.at + length),
    digest: bytes.toString("hex", DIGEST_AT),
    ...(bytes[UNCONFIRMED_AT] === 0 ? {} : { isUnconfirmed: true }),
  };
}
