import { TlsReader, TlsWriter } from "../src/index.ts";
import { Malformed } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

test("numbers are big-endian and vectors carry their length", () => {
  const bytes = new TlsWriter()
    .uint8(1)
    .uint16(0x0203)
    .uint24(0x040506)
    .uint32(0xfffefdfc)
    .uint64(0x0102030405060708n)
    .opaque8(Uint8Array.of(0xaa))
    .opaque16(Uint8Array.of(0xbb, 0xbc))
    .opaque24(Uint8Array.of(0xcc))
    .bytes(Uint8Array.of(0xdd))
    .finish();
  expect(bytes.toHex()).toBe(
    ["01", "0203", "040506", "fffefdfc", "0102030405060708", "01aa", "0002bbbc", "000001cc", "dd"].join(""),
  );
});

test("the reader is the writer's mirror", () => {
  const struct = fc.record({
    a: fc.nat(0xff),
    b: fc.nat(0xffff),
    c: fc.nat(0xffffff),
    d: fc.nat(0xffffffff),
    e: fc.bigInt(0n, 2n ** 64n - 1n),
    x: fc.uint8Array({ maxLength: 255 }),
    y: fc.uint8Array({ maxLength: 700 }),
    z: fc.uint8Array({ maxLength: 700 }),
  });
  fc.assert(
    fc.property(struct, ({ a, b, c, d, e, x, y, z }) => {
      const bytes = new TlsWriter().uint8(a).uint16(b).uint24(c).uint32(d).uint64(e).opaque8(x).opaque16(y).opaque24(z);
      const reader = new TlsReader(bytes.finish(), "struct");
      expect([reader.uint8(), reader.uint16(), reader.uint24(), reader.uint32(), reader.uint64()]).toEqual([
        a,
        b,
        c,
        d,
        e,
      ]);
      expect([reader.opaque8(), reader.opaque16(), reader.opaque24()]).toEqual([x, y, z]);
      expect(reader.done()).toBe(true);
      reader.end();
    }),
  );
});

test("a struct in a struct is written as if it were octets, as it was when it was given", () => {
  const inner = new TlsWriter().uint32(0xfffefdfc).opaque8(Uint8Array.of(1, 2));
  const outer = new TlsWriter()
    .uint8(7)
    .opaque16(inner)
    .opaque24(inner)
    .bytes(inner)
    .uint64(2n ** 63n + 1n);
  const written = inner.finish();
  inner.uint8(9);
  const plain = new TlsWriter()
    .uint8(7)
    .opaque16(written)
    .opaque24(written)
    .bytes(written)
    .uint64(2n ** 63n + 1n);
  expect(outer.finish()).toEqual(plain.finish());
  expect(outer.length).toBe(plain.finish().length);
});

test("a writer tells its own octets from all that differ in one or in length", () => {
  const writer = new TlsWriter()
    .uint24(0xfe0102)
    .uint32(0x80000001)
    .opaque8(Uint8Array.of(5, 6))
    .uint64(2n ** 64n - 2n);
  const octets = writer.finish();
  expect(writer.matches(octets)).toBe(true);
  for (const [at, octet] of octets.entries()) {
    expect(writer.matches(octets.with(at, octet ^ 0x80))).toBe(false);
    expect(writer.matches(octets.with(at, octet ^ 1))).toBe(false);
  }
  expect(writer.matches(octets.subarray(0, -1))).toBe(false);
  expect(writer.matches(Uint8Array.of(...octets, 0))).toBe(false);
});

describe("what does not fit is refused", () => {
  test("a reader that runs out of bytes", () => {
    expect(() => new TlsReader(Uint8Array.of(1), "sct").uint16()).toThrow(new Malformed("sct: ends too early"));
    expect(() => new TlsReader(Uint8Array.of(0, 2, 1), "sct").opaque16()).toThrow(new Malformed("sct: ends too early"));
    expect(() => new TlsReader(new Uint8Array(7), "sct").uint64()).toThrow(Malformed);
  });

  test("bytes after the end", () => {
    expect(() => new TlsReader(Uint8Array.of(1), "sct").end()).toThrow(new Malformed("sct: has trailing bytes"));
  });

  test("a number wider than its field is the program's fault", () => {
    expect(() => new TlsWriter().uint8(256)).toThrow(RangeError);
    expect(() => new TlsWriter().uint16(-1)).toThrow(RangeError);
    expect(() => new TlsWriter().uint32(1.5)).toThrow(RangeError);
    expect(() => new TlsWriter().uint64(2n ** 64n)).toThrow(RangeError);
    expect(() => new TlsWriter().opaque8(new Uint8Array(256))).toThrow(RangeError);
  });
});
