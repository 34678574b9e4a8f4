/** Writes what goes to another thread into one piece of memory, which changes hands. Numbers are big-endian. */
export class PackedWriter {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  number8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  number32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** Of a length that the reader knows. */
  octets(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Behind their length. */
  bytes(bytes: Uint8Array): void {
    this.number32(bytes.length);
    this.octets(bytes);
  }

  /** UTF-8 behind its length, written where it is to stand. */
  text(text: string): void {
    const most = 3 * text.length;
    this.#reserve(4 + most);
    const start = this.#length + 4;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start, start + most));
    this.number32(written);
    this.#length += written;
  }

  /** All that was written; the writer begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    // One large body is no reason to keep its room for ever.
    if (this.#bytes.length > MOST_KEPT) this.#grow(64 * 1024);
    return taken;
  }

  #reserve(more: number): void {
    if (this.#length + more > this.#bytes.length) this.#grow(2 * (this.#length + more));
  }

  #grow(size: number): void {
    const written = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(size);
    this.#bytes.set(written);
    this.#view = new DataView(this.#bytes.buffer);
  }
}

const MOST_KEPT = 1024 * 1024;
const encoder = new TextEncoder();

/** Reads it again. What is read shares the memory. */
export class PackedReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isDone(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number8(): number {
    return this.#view.getUint8(this.#at++);
  }

  number32(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  octets(length: number): Uint8Array {
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  bytes(): Uint8Array {
    return this.octets(this.number32());
  }
}
