import { expect, test } from "vitest";
import { chancery } from "./export-world.ts";

test.for([
  [["entries"], "--out: is missing"],
  [["everything", "--out", "x"], "export: say one of entries, certificates, refusals, verify"],
  [["entries", "--out", "x", "--subject", "y"], "--subject: is no filter of entries"],
  [["entries", "--out", "x", "--log", "ctlog"], "--log: none of rekor, rekor-v2"],
  [["entries", "--out", "x", "--san-glob", "*"], "--san-glob: "],
  [["entries", "--out", "x", "--digest", "xyz"], "--digest: neither"],
  [["certificates", "--out", "x", "--code", "y"], "--code: is no filter of certificates"],
  [["refusals", "--out", "x", "--code", "y", "--code", "z"], "--code: is given more than once"],
  [["entries", "--out", "x", "--from", "yesterday"], "--from: is neither an ISO date"],
  [["entries", "--out", "x", "--from", "2026-11-31"], "--from: is neither an ISO date"],
  [["entries", "--out", "x", "--to", "2026-11-30T24:00Z"], "--to: is neither an ISO date"],
  [["entries", "--out", "x", "--to", "2026-11-30 24:00"], "--to: is neither an ISO date"],
  [["entries", "--out", "x", "--from", "2026-01-02", "--to", "2026-01-01"], "--from: is not before --to"],
  [["entries", "--out", "x", "--format", "xml"], "--format: xml is none of jsonl, csv, bare"],
  [["refusals", "--out", "x", "--format", "bare"], "--format: bare is none of jsonl, csv"],
  [["entries", "--out", "/nonexistent/x", "--resume"], "--resume: no export to /nonexistent/x was begun"],
  [["entries", "--out", "x", "--resume", "--from", "1h"], "--from: was said when the export began"],
  [["entries", "--out", "x", "--data", "/nonexistent"], "holds no installation"],
  [["verify", "x"], "export verify: say a file and its manifest"],
  [["verify", "x", "y"], "--key: say whose signature"],
  [["verify", "/nonexistent", "/nonexistent", "--key", "/nonexistent"], "--key: /nonexistent is no key"],
] as const)("export %j: exit code 2 and why", async ([args, reason]) => {
  expect(await chancery("export", ...args)).toMatchObject({ code: 2, err: expect.stringContaining(reason) });
});

test("export explains itself", async () => {
  for (const args of [
    ["export", "--help"],
    ["export", "entries", "--help"],
  ]) {
    const { code, out } = await chancery(...args);
    expect(code).toBe(0);
    for (const flag of ["--out", "--format", "--resume", "--from", "--san", "--key-hash", "--code"])
      expect(out).toContain(flag);
  }
  const { code, out } = await chancery("export", "verify", "--help");
  expect([code, out]).toEqual([0, expect.stringContaining("--trusted-root")]);
});
