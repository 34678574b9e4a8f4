/**
 * Arrays as bind parameters in PostgreSQL's binary form, for `unnest($1::bytea[])`. As text, which is
 * what pg makes of an array, bytea costs two hex characters a byte and a parse at either end.
 *
 * The form (array_recv, src/backend/utils/adt/arrayfuncs.c), all big-endian int32:
 * dimensions, has-nulls, element type, length, lower bound, then for each element its length and bytes.
 */
const HEADER = 20;
const BYTEA = 17;
const INT4 = 23;
const INT8 = 20;
const TEXT = 25;
const UUID = 2950;

export function bytesArray(values: readonly Uint8Array[]): Uint8Array {
  const size = values.reduce((sum, value) => sum + 4 + value.length, HEADER);
  const out = allocate(BYTEA, values.length, size);
  let offset = HEADER;
  for (const value of values) {
    offset = out.writeInt32BE(value.length, offset);
    out.set(value, offset);
    offset += value.length;
  }
  return out;
}

/** PostgreSQL takes no NUL in a text. */
export function textArray(values: readonly string[]): Uint8Array {
  const size = values.reduce((sum, value) => sum + 4 + Buffer.byteLength(value), HEADER);
  const out = allocate(TEXT, values.length, size);
  let offset = HEADER;
  for (const value of values) {
    const length = out.write(value, offset + 4);
    offset = out.writeInt32BE(length, offset) + length;
  }
  return out;
}

export function bigintArray(values: readonly bigint[]): Uint8Array {
  const out = allocate(INT8, values.length, HEADER + values.length * 12);
  let offset = HEADER;
  for (const value of values) {
    offset = out.writeInt32BE(8, offset);
    offset = out.writeBigInt64BE(value, offset);
  }
  return out;
}

export function integerArray(values: readonly number[]): Uint8Array {
  const out = allocate(INT4, values.length, HEADER + values.length * 8);
  let offset = HEADER;
  for (const value of values) {
    offset = out.writeInt32BE(4, offset);
    offset = out.writeInt32BE(value, offset);
  }
  return out;
}

const FIXED = { uuid: { type: UUID, bytes: 16 }, bigint: { type: INT8, bytes: 8 } } as const;

/** Of a type whose binary form is so many bytes as they are; undefined is NULL. */
export function fixedArray(type: keyof typeof FIXED, values: readonly (Uint8Array | undefined)[]): Uint8Array {
  const { bytes } = FIXED[type];
  const there = values.reduce((sum, value) => sum + (value === undefined ? 0 : 1), 0);
  const array = new FixedArrayWriter(type, values.length, there);
  for (const [at, value] of values.entries()) {
    if (value === undefined) {
      array.skipTo(at + 1);
      continue;
    }
    if (value.length !== bytes) throw new RangeError(`a ${type} has ${bytes} bytes, not ${value.length}`);
    array.add(value, 0);
  }
  return array.finish();
}

/** The same, whose elements come one by one out of larger pieces of bytes. */
export class FixedArrayWriter {
  readonly #bytes: number;
  readonly #out: Buffer;
  #offset = HEADER;
  #length = 0;

  /** Of `length` elements so many that are not NULL. */
  constructor(type: keyof typeof FIXED, length: number, there: number) {
    const { type: elementType, bytes } = FIXED[type];
    this.#bytes = bytes;
    this.#out = allocate(elementType, length, HEADER + 4 * length + bytes * there, there < length);
  }

  /** What stands at `begin`. */
  add(source: Uint8Array, begin: number): void {
    const [bytes, out] = [this.#bytes, this.#out];
    if (begin + bytes > source.length) throw new RangeError(`${bytes} bytes from ${begin} of ${source.length}`);
    const offset = out.writeInt32BE(bytes, this.#offset);
    // Octet by octet: a view of so few costs several times as much.
    for (let at = 0; at < bytes; at++) out[offset + at] = source[begin + at] ?? 0;
    this.#offset = offset + bytes;
    this.#length++;
  }

  /** NULL for all elements before this one that are not there yet. */
  skipTo(length: number): void {
    for (; this.#length < length; this.#length++) this.#offset = this.#out.writeInt32BE(-1, this.#offset);
  }

  finish(): Uint8Array {
    if (this.#offset !== this.#out.length) throw new RangeError("an array has other elements than were announced");
    return this.#out;
  }
}

function allocate(elementType: number, length: number, size: number, hasNulls = false): Buffer {
  const out = Buffer.allocUnsafe(size);
  out.writeInt32BE(1, 0);
  out.writeInt32BE(hasNulls ? 1 : 0, 4);
  out.writeInt32BE(elementType, 8);
  out.writeInt32BE(length, 12);
  out.writeInt32BE(1, 16);
  return out;
}
