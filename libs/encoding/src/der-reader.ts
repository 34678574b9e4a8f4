import { Malformed } from "@chancery/fault";
import { Tag } from "./der-tag.ts";
import { decodeOid } from "./der-oid.ts";
import { decodeTime } from "./der-time.ts";

/** Deeper than any certificate, CSR or timestamp goes; a bound on what a hostile one can make us do. */
export const MAX_DER_DEPTH = 16;

/**
 * A cursor over a series of DER values (X.690, Sections 8, 10 and 11). One value has one encoding here: a length that
 * is not minimal, an indefinite length, a padded INTEGER, TRUE written as 01, unused bits that are set are all
 * Malformed. Otherwise a third party could re-spell a signed structure and have it logged a second time.
 *
 * Answers are views into the given bytes, not copies.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #field: string;
  readonly #depth: number;
  readonly #end: number;
  #at: number;
  #length = 0;

  /** `field` names the input in faults. `depth` and the bounds are for readers opened inside others. */
  constructor(bytes: Uint8Array, field: string, depth = 0, start = 0, end = bytes.length) {
    if (depth > MAX_DER_DEPTH) throw new Malformed(`${field}: DER is nested deeper than ${MAX_DER_DEPTH}`);
    this.#bytes = bytes;
    this.#field = field;
    this.#depth = depth;
    this.#at = start;
    this.#end = end;
  }

  /** The next value's identifier octet, or undefined at the end. */
  tag(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at] : undefined;
  }

  done(): boolean {
    return this.#at === this.#end;
  }

  end(): void {
    if (!this.done()) throw this.#malformed("has trailing bytes");
  }

  /** The content of the next value, which must have this tag. */
  read(tag: number): Uint8Array {
    const content = this.#content(tag);
    return this.#bytes.subarray(content, this.#at);
  }

  /** The content of the next value if it has this tag; nothing is consumed otherwise. */
  optional(tag: number): Uint8Array | undefined {
    return this.tag() === tag ? this.read(tag) : undefined;
  }

  /** The next value whole, whatever it is: identifier, length and content. Only its header is checked. */
  any(): Uint8Array {
    if (this.done()) throw this.#malformed("ends where a value is expected");
    const start = this.#at;
    this.#at = this.#header() + this.#length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** A constructed value's inside: the tag is SEQUENCE, SET or a constructed context tag. */
  open(tag: number): DerReader {
    const content = this.#content(tag);
    return new DerReader(this.#bytes, this.#field, this.#depth + 1, content, this.#at);
  }

  sequence(): DerReader {
    return this.open(Tag.SEQUENCE);
  }

  /** SET OF. That its members ascend (X.690, Section 11.6) is left to {@link checkDer}. */
  set(): DerReader {
    return this.open(Tag.SET);
  }

  /** OPTIONAL [n], constructed: the inside, or undefined when another value comes next. */
  explicit(n: number): DerReader | undefined {
    const tag = Tag.CONTEXT_CONSTRUCTED | n;
    return this.tag() === tag ? this.open(tag) : undefined;
  }

  /** OPTIONAL [n] IMPLICIT, primitive: the content octets, or undefined when another value comes next. */
  implicit(n: number): Uint8Array | undefined {
    return this.optional(Tag.CONTEXT | n);
  }

  integer(): bigint {
    const octets = this.integerBytes();
    // Sized by the caller's input limit: a BigInt from hex is linear, unlike one from decimal.
    return BigInt.asIntN(octets.length * 8, BigInt(`0x${octets.toHex()}`));
  }

  /** Two's complement, big-endian, minimal. */
  integerBytes(): Uint8Array {
    const octets = this.read(Tag.INTEGER);
    const first = octets[0];
    const second = octets[1] ?? 0;
    if (first === undefined) throw this.#malformed("an INTEGER without content");
    const padded = (first === 0 && second < 0x80) || (first === 0xff && second >= 0x80);
    if (padded && octets.length > 1) throw this.#malformed("an INTEGER longer than it need be");
    return octets;
  }

  boolean(): boolean {
    const octets = this.read(Tag.BOOLEAN);
    if (octets.length !== 1 || (octets[0] !== 0 && octets[0] !== 0xff)) throw this.#malformed("not a DER BOOLEAN");
    return octets[0] === 0xff;
  }

  null(): void {
    if (this.read(Tag.NULL).length !== 0) throw this.#malformed("a NULL with content");
  }

  oid(): string {
    const content = this.#content(Tag.OID);
    return decodeOid(this.#bytes, content, this.#at) ?? this.#fail("not a DER object identifier");
  }

  octetString(): Uint8Array {
    return this.read(Tag.OCTET_STRING);
  }

  bitString(): { readonly bytes: Uint8Array; readonly unusedBits: number } {
    const content = this.read(Tag.BIT_STRING);
    const unusedBits = content[0] ?? 8;
    const bytes = content.subarray(1);
    const last = bytes.at(-1);
    const fits = last === undefined ? unusedBits === 0 : unusedBits < 8 && (last & ((1 << unusedBits) - 1)) === 0;
    if (!fits) throw this.#malformed("not a DER BIT STRING");
    return { bytes, unusedBits };
  }

  /** UTF8String, PrintableString or IA5String, each held to its alphabet. */
  string(): string {
    const tag = this.tag();
    const alphabet = tag === undefined ? undefined : ALPHABETS.get(tag);
    if (tag === undefined || alphabet === undefined) throw this.#malformed("no character string where one is expected");
    const text = decodeUtf8(this.read(tag));
    if (text === undefined || !alphabet.test(text)) throw this.#malformed(`characters that ${name(tag)} does not have`);
    return text;
  }

  /**
   * UTCTime or GeneralizedTime, in seconds and Z (RFC 5280, Section 4.1.2.5). A fraction, which only RFC 3161 knows,
   * is read when `fraction` is set, to the millisecond.
   */
  time(options: { readonly fraction?: boolean } = {}): Date {
    const tag = this.tag() === Tag.UTC_TIME ? Tag.UTC_TIME : Tag.GENERALIZED_TIME;
    return decodeTime(tag, this.read(tag), options.fraction === true) ?? this.#fail("not a DER time");
  }

  /** Where the content of the next value begins, which must have this tag; the cursor goes to its end. */
  #content(tag: number): number {
    const found = this.tag();
    if (found !== tag) {
      throw this.#malformed(
        found === undefined ? `ends where ${name(tag)} is expected` : `${name(found)} where ${name(tag)} is expected`,
      );
    }
    const content = this.#header();
    this.#at = content + this.#length;
    return content;
  }

  /**
   * Reads identifier and length octets at the cursor, which has at least one octet left: answers where the content
   * begins, and leaves its length in `#length`. An object for the two was a tenth of a certificate's time.
   */
  #header(): number {
    const bytes = this.#bytes;
    const at = this.#at;
    if (((bytes[at] ?? 0) & 0x1f) === 0x1f) throw this.#malformed("a tag number beyond 30");
    const first = this.#lengthOctet(at + 1);
    if (first < 0x80) return this.#bounded(at + 2, first);
    const octets = first & 0x7f;
    // 0x80 is BER's indefinite length. Four octets hold 4 GiB, more than any input limit.
    if (octets === 0 || octets > 4) throw this.#malformed("a length that DER does not have");
    let length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + this.#lengthOctet(at + 2 + i);
    if (length < 0x80 || length < 256 ** (octets - 1)) throw this.#malformed("a length longer than it need be");
    return this.#bounded(at + 2 + octets, length);
  }

  #lengthOctet(at: number): number {
    if (at >= this.#end) throw this.#malformed("ends inside a length");
    return this.#bytes[at] ?? 0;
  }

  #bounded(content: number, length: number): number {
    if (length > this.#end - content) throw this.#malformed("ends inside a value");
    this.#length = length;
    return content;
  }

  #malformed(reason: string): Malformed {
    return new Malformed(`${this.#field}: ${reason}`);
  }

  #fail(reason: string): never {
    throw this.#malformed(reason);
  }
}

const ALPHABETS: ReadonlyMap<number, RegExp> = new Map<number, RegExp>([
  [Tag.UTF8_STRING, /^/],
  [Tag.PRINTABLE_STRING, /^[A-Za-z0-9 '()+,\-./:=?]*$/],
  // oxlint-disable-next-line no-control-regex -- IA5 is ASCII with its control characters.
  [Tag.IA5_STRING, /^[\x00-\x7f]*$/],
]);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function name(tag: number): string {
  const known = Object.entries(Tag).find(([, value]) => value === tag)?.[0];
  if (known !== undefined && tag < 0x80) return known.replaceAll("_", " ");
  return (tag & 0xc0) === 0x80 ? `[${tag & 0x1f}]` : `tag 0x${tag.toString(16).padStart(2, "0")}`;
}
