import { describe, expect, test } from "vitest";
import { type BannerFacts, pasteLines, renderBanner } from "../src/banner.ts";

const facts: BannerFacts = {
  url: "http://localhost:8700",
  shard: "2026",
  ctLog: "own",
  rootChecksum: "00ff",
  data: "/home/dev/.chancery",
  database: "embedded PostgreSQL",
  identityProvider: "http://localhost:8700/idp",
  issuers: [],
  restrictions: [],
};

const ctLogOf = (some: Partial<BannerFacts>) => /CT log +(.*)/.exec(renderBanner({ ...facts, ...some }, false))?.[1];

describe("the banner", () => {
  test("is plain where it is not a terminal", () => {
    expect(renderBanner(facts, false)).not.toContain("\u001b");
    expect(renderBanner(facts, true)).toContain("\u001b[1mChancery is ready.\u001b[0m");
  });

  test("stands in columns", () => {
    const table = renderBanner(facts, false)
      .split("\n")
      .filter((line) => /^ {2}\S.* {2}\S/.test(line) && !line.includes("cosign"));
    const columns = table.map((line) => /^ {2}\S+( \S+)* +/.exec(line)![0].length);
    expect(table.length).toBe(9);
    expect(new Set(columns).size).toBe(1);
  });

  test("names the CT log that certificates go into", () => {
    expect(ctLogOf({})).toBe("http://localhost:8700/ctlog/2026");
    expect(ctLogOf({ ctLog: "none" })).toBe("none, certificates have no SCT");
  });

  test("has lines to paste as they are", () => {
    const [two, three] = pasteLines(facts);
    const token = `"$(curl -s 'http://localhost:8700/idp/token?email=dev@example.com')"`;
    expect(two!.lines).toContain(
      "cosign initialize --mirror http://localhost:8700/tuf --root http://localhost:8700/tuf/root.json --root-checksum 00ff",
    );
    expect(two!.lines).toContain(
      `cosign sign-blob --yes --fulcio-url http://localhost:8700 --rekor-url http://localhost:8700 --identity-token ${token} --bundle hello.bundle hello.txt`,
    );
    expect(three!.lines).toContain(
      `cosign sign-blob --yes --identity-token ${token} --bundle hello.sigstore.json hello.txt`,
    );
    for (const line of [two!, three!].map(({ lines }) => lines.at(-1))) {
      expect(line).toContain(
        "--certificate-identity dev@example.com --certificate-oidc-issuer http://localhost:8700/idp hello.txt",
      );
    }
  });

  test("does not say that all is well when it is not", () => {
    const text = renderBanner(facts, false, [{ service: "rekor", reason: "log rekor: the database lost entries" }]);
    expect(text).not.toContain("Chancery is ready.");
    expect(text).toContain("Chancery runs, and is not ready:\n  rekor: the database lost entries\n");
  });

  test("says who may write and read, where that is not everyone", () => {
    const restrictions = [["Writes to rekor-v2", "signed by certificates of this CA"]] as const;
    expect(renderBanner({ ...facts, restrictions }, false)).toMatch(
      /^ {2}Writes to rekor-v2 +signed by certificates of this CA$/m,
    );
  });

  test("speaks of no development where there is none", () => {
    const text = renderBanner(
      { ...facts, identityProvider: undefined, issuers: ["https://a.example (client sigstore)"] },
      false,
    );
    expect(text).not.toMatch(/development|idp|curl/i);
    expect(text).toContain('--identity-token "$TOKEN"');
    expect(text).toMatch(/Issuer +https:\/\/a\.example \(client sigstore\)\n/);
    for (const name of ["TOKEN", "IDENTITY", "ISSUER"]) expect(text).toMatch(new RegExp(`^ {2}\\$${name} `, "m"));
  });
});
