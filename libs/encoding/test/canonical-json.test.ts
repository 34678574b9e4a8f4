import { canonicalJson, type JsonValue, parseJson, utf8 } from "../src/index.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("RFC 8785", () => {
  test("Section 3.2.2: literals, numbers and strings", () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(parseJson(input, "example"))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test("Section 3.2.3: keys in the order of their UTF-16 code units", () => {
    const input = String.raw`{
      "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
    }`;
    const values = [...canonicalJson(parseJson(input, "example")).matchAll(/:"(.*?)"[,}]/g)].map((match) => match[1]);
    expect(values).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ]);
  });

  test("Section 3.2.4: the octets of the example", () => {
    const bytes = utf8(canonicalJson({ "\u20ac": "\u20ac$\u000f", a: [true] }));
    expect(bytes.toHex()).toBe("7b2261223a5b747275655d2c22e282ac223a22e282ac245c7530303066227d");
  });

  test.for([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ] as const)("Appendix B: %s is %s", ([bits, text]) => {
    expect(canonicalJson(new DataView(Uint8Array.fromHex(bits).buffer).getFloat64(0))).toBe(text);
  });
});

const value = fc.jsonValue({ maxDepth: 5, stringUnit: "binary" }) as fc.Arbitrary<JsonValue>;

test("the canonical form is read back as the same value, and is its own canonical form", () => {
  fc.assert(
    fc.property(value, (candidate) => {
      const text = canonicalJson(candidate);
      const back = parseJson(text, "canonical", { roundIntegers: true });
      expect(canonicalJson(back)).toBe(text);
      expect(back).toEqual(JSON.parse(JSON.stringify(candidate)));
    }),
  );
});

test("the order in which keys were set does not matter", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.nat()), (object) => {
      const entries = Object.entries(object).filter(([key]) => key !== "__proto__");
      expect(canonicalJson(Object.fromEntries(entries.toReversed()))).toBe(canonicalJson(Object.fromEntries(entries)));
    }),
  );
});

test("__proto__ is written like any other key", () => {
  expect(canonicalJson(parseJson('{"b":1,"__proto__":{"a":2}}', "x"))).toBe('{"__proto__":{"a":2},"b":1}');
});

test.for([
  ["NaN", Number.NaN],
  ["Infinity", [Number.POSITIVE_INFINITY]],
  ["a lone surrogate", "\ud800"],
  ["a lone surrogate in a key", { "\udc00": 1 }],
  ["undefined", { a: undefined }],
  ["a bigint", [1n]],
  ["a function", { a: () => 1 }],
] as const)("%s has no canonical form", ([, wrong]) => {
  expect(() => canonicalJson(wrong as JsonValue)).toThrow(TypeError);
});

const nested = (depth: number) => Array.from({ length: depth }).reduce<JsonValue>((inside) => [inside], null);

test("a value nested without end is refused before the stack is", () => {
  expect(canonicalJson(nested(256))).toHaveLength(516);
  expect(() => canonicalJson(nested(257))).toThrow(TypeError);
  expect(() => canonicalJson(nested(1_000_000))).toThrow(TypeError);
});
