import { checkDer, der, DerReader, Tag } from "../src/index.ts";
import { Malformed } from "@chancery/fault";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const reader = (text: string) => new DerReader(hex(text), "value");
const contentText = (bytes: Uint8Array) => Buffer.from(bytes.subarray(2)).toString();
const timeOf = (tag: number, text: string) => der.tlv(tag, Buffer.from(text));
const nested = (depth: number) =>
  Array.from({ length: depth }).reduce<Uint8Array>((inside) => der.sequence(inside), der.null());
const descend = (depth: number) => {
  let cursor = new DerReader(nested(depth), "x");
  for (let i = 0; i < depth; i++) cursor = cursor.sequence();
};
const openssl = (() => {
  try {
    return execFileSync("openssl", ["version"]).toString();
  } catch {
    return undefined;
  }
})();

describe("what is written", () => {
  test.for([
    ["zero", der.integer(0), "02 01 00"],
    ["127", der.integer(127), "02 01 7f"],
    ["128", der.integer(128n), "02 02 00 80"],
    ["256", der.integer(256), "02 02 01 00"],
    ["-1", der.integer(-1), "02 01 ff"],
    ["-128", der.integer(-128), "02 01 80"],
    ["-129", der.integer(-129n), "02 02 ff 7f"],
    ["magnitude 00 00 80", der.integerBytes(hex("000080")), "02 02 00 80"],
    ["magnitude 00", der.integerBytes(hex("00")), "02 01 00"],
    ["no magnitude", der.integerBytes(hex("")), "02 01 00"],
    ["true", der.boolean(true), "01 01 ff"],
    ["false", der.boolean(false), "01 01 00"],
    ["null", der.null(), "05 00"],
    ["X.690, 8.19.5", der.oid("2.999.3"), "06 03 88 37 03"],
    ["RSA Data Security", der.oid("1.2.840.113549"), "06 06 2a 86 48 86 f7 0d"],
    ["X.690, 8.6.4.2 as DER", der.bitString(hex("0a3b5f291cd0"), 4), "03 07 04 0a 3b 5f 29 1c d0"],
    ["unused bits are cleared", der.bitString(hex("ff"), 4), "03 02 04 f0"],
    ["no bits", der.bitString(hex("")), "03 01 00"],
    ["octets", der.octetString(hex("0102")), "04 02 01 02"],
    ["é", der.utf8String("é"), "0c 02 c3 a9"],
    ["printable", der.printableString("A b"), "13 03 41 20 62"],
    ["IA5", der.ia5String("a@b"), "16 03 61 40 62"],
    ["[0] explicit", der.explicit(0, der.null()), "a0 02 05 00"],
    ["[1] implicit", der.implicit(1, hex("61")), "81 01 61"],
    ["a set ascends", der.set(der.integer(2), der.null(), der.integer(1)), "31 08 02 01 01 02 01 02 05 00"],
    ["a sequence does not", der.sequence(der.integer(2), der.integer(1)), "30 06 02 01 02 02 01 01"],
    ["before 2000", der.time(new Date("1999-12-31T23:59:59Z")), "17 0d 39 39 31 32 33 31 32 33 35 39 35 39 5a"],
    ["2049", der.time(new Date("2049-12-31T23:59:59Z")), "17 0d 34 39 31 32 33 31 32 33 35 39 35 39 5a"],
    ["2050", der.time(new Date("2050-01-01T00:00:00Z")), "18 0f 32 30 35 30 30 31 30 31 30 30 30 30 30 30 5a"],
    ["1949", der.time(new Date("1949-01-01T00:00:00Z")), "18 0f 31 39 34 39 30 31 30 31 30 30 30 30 30 30 5a"],
  ] as const)("%s", ([, bytes, expected]) => {
    expect(bytes).toEqual(hex(expected));
  });

  test("a fraction of a second has no trailing zeros, and none at all unless asked for", () => {
    const time = new Date("2026-01-02T03:04:05.120Z");
    expect(contentText(der.generalizedTime(time))).toBe("20260102030405Z");
    expect(contentText(der.generalizedTime(time, { fraction: true }))).toBe("20260102030405.12Z");
    expect(contentText(der.generalizedTime(new Date("2026-01-02T03:04:05Z"), { fraction: true }))).toBe(
      "20260102030405Z",
    );
  });

  test.for([127, 128, 255, 256, 65_535, 65_536, 16_777_216])("a length of %i", (length) => {
    const bytes = der.octetString(new Uint8Array(length));
    expect(new DerReader(bytes, "x").octetString().length).toBe(length);
    expect(bytes.length - length).toBe(
      length < 128 ? 2 : length < 256 ? 3 : length < 65_536 ? 4 : length < 16_777_216 ? 5 : 6,
    );
  });

  test("a value without an encoding is the program's fault", () => {
    const wrong = [
      () => der.oid("1"),
      () => der.oid("1.40"),
      () => der.oid("3.1"),
      () => der.oid("1.02"),
      () => der.oid("1.2."),
      () => der.printableString("a@b"),
      () => der.ia5String("é"),
      () => der.utf8String("\ud800"),
      () => der.bitString(new Uint8Array(), 1),
      () => der.bitString(hex("00"), 8),
      () => der.explicit(31, der.null()),
      () => der.utcTime(new Date("2050-01-01T00:00:00Z")),
      () => der.generalizedTime(new Date(8.64e15)),
    ];
    for (const write of wrong) expect(write).toThrow(TypeError);
    expect(() => der.time(new Date(Number.NaN))).toThrow(RangeError);
  });

  test("an identifier handed out twice cannot be spoiled by whoever got it first", () => {
    der.oid("1.2.3.4").fill(0);
    expect(der.oid("1.2.3.4")).toEqual(hex("06 03 2a 03 04"));
  });
});

describe("what is written is read back", () => {
  test("integers", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), (value) => {
        expect(new DerReader(der.integer(value), "x").integer()).toBe(value);
      }),
    );
  });

  test("magnitudes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (magnitude) => {
        expect(new DerReader(der.integerBytes(magnitude), "x").integer()).toBe(BigInt(`0x${magnitude.toHex()}`));
      }),
    );
  });

  test("object identifiers", () => {
    const arc = fc.oneof(fc.nat(), fc.bigInt(0n, 2n ** 127n));
    const first = fc.oneof(fc.tuple(fc.nat(1), fc.nat(39)), fc.tuple(fc.constant(2), fc.bigInt(0n, 2n ** 126n)));
    // Six subidentifiers of at most 19 octets: within the 128 octets that the reader takes.
    fc.assert(
      fc.property(first, fc.array(arc, { maxLength: 5 }), ([a, b], rest) => {
        const oid = [a, b, ...rest].join(".");
        expect(new DerReader(der.oid(oid), "x").oid()).toBe(oid);
      }),
    );
  });

  test("times to the second, and to the millisecond with a fraction", () => {
    const time = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(time, (value) => {
        const seconds = new Date(Math.floor(value.getTime() / 1000) * 1000);
        expect(new DerReader(der.time(value), "x").time()).toEqual(seconds);
        const bytes = der.generalizedTime(value, { fraction: true });
        expect(new DerReader(bytes, "x").time({ fraction: true })).toEqual(value);
      }),
    );
  });

  test("bit strings", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(7), (bytes, unusedBits) => {
        const read = new DerReader(der.bitString(bytes, unusedBits), "x").bitString();
        expect(read.unusedBits).toBe(unusedBits);
        expect(read.bytes.at(-1)).toBe(bytes.at(-1)! & (0xff << unusedBits) & 0xff);
      }),
    );
  });

  test("strings", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(new DerReader(der.utf8String(text), "x").string()).toBe(text);
      }),
    );
  });

  test("a structure: optional parts are there or not, and the rest is where it was", () => {
    const inside = der.sequence(
      der.integer(1),
      der.explicit(0, der.boolean(true)),
      der.implicit(2, hex("61")),
      der.null(),
    );
    const sequence = new DerReader(inside, "x").sequence();
    expect(sequence.integer()).toBe(1n);
    expect(sequence.explicit(1)).toBeUndefined();
    expect(sequence.explicit(0)?.boolean()).toBe(true);
    expect(sequence.implicit(1)).toBeUndefined();
    expect(sequence.implicit(2)).toEqual(hex("61"));
    expect(sequence.optional(Tag.INTEGER)).toBeUndefined();
    expect(sequence.tag()).toBe(Tag.NULL);
    expect(sequence.any()).toEqual(hex("0500"));
    expect(sequence.done()).toBe(true);
    sequence.end();
  });

  test.skipIf(openssl === undefined)("and OpenSSL reads the same (skipped without it)", () => {
    const value = der.sequence(
      der.integer(-129),
      der.oid("2.25.329800735698586629295641978511506172918"),
      der.set(der.utf8String("é"), der.printableString("x")),
      der.explicit(3, der.generalizedTime(new Date("2051-02-03T04:05:06Z"))),
      der.bitString(hex("80"), 7),
      der.octetString(new Uint8Array(300)),
    );
    const listing = execFileSync("openssl", ["asn1parse", "-inform", "DER"], { input: value }).toString();
    const types = [...listing.matchAll(/(?:prim|cons): +(.*?) *(?::.*|\[HEX DUMP\].*)?$/gm)].map((match) => match[1]);
    expect(types).toEqual([
      "SEQUENCE",
      "INTEGER",
      "OBJECT",
      "SET",
      "UTF8STRING",
      "PRINTABLESTRING",
      "cont [ 3 ]",
      "GENERALIZEDTIME",
      "BIT STRING",
      "OCTET STRING",
    ]);
    expect(listing).toContain(":-81");
    expect(listing).toContain(":2.25.329800735698586629295641978511506172918");
    expect(listing).toContain(":20510203040506Z");
  });
});

describe("BER that is not DER is refused", () => {
  const misread: readonly (readonly [string, string, (r: DerReader) => unknown])[] = [
    ["indefinite length", "30 80 05 00 00 00", (r) => r.sequence()],
    ["a long length below 128", "04 81 01 00", (r) => r.octetString()],
    ["a length with a leading zero", `04 82 00 80 ${"00".repeat(128)}`, (r) => r.octetString()],
    ["a length of five octets", "04 85 00 00 00 00 01 00", (r) => r.octetString()],
    ["the reserved length ff", "04 ff", (r) => r.octetString()],
    ["a length past the end", "04 02 00", (r) => r.octetString()],
    ["a length of 4 GiB", "04 84 ff ff ff ff", (r) => r.octetString()],
    ["a cut length", "04 82 01", (r) => r.octetString()],
    ["no length", "04", (r) => r.octetString()],
    ["nothing", "", (r) => r.octetString()],
    ["nothing for any", "", (r) => r.any()],
    ["a high tag number", "1f 81 01 00", (r) => r.any()],
    ["a constructed octet string", "24 03 04 01 00", (r) => r.octetString()],
    ["TRUE as 01", "01 01 01", (r) => r.boolean()],
    ["an empty BOOLEAN", "01 00", (r) => r.boolean()],
    ["a BOOLEAN of two octets", "01 02 ff ff", (r) => r.boolean()],
    ["an empty INTEGER", "02 00", (r) => r.integer()],
    ["an INTEGER padded with 00", "02 02 00 7f", (r) => r.integer()],
    ["an INTEGER padded with ff", "02 02 ff 80", (r) => r.integerBytes()],
    ["a NULL with content", "05 01 00", (r) => r.null()],
    ["an empty OID", "06 00", (r) => r.oid()],
    ["an OID arc padded with 80", "06 03 2a 80 01", (r) => r.oid()],
    ["a cut OID arc", "06 02 2a 86", (r) => r.oid()],
    ["an OID arc of 140 bits", `06 15 2a ${"ff".repeat(19)} 7f`, (r) => r.oid()],
    ["an OID without end", `06 81 ff ${"01".repeat(255)}`, (r) => r.oid()],
    ["unused bits that are set", "03 02 04 ff", (r) => r.bitString()],
    ["eight unused bits", "03 02 08 00", (r) => r.bitString()],
    ["unused bits of nothing", "03 01 01", (r) => r.bitString()],
    ["an empty BIT STRING", "03 00", (r) => r.bitString()],
    ["PrintableString with @", "13 01 40", (r) => r.string()],
    ["IA5String with é", "16 01 e9", (r) => r.string()],
    ["broken UTF-8", "0c 02 c3 28", (r) => r.string()],
    ["an overlong UTF-8 NUL", "0c 02 c0 80", (r) => r.string()],
    ["a TeletexString", "14 01 41", (r) => r.string()],
    ["trailing bytes", "05 00 00", (r) => (r.null(), r.end())],
  ];
  test.for(misread)("%s", ([, text, act]) => {
    expect(() => act(reader(text))).toThrow(Malformed);
  });

  test.for([
    [0x17, "2601020304Z"],
    [0x17, "260102030405+0000"],
    [0x17, "260230000000Z"],
    [0x17, "261301000000Z"],
    [0x17, "260101240000Z"],
    [0x17, "260101006000Z"],
    [0x17, "260101000060Z"],
    [0x17, "26010203040Z"],
    [0x17, "260102030405.5Z"],
    [0x17, "260102030405Z "],
    [0x17, "２60102030405Z"],
    [0x18, "20260102030405"],
    [0x18, "20260102030405.5Z"],
    [0x18, "2026010203Z"],
    [0x18, "20250229000000Z"],
    [0x18, `20260102030405${"0".repeat(60)}Z`],
    [0x04, "20260102030405Z"],
  ] as const)("time %i %j", ([tag, text]) => {
    expect(() => new DerReader(timeOf(tag, text), "x").time()).toThrow(Malformed);
  });

  test.for(["20260102030405.50Z", "20260102030405.Z", "20260102030405.0Z", "20260102030405,5Z"])(
    "fraction %j",
    (text) => {
      expect(() => new DerReader(timeOf(0x18, text), "x").time({ fraction: true })).toThrow(Malformed);
    },
  );

  test("a fraction finer than a millisecond is cut", () => {
    const read = new DerReader(timeOf(0x18, "20260102030405.0009Z"), "x").time({ fraction: true });
    expect(read.toISOString()).toBe("2026-01-02T03:04:05.000Z");
  });

  test("leap days of leap years are days", () => {
    expect(new DerReader(timeOf(0x17, "240229000000Z"), "x").time().toISOString()).toBe("2024-02-29T00:00:00.000Z");
  });

  test("a fault names the input and what was expected there", () => {
    expect(() => new DerReader(der.null(), "certificate").integer()).toThrow(
      new Malformed("certificate: NULL where INTEGER is expected"),
    );
    expect(() => new DerReader(hex(""), "certificate").sequence()).toThrow(
      new Malformed("certificate: ends where SEQUENCE is expected"),
    );
    expect(() => new DerReader(hex("a300"), "certificate").sequence()).toThrow(
      new Malformed("certificate: [3] where SEQUENCE is expected"),
    );
  });

  test("nesting stops at 16", () => {
    descend(16);
    expect(() => descend(17)).toThrow(new Malformed("x: DER is nested deeper than 16"));
  });
});

describe("a whole value is checked to its leaves", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = Uint8Array.from(publicKey.export({ type: "spki", format: "der" }));

  test("what OpenSSL writes passes", () => {
    expect(() => checkDer(spki, "key")).not.toThrow();
  });

  test.for([
    ["trailing bytes", "05 00 00"],
    ["nothing", ""],
    ["a padded INTEGER inside", "30 04 02 02 00 01"],
    ["TRUE as 01 inside", "30 03 01 01 01"],
    ["a set that does not ascend", "31 06 02 01 02 02 01 01"],
    ["a constructed BIT STRING", "23 03 03 01 00"],
    ["a primitive SEQUENCE", "10 00"],
    ["an inner length past the end", "30 03 04 02 00"],
    ["NULL with content under [0]", "a0 03 05 01 00"],
  ] as const)("%s", ([, text]) => {
    expect(() => checkDer(hex(text), "x")).toThrow(Malformed);
  });

  test("ten thousand levels are refused and not followed", () => {
    expect(() => checkDer(nested(10_000), "x")).toThrow(new Malformed("x: DER is nested deeper than 16"));
  });

  test("no bytes make it fail in another way than Malformed", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(spki.length - 1), fc.nat(255)).map(([at, octet]) => spki.with(at, octet)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          checkDer(input, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

test("an object identifier that falls into the place of another is still its own", () => {
  const oids = Array.from({ length: 2_000 }, (_, arc) => `1.3.6.1.4.1.57264.1.${arc}`);
  for (const oid of [...oids, ...oids.toReversed()]) expect(new DerReader(der.oid(oid), "x").oid()).toBe(oid);
});
