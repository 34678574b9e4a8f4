import { describe, expect, test } from "vitest";
import { LineCheck } from "../src/export/line-check.ts";
import type { Manifest } from "../src/export/manifest.ts";

const ESCAPE = "\u001B[2J\u001B]0;owned\u0007";

function findings(kind: Manifest["kind"], lines: readonly object[]): readonly string[] {
  const log = kind === "entries" ? "rekor" : "ctlog";
  const check = new LineCheck({
    kind,
    format: "jsonl",
    created: "2026-01-01T00:00:00Z",
    filters: {},
    count: String(lines.length),
    bytes: "0",
    sha256: "0".repeat(64),
    logs: [{ log, origin: "log", size: "9", root: "0".repeat(64), checkpoint: "", from: "0", to: "9" }],
  });
  for (const line of lines) check.line(new TextEncoder().encode(JSON.stringify(line)));
  check.end();
  return check.findings;
}

const at = (time: unknown) => ({ time });

describe("a file that nobody signed for writes nothing to the terminal but text:", () => {
  const hostile: readonly [string, Manifest["kind"], object[]][] = [
    ["escapes in a log index", "entries", [{ log: "rekor", logIndex: ESCAPE, body: "", leafHash: "" }]],
    ["escapes in a log", "entries", [{ log: ESCAPE, logIndex: "0", body: "", leafHash: "" }]],
    ["escapes in a comment of a time", "refusals", [at("2026-01-02 00:00:00"), at(`2026-01-01 00:00:00 (${ESCAPE})`)]],
    ["escapes in a time", "certificates", [{ issuedAt: ESCAPE }]],
    ["members that are no text", "entries", [{ log: { toString: 1 }, logIndex: { toString: 1 }, body: "" }]],
    ["a time that is no text", "refusals", [at({ toString: 1, valueOf: 1 })]],
  ];
  test.for(hostile)("%s", ([, kind, lines]) => {
    const found = findings(kind, lines);
    expect(found).not.toEqual([]);
    for (const finding of found) expect(finding).not.toMatch(/\p{Cc}/u);
  });
});

test("a time has a place in the order by RFC 3339 alone", () => {
  for (const time of ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z", "2026-01-01T01:00:00+01:00"]) {
    expect(findings("refusals", [{ time }])).toEqual([]);
  }
  for (const time of ["2026-01-01 00:00:00 (x)", "2026-01-01", "1", 1, "2026-13-01T00:00:00Z", undefined]) {
    expect(findings("refusals", [{ time }])).toEqual(["line 1: has no place in the order"]);
  }
});
