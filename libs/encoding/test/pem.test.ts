import { encodePem, parsePem, utf8 } from "../src/index.ts";
import { Malformed } from "@chancery/fault";
import { generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = publicKey.export({ type: "spki", format: "pem" });
const spki = Uint8Array.from(publicKey.export({ type: "spki", format: "der" }));

test("what OpenSSL writes is read, and written the same", () => {
  expect(parsePem(pem, "key")).toEqual([{ label: "PUBLIC KEY", der: spki }]);
  expect(encodePem("PUBLIC KEY", spki)).toBe(pem);
});

test("blocks of any content come back in their order", () => {
  const blocks = fc.array(
    fc.record({
      label: fc.constantFrom("CERTIFICATE", "PUBLIC KEY", "X509 CRL"),
      der: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(blocks, (list) => {
      expect(parsePem(list.map(({ label, der }) => encodePem(label, der)).join("\n"), "chain")).toEqual(list);
    }),
  );
});

describe("the standard form of RFC 7468 is tolerant of white space alone", () => {
  test.for([
    ["CRLF", pem.replaceAll("\n", "\r\n")],
    ["no line end after the last line", pem.trimEnd()],
    ["blank lines around it", `\n\n${pem}\n \n`],
    ["spaces after a line", pem.replaceAll("\n", " \n")],
    ["one long line", pem.replaceAll(/(?<=[A-Za-z0-9+/])\n(?!-)/g, "")],
  ] as const)("%s", ([, text]) => {
    expect(parsePem(text, "key")).toEqual([{ label: "PUBLIC KEY", der: spki }]);
    expect(parsePem(utf8(text), "key")).toEqual([{ label: "PUBLIC KEY", der: spki }]);
  });
});

describe("anything else is refused", () => {
  test.for([
    ["nothing", "", "key: no PEM block"],
    ["white space", " \n", "key: no PEM block"],
    ["text before it", `subject=x\n${pem}`, "key: not PEM, or text outside its blocks"],
    ["text after it", `${pem}x`, "key: not PEM, or text outside its blocks"],
    ["text on its last line", `${pem.trimEnd()}x\n`, "key: text after the end of the PEM block PUBLIC KEY"],
    ["no end", pem.slice(0, 200), "key: the PEM block PUBLIC KEY has no end"],
    ["another end", pem.replace("END PUBLIC", "END PRIVATE"), "key: the PEM block PUBLIC KEY has no end"],
    ["an end within a line", pem.replace("\n-----END", "-----END"), "key: the PEM block PUBLIC KEY has no end"],
    [
      "headers",
      pem.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n"),
      "key (PEM block PUBLIC KEY): not canonical base64",
    ],
    ["a letter that is not base64", pem.replace("\nMI", "\nM!"), "key (PEM block PUBLIC KEY): not canonical base64"],
    ["a space within a line", pem.replace("\nMI", "\nM I"), "key (PEM block PUBLIC KEY): not canonical base64"],
    ["no content", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "key: the PEM block PUBLIC KEY is empty"],
    ["lower case", pem.replaceAll("PUBLIC", "public"), "key: not PEM, or text outside its blocks"],
    ["a byte order mark", `\uFEFF${pem}`, "key: not PEM, or text outside its blocks"],
  ] as const)("%s", ([, text, message]) => {
    expect(() => parsePem(text, "key")).toThrow(new Malformed(message));
  });

  test("another label", () => {
    expect(() => parsePem(pem, "chain", { labels: ["CERTIFICATE"] })).toThrow(
      new Malformed("chain: a PEM block PUBLIC KEY where CERTIFICATE is expected"),
    );
  });

  test("more blocks than may stand here", () => {
    expect(() => parsePem(pem + pem, "key", { max: 1 })).toThrow(new Malformed("key: more than 1 PEM block"));
    expect(() => parsePem(pem.repeat(17), "key")).toThrow(new Malformed("key: more than 16 PEM blocks"));
  });

  test("octets that are not ASCII do not become ASCII", () => {
    expect(() => parsePem(Uint8Array.of(0xe2, 0x80, 0x94, ...utf8(pem)), "key")).toThrow(Malformed);
  });

  test("a megabyte of dashes is refused at once", () => {
    expect(() => parsePem("-".repeat(1_000_000), "key")).toThrow(Malformed);
    expect(() => parsePem(`-----BEGIN A-----\n${"\r".repeat(1_000_000)}`, "key")).toThrow(Malformed);
    expect(() => parsePem(`-----BEGIN A-----\n${" ".repeat(100_000)}-----END A-----`, "key")).toThrow(Malformed);
  });

  test("a line of 100,000 blanks takes no longer than any other line", () => {
    const line = `${" ".repeat(100_000)}x`;
    for (const body of [line, `${line} \r`, `\t${line}`]) {
      expect(() => parsePem(`-----BEGIN A-----\n${body}\n-----END A-----\n`, "key")).toThrow(Malformed);
    }
  });
});
