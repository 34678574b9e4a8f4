import {
  decodeBase64,
  decodeBase64AsText,
  decodeBase64Lenient,
  decodeBase64Lines,
  decodeBase64Url,
  encodeBase64,
  encodeBase64OfText,
  encodeBase64Url,
  utf8,
} from "../src/index.ts";
import { Malformed } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const bytes = fc.uint8Array({ maxLength: 200 });

test.for([
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
] as const)("RFC 4648, Section 10: %j is %j", ([text, encoded]) => {
  expect(encodeBase64(utf8(text))).toBe(encoded);
  expect(decodeBase64(encoded, "x")).toEqual(utf8(text));
  expect(decodeBase64Url(encoded.replaceAll("=", ""), "x")).toEqual(utf8(text));
});

test("every byte string has one text, and Buffer agrees on it", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(encodeBase64(value)).toBe(Buffer.from(value).toString("base64"));
      expect(encodeBase64Url(value)).toBe(Buffer.from(value).toString("base64url"));
      expect(decodeBase64(encodeBase64(value), "x")).toEqual(value);
      expect(decodeBase64Url(encodeBase64Url(value), "x")).toEqual(value);
      for (const text of [encodeBase64(value), encodeBase64Url(value), encodeBase64(value).replaceAll("=", "")]) {
        expect(decodeBase64Lenient(text, "x")).toEqual(value);
      }
    }),
  );
});

/** A character an octet. */
const latin1 = (octets: Uint8Array) => Buffer.from(octets).toString("latin1");

test("base64 of text of a character an octet is that of its octets", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(encodeBase64OfText(latin1(value))).toBe(encodeBase64(value));
      expect(decodeBase64AsText(encodeBase64(value), "x")).toBe(latin1(value));
    }),
  );
});

/** Of both alphabets a little, and what stands around them. */
const ALPHABET = ["A", "Z", "a", "z", "0", "9", "+", "/", "-", "_", "=", " ", "\n"];

test("whatever the strict decoders accept is what they would write", () => {
  const text = fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 12 });
  fc.assert(
    fc.property(text, (candidate) => {
      const accepted = (decode: typeof decodeBase64) => {
        try {
          return decode(candidate, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
          return undefined;
        }
      };
      const standard = accepted(decodeBase64);
      const asText = accepted((base64, field) =>
        Uint8Array.from(Buffer.from(decodeBase64AsText(base64, field), "latin1")),
      );
      expect(asText).toEqual(standard);
      if (standard !== undefined) expect(encodeBase64(standard)).toBe(candidate);
      const url = accepted(decodeBase64Url);
      if (url !== undefined) expect(encodeBase64Url(url)).toBe(candidate);
    }),
    { numRuns: 2_000 },
  );
});

describe("a second spelling of a value is refused by the strict decoder", () => {
  test.for(["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm 9v", "Zg==Zg==", "_-==", "Zm9v=", "Z", "é"])(
    "%j",
    (text) => {
      expect(() => decodeBase64(text, "digest")).toThrow(new Malformed("digest: not canonical base64"));
    },
  );

  test.for(["Zg==", "Zh", "Zm9", "Zm9v\n", "+/", "Z", "Zm9v="])("base64url %j", (text) => {
    expect(() => decodeBase64Url(text, "token")).toThrow(new Malformed("token: not canonical base64url"));
  });
});

describe("the lenient decoder reads what Go's clients may send", () => {
  test.for([
    ["Zg", "f"],
    ["Zg==", "f"],
    ["Zh==", "f"],
    ["Zm9v\nYmFy\r\n", "foobar"],
    ["", ""],
  ] as const)("%j", ([text, value]) => {
    expect(decodeBase64Lenient(text, "x")).toEqual(utf8(value));
  });

  test("both alphabets, but not in one text", () => {
    expect([...decodeBase64Lenient("-_-_", "x")]).toEqual([...decodeBase64Lenient("+/+/", "x")]);
    expect(() => decodeBase64Lenient("-_+/", "x")).toThrow(Malformed);
  });

  test.for(["Z", "Zg===", "Zm 9v", "Zm9v!", "Zg==Zg=="])("%j is refused", (text) => {
    expect(() => decodeBase64Lenient(text, "x")).toThrow(new Malformed("x: not base64"));
  });
});

test("lines are read as what they are without their line feeds, and as nothing where that is not canonical", () => {
  const text = fc.oneof(
    bytes.map(encodeBase64),
    fc.string({
      unit: fc.constantFrom("A", "Q", "R", "=", "+", "-", " ", "\f", "\r", "\t", "\v", "\u00a0"),
      maxLength: 12,
    }),
  );
  const cuts = fc.array(fc.nat({ max: 300 }), { maxLength: 6 });
  fc.assert(
    fc.property(text, cuts, (joined, places) => {
      const lines = places.reduce((cut, place) => `${cut.slice(0, place)}\n${cut.slice(place)}`, joined);
      expect(outcome(() => decodeBase64Lines(lines, "x"))).toEqual(outcome(() => decodeBase64(joined, "x")));
    }),
  );
});

test("canonical is what the encoder writes, and nothing else", () => {
  const unit = fc.constantFrom("A", "Q", "R", "/", "=", " ", "\n", "-");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 10 }), (text) => {
      const loose = Buffer.from(text, "base64");
      const isCanonical = loose.toString("base64") === text;
      expect(outcome(() => decodeBase64(text, "x"))).toEqual(isCanonical ? new Uint8Array(loose) : "refused");
    }),
  );
});

function outcome(decode: () => Uint8Array): Uint8Array | "refused" {
  try {
    return decode();
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed);
    return "refused";
  }
}
