import { compareBytes, concatBytes, decodeHex, encodeHex, equalBytes, utf8 } from "../src/index.ts";
import { Malformed } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const bytes = fc.uint8Array({ maxLength: 64 });

describe("bytes", () => {
  test("joined parts are the parts, one after the other", () => {
    fc.assert(
      fc.property(fc.array(bytes), (parts) => {
        expect([...concatBytes(...parts)]).toEqual(parts.flatMap((part) => [...part]));
      }),
    );
  });

  test("order is that of the hexadecimal text, and equality is order 0", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [x, y] = [Buffer.from(a).toString("hex"), Buffer.from(b).toString("hex")];
        expect(compareBytes(a, b)).toBe(x < y ? -1 : x > y ? 1 : 0);
        expect(equalBytes(a, b)).toBe(x === y);
        expect(equalBytes(a, a.slice())).toBe(true);
      }),
    );
  });

  test("utf8 gives octets", () => {
    expect([...utf8("é€")]).toEqual([0xc3, 0xa9, 0xe2, 0x82, 0xac]);
    for (const text of [
      "",
      "a".repeat(64),
      "a".repeat(65),
      `${"a".repeat(63)}é`,
      "a\u007f",
      "a\u0080",
      "\ud800",
      "a😀",
    ]) {
      expect(utf8(text)).toEqual(new Uint8Array(Buffer.from(text)));
    }
  });
});

describe("hexadecimal", () => {
  test("reads what it writes, in either case", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeHex(encodeHex(value), "hash")).toEqual(value);
        expect(decodeHex(encodeHex(value).toUpperCase(), "hash")).toEqual(value);
      }),
    );
  });

  test.for(["0", "0x00", "zz", "00 00", "00\n", "é0", "-1", "０0"])("%j is refused by name", (text) => {
    expect(() => decodeHex(text, "hash")).toThrow(new Malformed("hash: not hexadecimal"));
  });
});
