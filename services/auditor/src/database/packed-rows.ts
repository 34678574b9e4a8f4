/**
 * Rows that the server has packed into one bytea: PostgreSQL's `…send` forms, big-endian. As single columns each row
 * costs more to take apart than its leaf costs to hash.
 */
export class PackedRows {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array | null) {
    this.#bytes = bytes ?? new Uint8Array();
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  int8(): bigint {
    this.#at += 8;
    return this.#view.getBigInt64(this.#at - 8);
  }

  int4(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4);
  }

  bytes(length: number): Uint8Array {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
