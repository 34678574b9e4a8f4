import { Malformed } from "@chancery/fault";
import { concatBytes } from "./bytes.ts";

/**
 * The TLS presentation language (RFC 8446, Section 3): big-endian numbers and vectors `opaque name<0..2^n-1>` behind
 * an n-bit length. A number that does not fit its width is a fault of the program, a RangeError.
 */
export class TlsWriter {
  readonly #parts: Uint8Array[] = [];

  uint8(value: number): this {
    return this.#number(value, 1);
  }

  uint16(value: number): this {
    return this.#number(value, 2);
  }

  uint24(value: number): this {
    return this.#number(value, 3);
  }

  uint32(value: number): this {
    return this.#number(value, 4);
  }

  uint64(value: bigint): this {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} does not fit 64 bits`);
    const octets = new Uint8Array(8);
    new DataView(octets.buffer).setBigUint64(0, value);
    return this.bytes(octets);
  }

  opaque8(value: Uint8Array): this {
    return this.uint8(value.length).bytes(value);
  }

  opaque16(value: Uint8Array): this {
    return this.uint16(value.length).bytes(value);
  }

  opaque24(value: Uint8Array): this {
    return this.uint24(value.length).bytes(value);
  }

  /** As they stand: a fixed-length `opaque name[n]`, or a struct already encoded. */
  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  finish(): Uint8Array {
    return concatBytes(...this.#parts);
  }

  #number(value: number, width: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** width) {
      throw new RangeError(`${value} does not fit ${width * 8} bits`);
    }
    const octets = new Uint8Array(width);
    for (let i = width - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) octets[i] = rest % 256;
    return this.bytes(octets);
  }
}

/** The mirror of {@link TlsWriter}. Answers are views into the given bytes, not copies. */
export class TlsReader {
  readonly #bytes: Uint8Array;
  readonly #field: string;
  #at = 0;

  constructor(bytes: Uint8Array, field: string) {
    this.#bytes = bytes;
    this.#field = field;
  }

  uint8(): number {
    return this.#number(1);
  }

  uint16(): number {
    return this.#number(2);
  }

  uint24(): number {
    return this.#number(3);
  }

  uint32(): number {
    return this.#number(4);
  }

  uint64(): bigint {
    const octets = this.bytes(8);
    return new DataView(octets.buffer, octets.byteOffset, 8).getBigUint64(0);
  }

  opaque8(): Uint8Array {
    return this.bytes(this.uint8());
  }

  opaque16(): Uint8Array {
    return this.bytes(this.uint16());
  }

  opaque24(): Uint8Array {
    return this.bytes(this.uint24());
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new Malformed(`${this.#field}: ends too early`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  done(): boolean {
    return this.#at === this.#bytes.length;
  }

  end(): void {
    if (!this.done()) throw new Malformed(`${this.#field}: has trailing bytes`);
  }

  #number(width: number): number {
    return this.bytes(width).reduce((value, octet) => value * 256 + octet, 0);
  }
}
