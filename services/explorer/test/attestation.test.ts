import { utf8 } from "@chancery/encoding";
import { describe, expect, test } from "vitest";
import { parseStatement } from "../src/web/statement/attestation.ts";

const statement = (predicateType: string, predicate: unknown, more: object = {}) =>
  parseStatement(
    utf8(JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject: [], predicateType, predicate, ...more })),
  );

describe("a statement in plain words", () => {
  test("names what it is about", () => {
    const subject = [{ name: "app", digest: { sha256: "ab", gitCommit: "cd" } }, { digest: { sha256: "ef" } }, 7];
    expect(statement("x", {}, { subject }).subjects).toEqual([
      { name: "app", digests: ["sha256:ab", "gitCommit:cd"] },
      { name: "", digests: ["sha256:ef"] },
      { name: "", digests: [] },
    ]);
  });

  test("tells who built it from what, by either version of SLSA", () => {
    const v1 = statement("https://slsa.dev/provenance/v1", {
      buildDefinition: {
        buildType: "T",
        externalParameters: { workflow: { repository: "R", ref: "main", path: "P" } },
        resolvedDependencies: [{ uri: "git+R", digest: { gitCommit: "abc" } }],
      },
      runDetails: { builder: { id: "B" }, metadata: { invocationId: "I" } },
    }).summary;
    expect(Object.fromEntries(v1?.facts ?? [])).toEqual({
      "Built by": "B",
      "Kind of build": "T",
      Source: "R",
      Ref: "main",
      Workflow: "P",
      Run: "I",
    });
    expect(v1?.lists).toEqual([{ title: "Built from", total: 1, shown: ["git+R (gitCommit:abc)"] }]);
    const v02 = statement("https://slsa.dev/provenance/v0.2", {
      builder: { id: "B" },
      buildType: "T",
      invocation: { configSource: { uri: "U", entryPoint: "E" } },
      materials: [{ uri: "M" }],
    }).summary;
    expect(Object.fromEntries(v02?.facts ?? [])).toEqual({
      "Built by": "B",
      "Kind of build": "T",
      Source: "U",
      "Entry point": "E",
    });
    expect(v02?.lists[0]?.shown).toEqual(["M"]);
  });

  test("counts the packages of a bill of materials, also where cosign wrapped it as text", () => {
    const spdx = {
      spdxVersion: "SPDX-2.3",
      name: "app",
      packages: [{ name: "a", versionInfo: "1", licenseConcluded: "MIT" }],
    };
    for (const predicate of [spdx, { Data: JSON.stringify(spdx) }, { Data: spdx }]) {
      const { summary } = statement("https://spdx.dev/Document", predicate);
      expect(Object.fromEntries(summary?.facts ?? [])).toEqual({
        Version: "SPDX-2.3",
        Document: "app",
        Licences: "MIT (1)",
      });
      expect(summary?.lists).toEqual([{ title: "Packages", total: 1, shown: ["a 1"] }]);
    }
    const bom = statement("https://cyclonedx.org/bom", {
      specVersion: "1.6",
      metadata: { component: { name: "app", version: "2" }, tools: [{ name: "t" }] },
      components: Array.from({ length: 60 }, (_, at) => ({ name: `p${at}`, licenses: [{ license: { id: "MIT" } }] })),
    }).summary;
    expect(Object.fromEntries(bom?.facts ?? [])).toEqual({
      Version: "1.6",
      Of: "app 2",
      "Made by": "t",
      Licences: "MIT (60)",
    });
    expect(bom?.lists[0]).toMatchObject({ total: 60, shown: { length: 50 } });
  });

  test.for([
    ["a type it does not know", "https://example.com/x", { a: 1 }],
    ["provenance that is none", "https://slsa.dev/provenance/v1", "hello"],
    ["a bill of nothing", "https://spdx.dev/Document", null],
    ["a hostile one", "https://cyclonedx.org/bom", { components: { __proto__: [] }, metadata: { tools: "x" } }],
  ] as const)("takes %s as it comes", ([, type, predicate]) => {
    expect(() => statement(type, predicate)).not.toThrow();
  });
});
