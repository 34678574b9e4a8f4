import { array, assert, property, string, stringMatching } from "fast-check";
import { describe, expect, test } from "vitest";
import { csvRecord } from "../src/export/csv.ts";

/** A reader by the letter of RFC 4180, Section 2: nothing but its grammar. */
function parseRecord(text: string): string[] {
  const cells: string[] = [];
  let rest = text;
  for (;;) {
    const [whole, quoted, plain] =
      /^(?:"((?:[\x20-\x21\x23-\x7e\u{80}-\u{10ffff}]|"")*)"|([\x20-\x21\x23-\x2b\x2d-\x7e]*))/u.exec(rest) ?? [""];
    cells.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    rest = rest.slice(whole.length);
    if (rest === "\r\n") return cells;
    if (!rest.startsWith(",")) throw new Error(`not RFC 4180: ${rest}`);
    rest = rest.slice(1);
  }
}

describe("cells", () => {
  test.for([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    [" =1", "' =1"],
    ["\t=1", String.raw`'\u{9}=1`],
    ["\r=1", String.raw`'\u{d}=1`],
    ["＝1", "'＝1"],
    ["'=1", "''=1"],
    ["'", "''"],
    ["a=1", "a=1"],
    ["dev@example.com", "dev@example.com"],
    ['say "x"', 'say "x"'],
    ["a,b;c", "a,b;c"],
    ["a\nb", String.raw`a\u{a}b`],
    ["\u202Eabc", String.raw`\u{202e}abc`],
    ["", ""],
  ] as const)("%j is read as %j", ([text, read]) => {
    expect(parseRecord(csvRecord(["x", text, "y"]))).toEqual(["x", read, "y"]);
  });

  test("are one line and no formula, whatever is in them, and each other cell stays where it is", () => {
    assert(
      property(array(string({ unit: "binary" }), { minLength: 1, maxLength: 5 }), (texts) => {
        const record = csvRecord(texts);
        const read = parseRecord(record);
        expect(read).toHaveLength(texts.length);
        for (const cell of read) expect(cell).not.toMatch(/^\s*[=+\-@＝＋－＠]/);
      }),
    );
  });

  test("an apostrophe taken away gives back what was there", () => {
    assert(
      property(stringMatching(/^[\x20-\x7e]{0,20}$/), (text) => {
        const [read = ""] = parseRecord(csvRecord([text]));
        expect(read.startsWith("'") ? read.slice(1) : read).toBe(text);
      }),
    );
  });

  test("a number is a number, and nothing is nothing", () => {
    expect(csvRecord([1, undefined, ""])).toBe("1,,\r\n");
  });
});
