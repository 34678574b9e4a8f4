import { describe, expect, test } from "vitest";
import { csv } from "../src/web/text/csv.ts";
import { pieces, printable, printableLines } from "../src/web/text/printable.ts";
import { safeLink } from "../src/web/text/safe-link.ts";
import { duration, grouped, utcTime } from "../src/web/text/time.ts";

describe("a stranger's text", () => {
  test.for([
    ["a plain one", "dev@example.com", "dev@example.com"],
    ["umlauts, Hebrew and emoji", "Jürgen שלום 🦊", "Jürgen שלום 🦊"],
    ["a right-to-left override", "gpj.\u202eexe", "gpj.\\u{202E}exe"],
    ["a zero-width space", "ad\u200bmin", "ad\\u{200B}min"],
    ["controls", "a\u0000b\u0007c\u009b", "a\\u{0000}b\\u{0007}c\\u{009B}"],
    ["line separators", "a\nb\u2028c", "a\\u{000A}b\\u{2028}c"],
    ["a space that is none", "a\u00a0b", "a\\u{00A0}b"],
    ["a Hangul filler", "a\u3164b", "a\\u{3164}b"],
    ["language tags", "a\u{e0041}b", "a\\u{E0041}b"],
    ["half a character", "a\ud800b", "a\\u{D800}b"],
    ["a tower of marks", `a${"\u0301".repeat(5)}`, `a${"\u0301".repeat(3)}\\u{0301}\\u{0301}`],
  ] as const)("shows %s", ([, text, shown]) => {
    expect(printable(text)).toBe(shown);
  });

  test("loses nothing: texts and escapes together are the text", () => {
    const text = "a\u202eb\u0000c";
    expect(pieces(text)).toEqual([
      { kind: "text", text: "a" },
      { kind: "escape", text: "U+202E" },
      { kind: "text", text: "b" },
      { kind: "escape", text: "U+0000" },
      { kind: "text", text: "c" },
    ]);
  });

  test("keeps the lines of a document", () => {
    expect(printableLines('{\r\n\t"a\u202e": 1\n}')).toBe('{\n    "a\\u{202E}": 1\n}');
  });
});

describe("a link", () => {
  test.for(["https://github.com/acme/app", "http://localhost:8700/idp", "https://a.example:443/x?y=1#z"])(
    "leads where it says: %s",
    (text) => {
      expect(safeLink(text)).toBe(new URL(text).href);
    },
  );

  test.for([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "//evil.example",
    "/relative",
    "https://good.example@evil.example/",
    "https://user:pass@evil.example/",
    "https://xn--80ak6aa92e.com/",
    "https://аррӏе.com/",
    "https://a.example/\u202egpj.exe",
    "https://a.example/ b",
    "https://a.example\\@evil.example",
    "https:///evil.example",
    "https://0x7f.1/",
    "https://1.1/",
    `https://a.example/${"x".repeat(3_000)}`,
    "dev@example.com",
    "",
  ])("leads nowhere: %j", (text) => {
    expect(safeLink(text)).toBeUndefined();
  });
});

test("a cell is never a formula", () => {
  const cells = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "|cmd", "%x", "＝1", 'a"b', "a,b", "plain", ""];
  expect(csv([cells])).toBe(`"'=1+1","'+1","'-1","'@SUM(A1)","' =1","'|cmd","'%x","'＝1","a""b","a,b",plain,\r\n`);
});

test("a cell is one cell where semicolons part them, and no formula begins after one", () => {
  expect(csv([["a;b", "x;=1+1", 'x;"=1', "x; @SUM(A1);+2"]])).toBe(`"a;b","x;'=1+1","x;""'=1","x; '@SUM(A1);'+2"\r\n`);
});

test("tabs, lines and what turns a text around are told by their numbers in a cell", () => {
  const cells = ["a\tb", "\t=1", "a\r\nb", "gpj.\u202eexe", "ad\u200bmin", "a\u0000b", "ü 🦊"];
  expect(csv([cells])).toBe(
    "a\\u{0009}b,\\u{0009}=1,a\\u{000D}\\u{000A}b,gpj.\\u{202E}exe,ad\\u{200B}min,a\\u{0000}b,ü 🦊\r\n",
  );
});

test("times and numbers read the same everywhere", () => {
  expect(utcTime("2026-11-21T16:47:53Z")).toBe("2026-11-21 16:47:53 UTC");
  expect(utcTime("not a time")).toBe("not a time");
  expect([600_000, 3_600_000, 61_000, 5_000, 90_000_000].map(duration)).toEqual([
    "10 min",
    "1 h",
    "1 min 1 s",
    "5 s",
    "1 d 1 h",
  ]);
  expect(grouped("12345678901234567890")).toBe("12,345,678,901,234,567,890");
});
