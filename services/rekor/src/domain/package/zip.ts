import { setImmediate } from "node:timers/promises";
import { crc32, inflateRawSync } from "node:zlib";
import { Malformed, TooLarge } from "@chancery/fault";
import { type Entry, fromBufferPromise, type ZipFile } from "yauzl";

/** A ZIP archive in memory. Nothing of it is ever written anywhere, so that its names are but names. */
export interface ZipArchive {
  readonly members: readonly ZipMember[];
}

export interface ZipMember {
  readonly name: string;
  /** Inflated, in pieces, and never more of them than the archive's budget lets. */
  readonly read: () => AsyncIterable<Uint8Array>;
}

export interface ZipLimits {
  readonly members: number;
  /** Of all members together, inflated. */
  readonly bytes: number;
}

/**
 * Read by yauzl: from the central directory, with sizes checked while inflating. Two members of one name are refused,
 * because readers differ in which of them they take.
 */
export async function openZip(bytes: Uint8Array, limits: ZipLimits, field: string): Promise<ZipArchive> {
  const zip = await told(field, open(bytes));
  if (zip.entryCount > limits.members) throw new TooLarge(`${field}: more than ${limits.members} files in the archive`);
  let left = limits.bytes;
  const inflated = async function* (entry: Entry): AsyncGenerator<Uint8Array> {
    let sum = 0;
    for await (const piece of await piecesOf(zip, entry, bytes)) {
      left -= piece.length;
      if (left < 0) throw new TooLarge(`${field}: the archive unpacks to more than ${limits.bytes} bytes`);
      sum = crc32(piece, sum);
      yield piece;
    }
    if (sum !== entry.crc32) throw new Malformed(`${field}: a file of the archive has a wrong checksum`);
  };
  const members = new Map<string, ZipMember>();
  for (const entry of await told(field, entriesOf(zip))) {
    const name = entry.fileName;
    if (members.has(name)) throw new Malformed(`${field}: two files of one name in the archive`);
    members.set(name, { name, read: () => toldEach(field, inflated(entry)) });
  }
  return { members: [...members.values()] };
}

export async function readMember(member: ZipMember, maxBytes: number, field: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of member.read()) {
    length += piece.length;
    if (length > maxBytes) throw new TooLarge(`${field}: a file in META-INF is longer than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function open(bytes: Uint8Array): Promise<ZipFile> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return fromBufferPromise(buffer, { lazyEntries: true, strictFileNames: true });
}

async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) {
    entries.push(entry);
    // All in memory, the directory would be read in one turn.
    if (entries.length % 512 === 0) await setImmediate();
  }
  return entries;
}

const STORED = 0;
const DEFLATED = 8;
/** A stream costs a quarter of a millisecond, and most files are small: these are inflated at once. */
const SMALL = 128 * 1024;

async function piecesOf(
  zip: ZipFile,
  entry: Entry,
  bytes: Uint8Array,
): Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>> {
  const { compressionMethod: method, uncompressedSize: size } = entry;
  if (size > SMALL || entry.isEncrypted() || (method !== STORED && method !== DEFLATED)) {
    return (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>;
  }
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  // Others get their turn, also where files by the thousand are read one after another.
  await setImmediate();
  const stored = bytes.subarray(fileDataStart, fileDataStart + entry.compressedSize);
  const content = method === STORED ? stored : inflateRawSync(stored, { maxOutputLength: Math.max(size, 1) });
  if (content.length !== size) throw new RangeError("not of the size that the directory says");
  return [content];
}

/** What zlib and yauzl say of an archive, as this package says it. */
async function told<T>(field: string, outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (cause) {
    throw asFault(field, cause);
  }
}

async function* toldEach(field: string, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } catch (cause) {
    throw asFault(field, cause);
  }
}

function asFault(field: string, cause: unknown): unknown {
  if (cause instanceof TooLarge || cause instanceof Malformed) return cause;
  return new Malformed(`${field}: not a ZIP archive, or a damaged one, or one with names of files outside it`, {
    cause,
  });
}
