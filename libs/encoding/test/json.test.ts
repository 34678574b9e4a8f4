import { type JsonObject, type JsonValue, parseJson, utf8 } from "../src/index.ts";
import { Malformed, TooLarge } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const parse = (text: string) => parseJson(utf8(text), "body");

test("any value is read as JSON.parse reads it", () => {
  const value = fc.jsonValue({ maxDepth: 6, stringUnit: "binary" });
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, "\t"), (candidate, indent) => {
      const text = JSON.stringify(candidate, null, indent);
      // -0 and -0.0 alike; JSON.stringify has already made the one into 0.
      expect(parseJson(text, "body", { roundIntegers: true })).toEqual(JSON.parse(text));
      expect(parseJson(utf8(text), "body", { roundIntegers: true })).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test("text that is nearly JSON is accepted only if JSON.parse accepts it, and with the same value", () => {
  const tokens = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b"',
    '"\\u0041"',
    "1",
    "-0",
    "1e2",
    "0.5",
    "01",
    "true",
    "nul",
    " ",
    "\n",
  ];
  const text = fc.array(fc.constantFrom(...tokens), { maxLength: 9 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, (candidate) => {
      const ours = outcome(() => parseJson(candidate, "body"));
      const native = outcome(() => JSON.parse(candidate) as JsonValue);
      if (ours.fault === undefined) expect(ours.value).toEqual(native.value);
      else if (native.fault === undefined)
        expect(ours.fault).toMatchObject({ message: expect.stringMatching(/comes twice|out of range|beyond 2/) });
    }),
    { numRuns: 20_000 },
  );
});

function outcome(read: () => JsonValue): { value?: JsonValue; fault?: unknown } {
  try {
    return { value: read() };
  } catch (fault) {
    return { fault };
  }
}

/** JSONTestSuite's shapes: its n_ files by what they try, and those i_ files on which we decide to refuse. */
describe("refused", () => {
  const texts: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["a space", " "],
    ["a byte order mark", "\uFEFF{}"],
    ["text after the value", "{} x"],
    ["a second value", "{}{}"],
    ["a closing bracket more", "[1]]"],
    ["an open array", "[1"],
    ["an open object", '{"a":1'],
    ["a trailing comma", "[1,]"],
    ["a trailing comma in an object", '{"a":1,}'],
    ["a leading comma", "[,1]"],
    ["two commas", "[1,,2]"],
    ["a missing comma", "[1 2]"],
    ["a missing colon", '{"a" 1}'],
    ["a missing value", '{"a":}'],
    ["a key that is no string", "{a:1}"],
    ["a number as key", "{1:1}"],
    ["a key in single quotes", "{'a':1}"],
    ["a comment", "[1/*x*/]"],
    ["a line comment", "[1]//x"],
    ["NaN", "[NaN]"],
    ["Infinity", "[-Infinity]"],
    ["True", "[True]"],
    ["a cut literal", "[tru]"],
    ["a literal with more", "[nulll]"],
    ["a leading zero", "[01]"],
    ["a minus alone", "[-]"],
    ["a plus", "[+1]"],
    ["a point without digits", "[1.]"],
    ["a point first", "[.5]"],
    ["an exponent without digits", "[1e]"],
    ["hexadecimal", "[0x1]"],
    ["digits of another script", "[１]"],
    ["a form feed as white space", "[\f]"],
    ["a no-break space", "[\u00a0]"],
    ["U+2060", "[\u2060]"],
    ["a NUL outside a string", "[1\u0000]"],
    ["a raw newline in a string", '["\n"]'],
    ["a raw tab in a string", '["\t"]'],
    ["a raw NUL in a string", '["\u0000"]'],
    ["an open string", '["a'],
    ["an open string after a backslash", '["\\'],
    ["an unknown escape", '["\\x00"]'],
    ["an escaped newline", '["\\\n"]'],
    ["three hexadecimal digits", '["\\u00A"]'],
    ["an upper-case U", '["\\U0041"]'],
    ["a lone high surrogate", '["\\ud800"]'],
    ["a lone low surrogate", '["\\udc00"]'],
    ["surrogates the wrong way round", '["\\udc00\\ud800"]'],
    ["a high surrogate and a letter", '["\\ud800a"]'],
    ["a lone surrogate in a key", '{"\\ud800":1}'],
    ["a key that comes twice", '{"a":1,"a":1}'],
    ["a key that comes twice, once escaped", '{"a":1,"\\u0061":2}'],
    ["a __proto__ that comes twice", '{"__proto__":1,"__proto__":2}'],
    ["1e999", "[1e999]"],
    ["-1e999", "[-1e999]"],
    ["2^53", "[9007199254740992]"],
    ["-2^53", "[-9007199254740992]"],
    ["a number of ten thousand digits", `[${"9".repeat(10_000)}]`],
    ["depth 33", "[".repeat(33) + "]".repeat(33)],
    ["depth 10^6, open", "[".repeat(1_000_000)],
    ["depth 10^5 of objects, open", '{"a":'.repeat(100_000)],
  ];
  test.for(texts)("%s", ([, text]) => {
    expect(() => parse(text)).toThrow(Malformed);
    expect(() => parseJson(text, "body")).toThrow(Malformed);
  });

  test.for([
    ["an octet that UTF-8 does not have", [0x22, 0xff, 0x22]],
    ["an overlong slash", [0x22, 0xc0, 0xaf, 0x22]],
    ["a surrogate in UTF-8", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["beyond U+10FFFF", [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
    ["a cut sequence", [0x22, 0xe2, 0x82, 0x22]],
    ["Latin-1", [0x22, 0xe9, 0x22]],
    ["UTF-16", [0xff, 0xfe, 0x5b, 0x00, 0x5d, 0x00]],
  ] as const)("%s", ([, octets]) => {
    expect(() => parseJson(Uint8Array.from(octets), "body")).toThrow(Malformed);
  });

  test("a lone surrogate in a text that never was UTF-8", () => {
    expect(() => parseJson('["\ud800"]', "body")).toThrow(Malformed);
  });

  test("more bytes than may stand here", () => {
    expect(() => parseJson(utf8('"aaaa"'), "body", { maxBytes: 5 })).toThrow(new TooLarge("body: longer than 5 bytes"));
    expect(() => parseJson(new Uint8Array(4 * 1024 * 1024 + 1), "body")).toThrow(TooLarge);
  });

  test("the message says what and where, and quotes little of what was sent", () => {
    expect(() => parse('{"a":1,"a":2}')).toThrow(new Malformed('body: the key "a" comes twice (at 10)'));
    const key = "k".repeat(100_000);
    expect(() => parse(`{"${key}":1,"${key}":1}`)).toThrow(/^.{0,120}$/);
  });
});

describe("accepted", () => {
  test.for([
    ["white space of all four kinds", " \t\r\n[ 1 , 2 ]\n", [1, 2]],
    ["a scalar", "null", null],
    ["an empty key", '{"":0}', { "": 0 }],
    ["every escape", '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00"', '"\\/\b\f\n\r\té😀'],
    ["escapes and plain text in turn", '"a\\u0062c\\n"', "abc\n"],
    ["DEL and U+2028 in a string", '"\u007f\u2028"', "\u007f\u2028"],
    ["a noncharacter", '"\uffff"', "\uffff"],
    ["2^53 - 1", "9007199254740991", 2 ** 53 - 1],
    ["a double beyond", "1e300", 1e300],
    ["a number that underflows", "1e-999", 0],
    ["depth 32", "[".repeat(32) + "]".repeat(32), JSON.parse("[".repeat(32) + "]".repeat(32))],
    ["a hundred arrays side by side", `[${"[],".repeat(99)}[]]`, Array.from({ length: 100 }, () => [])],
    ["a hundred objects side by side", `[${"{},".repeat(99)}{}]`, Array.from({ length: 100 }, () => ({}))],
    ["the same key in two objects", '[{"a":1},{"a":2}]', [{ a: 1 }, { a: 2 }]],
  ] as const)("%s", ([, text, value]) => {
    expect(parse(text)).toEqual(value);
  });

  test("__proto__ and constructor are keys like any other", () => {
    const object = parse('{"__proto__":{"polluted":true},"constructor":1,"toString":2}') as JsonObject;
    expect(Object.getPrototypeOf(object)).toBe(null);
    expect(Object.keys(object)).toEqual(["__proto__", "constructor", "toString"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect("hasOwnProperty" in (parse("{}") as JsonObject)).toBe(false);
  });

  test("limits may be wider where a caller says so, but never without end", () => {
    const deep = "[".repeat(256) + "]".repeat(256);
    expect(() => parseJson(deep, "body", { maxDepth: 256 })).not.toThrow();
    expect(() => parseJson(`[${deep}]`, "body", { maxDepth: 1_000_000 })).toThrow(Malformed);
    expect(parseJson("[18446744073709551615]", "body", { roundIntegers: true })).toEqual([18446744073709552000]);
  });

  test("a hundred thousand keys take no quadratic time", () => {
    const text = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])));
    const before = performance.now();
    expect(Object.keys(parse(text) as JsonObject)).toHaveLength(100_000);
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

const large = (unit: string) => unit.repeat(Math.floor((10 * 1024 * 1024) / unit.length));
const read = (text: string) => () => parseJson(text, "body", { maxBytes: 11 * 1024 * 1024 });

describe("ten megabytes of what is slow to read cost no more than ten megabytes of text", () => {
  test.each([
    ["line breaks", "\\n"],
    ["code units", "\\u0041"],
    ["quotes", '\\"'],
    ["surrogate pairs", "\\ud83d\\ude00"],
  ])("escapes of %s", (_name, unit) => {
    const text = `["${large(unit)}"]`;
    const before = process.cpuUsage();
    expect(read(text)()).toEqual(JSON.parse(text));
    // Of the processor, whoever else uses it: 0.06 s, and 1.3 s with a regular expression an escape.
    expect(process.cpuUsage(before).user).toBeLessThan(700_000);
    expect(read(text.slice(0, -2))).toThrow("no end");
  });

  test.each(["{},", "[],", "1,", '"",', '{"a":1},'])("a list of %s is refused for its number of values", (unit) => {
    expect(read(`[${large(unit)}1]`)).toThrow("more than 200000 values");
  });
});

test("a string with escapes is accepted exactly where JSON.parse accepts it", () => {
  const parts = [
    "\\",
    '"',
    "n",
    "u",
    "0041",
    "d800",
    "\\ud800",
    "\\udc00",
    "\n",
    "\\n",
    "\\\\",
    '\\"',
    "x",
    "\u2028",
    "\u0000",
  ];
  const text = fc.array(fc.constantFrom(...parts), { maxLength: 8 }).map((chosen) => `"\\t${chosen.join("")}"`);
  fc.assert(
    fc.property(text, (candidate) => {
      const ours = outcome(() => parseJson(candidate, "body"));
      const native = outcome(() => JSON.parse(candidate) as JsonValue);
      const wellFormed = typeof native.value === "string" && native.value.isWellFormed();
      expect(ours.value).toEqual(wellFormed ? native.value : undefined);
    }),
    { numRuns: 20_000 },
  );
});
