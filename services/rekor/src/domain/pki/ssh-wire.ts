import { concatBytes, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/** A cursor over SSH's data types. RFC 4251, Section 5. */
export class SshReader {
  readonly #bytes: Uint8Array;
  readonly #field: string;
  #at = 0;

  constructor(bytes: Uint8Array, field: string) {
    this.#bytes = bytes;
    this.#field = field;
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Malformed(`${this.#field}: ends inside a value`);
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  uint32(): number {
    const octets = this.take(4);
    return new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0);
  }

  string(): Uint8Array {
    return this.take(this.uint32());
  }

  text(): string {
    return new TextDecoder("latin1").decode(this.string());
  }

  /** A positive mpint: the magnitude, in the one spelling that RFC 4251 allows. */
  magnitude(): Uint8Array {
    const octets = this.string();
    const [first = 0, second = 0] = octets;
    if (octets.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) {
      throw new Malformed(`${this.#field}: not a positive mpint`);
    }
    return first === 0 ? octets.subarray(1) : octets;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Malformed(`${this.#field}: has trailing bytes`);
  }
}

export function sshUint32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

export function sshString(content: string | Uint8Array): Uint8Array {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return concatBytes(sshUint32(bytes.length), bytes);
}
