import { createPublicKey, verify } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeNote, isKeyName, MAX_NOTE_BYTES, type NoteSignature, parseNote } from "../src/index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64");
const line = (name: string, at = 1) => `— ${name} ${base64(new Uint8Array(68).fill(at))}\n`;
const malformed = expect.objectContaining({ code: "malformed" }) as Error;

/** Notes with published signatures, and the key that made them as the specification writes it. */
const PUBLISHED = [
  {
    source: "c2sp.org/signed-note, Example",
    key: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    text: "This is an example message.\n",
    note: "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
  },
  {
    source: "golang.org/x/mod/sumdb/note, example_test.go",
    key: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
    note: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
  },
];

describe("published notes", () => {
  test.for(PUBLISHED)("$source", ({ key, text, note }) => {
    const [name, hash, encoded] = key.split(/\+(.*?)\+(.*)/s) as [string, string, string];
    const parsed = parseNote(bytes(note));
    expect(parsed.text).toBe(text);
    expect(parsed.signatures).toMatchObject([{ name, keyHash: new Uint8Array(Buffer.from(hash, "hex")) }]);
    // SPKI of Ed25519: a fixed header, then the 32 bytes.
    const spki = Buffer.concat([
      Buffer.from("302a300506032b6570032100", "hex"),
      Buffer.from(encoded, "base64").subarray(1),
    ]);
    const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
    expect(verify(null, bytes(text), publicKey, parsed.signatures[0]!.signature)).toBe(true);
    expect(encodeNote(parsed.text, parsed.signatures)).toEqual(bytes(note));
  });
});

describe("reading a note", () => {
  test("splits at the last empty line, and keeps empty lines of the text", () => {
    const { text, signatures } = parseNote(bytes(`a\n\nb\n\n${line("x")}${line("y")}`));
    expect(text).toBe("a\n\nb\n");
    expect(signatures.map(({ name }) => name)).toEqual(["x", "y"]);
  });

  test("takes signatures of unknown kinds, as large as ML-DSA's", () => {
    const large = `— witness ${base64(new Uint8Array(4900).fill(9))}\n`;
    expect(parseNote(bytes(`a\n\n${line("x")}${large.repeat(8)}`)).signatures).toHaveLength(9);
  });

  test("takes 64 signatures and no more", () => {
    expect(parseNote(bytes(`a\n\n${line("x").repeat(64)}`)).signatures).toHaveLength(64);
    expect(() => parseNote(bytes(`a\n\n${line("x").repeat(65)}`))).toThrow("more than 64");
    expect(() => parseNote(bytes(`a\n\n${"— x AAAAAAA=\n".repeat(4_000)}`))).toThrow("more than 64");
  });

  test("refuses more than 64 KiB before looking at it", () => {
    expect(() => parseNote(new Uint8Array(MAX_NOTE_BYTES + 1))).toThrow(
      expect.objectContaining({ code: "too-large" }) as Error,
    );
  });

  test("keeps a byte order mark, which is signed like any other character", () => {
    expect(parseNote(bytes(`\u{feff}a\n\n${line("x")}`)).text).toBe("\u{feff}a\n");
  });

  test.for([
    ["nothing", ""],
    ["no signature", "a\n"],
    ["no signature below the empty line", "a\n\n"],
    ["no empty line", `a\n${line("x")}`],
    ["no final newline", `a\n\n${line("x").trimEnd()}`],
    ["a line that is not a signature", `a\n\n${line("x")}b\n`],
    ["an empty line at the end", `a\n\n${line("x")}\n`],
    ["a hyphen for the dash", `a\n\n${line("x").replace("—", "-")}`],
    ["two spaces", `a\n\n${line("x").replace("x ", "x  ")}`],
    ["no name", `a\n\n${line("")}`],
    ["a space in the name", `a\n\n${line("x y")}`],
    ["a no-break space in the name", `a\n\n${line("x\u{a0}y")}`],
    ["an ideographic space in the name", `a\n\n${line("x\u{3000}y")}`],
    ["a plus in the name", `a\n\n${line("x+y")}`],
    ["a carriage return", `a\r\n\n${line("x")}`],
    ["a tab", `a\tb\n\n${line("x")}`],
    ["a NUL", `a\0\n\n${line("x")}`],
    ["base64 that is not canonical", "a\n\n— x AAAAAAB=\n"],
    ["base64 without padding", "a\n\n— x AAAAAAA\n"],
    ["base64 of the URL alphabet", "a\n\n— x AAAAAA__\n"],
    ["a key hash and no signature", "a\n\n— x AAAAAA==\n"],
    ["a third part", `a\n\n${line("x").trimEnd()} b\n`],
  ] as const)("with %s is malformed", ([, note]) => {
    expect(() => parseNote(bytes(note))).toThrow(malformed);
  });

  test("with bytes that are not UTF-8 is malformed", () => {
    expect(() => parseNote(Uint8Array.of(0xff, ...bytes(`\n\n${line("x")}`)))).toThrow("UTF-8");
    expect(() => parseNote(Uint8Array.of(0xed, 0xa0, 0x80, ...bytes(`\n\n${line("x")}`)))).toThrow("UTF-8");
  });

  test("never fails in another way than a fault, and gives back what it read", () => {
    const piece = fc.constantFrom("a", "\n", "\n\n", "— ", "x ", "AAAAAAA=", line("x"), "+", "\0", "é");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const note = bytes(pieces.join(""));
        try {
          const { text, signatures } = parseNote(note);
          expect(encodeNote(text, signatures)).toEqual(note);
        } catch (error) {
          expect(error).toMatchObject({ code: "malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("writing a note", () => {
  const signature: NoteSignature = { name: "x", keyHash: new Uint8Array(4), signature: new Uint8Array(64) };

  test.for([
    ["no newline at the end", "a", [signature]],
    ["a control character", "a\u{7}\n", [signature]],
    ["half a character", "\u{d800}\n", [signature]],
    ["no signature", "a\n", []],
    ["65 signatures", "a\n", Array.from({ length: 65 }, () => signature)],
    ["an empty name", "a\n", [{ ...signature, name: "" }]],
    ["a space in a name", "a\n", [{ ...signature, name: "x y" }]],
    ["a plus in a name", "a\n", [{ ...signature, name: "x+y" }]],
    ["a newline in a name", "a\n", [{ ...signature, name: "x\ny" }]],
    ["an em dash in a name", "a\n", [{ ...signature, name: "—" }]],
    ["a key hash of 32 bytes", "a\n", [{ ...signature, keyHash: new Uint8Array(32) }]],
  ] as const)("with %s is refused", ([, text, signatures]) => {
    expect(() => encodeNote(text, signatures)).toThrow(malformed);
  });

  test("a name is anything without spaces and pluses", () => {
    expect(["rekor.example", "example.com/log42", "é"].every(isKeyName)).toBe(true);
    expect(["", " ", "a b", "a+b", "a\u{2028}b", "a\u{85}b"].some(isKeyName)).toBe(false);
  });
});
