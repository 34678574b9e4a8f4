import { array, assert, constantFrom, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { IssuerPool } from "../src/domain/issuer-pool.ts";
import { patternExpression } from "../src/domain/issuer-url.ts";
import { parseFulcioConfig } from "../src/index.ts";
import { refusal } from "./principal-of.ts";

describe("which issuer a token's is", () => {
  const pool = new IssuerPool(
    parseFulcioConfig(`
oidc-issuers: { "https://exact.example.com/a": { client-id: a, type: email } }
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*: { client-id: b, type: kubernetes }
  https://*.tenants.example.com/*: { client-id: c, type: kubernetes }
`).issuers,
  );

  test.for([
    ["https://exact.example.com/a", "a"],
    ["https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6A2D30341AD01E1B6D48164CB", "b"],
    ["https://t_1.tenants.example.com/x-Y", "c"],
  ])("%s is %s's", ([url, client]) => {
    const issuer = pool.match(url!);
    expect([issuer.url, issuer.settings.clientId]).toEqual([url, client]);
  });

  test.for([
    "https://exact.example.com/a/",
    "https://Exact.example.com/a",
    "https://exact.example.com",
    "http://exact.example.com/a",
    "https://oidc.eks.a.b.amazonaws.com/id/x",
    "https://oidc.eks..amazonaws.com/id/x",
    "https://oidc.eks.x.amazonaws.com/id/x/y",
    "https://oidc.eks.x.amazonaws.com/id/",
    "https://oidc.eks.x.amazonaws.com.evil.com/id/x",
    "http://localhost:3000?https://oidc.eks.x.amazonaws.com/id/x",
    "https://evil.com/https://t.tenants.example.com/x",
    "https://evil.com#.tenants.example.com/x",
    "https://evil.com\\.example.com/x",
    "https://a@b.tenants.example.com/x",
    "https://t.tenants.example.com/x\n",
    "https://t.tenants.example.com/x?y",
    "https://t.tenants.example.com/%2e%2e",
    "https://t.tenants.example.com./x",
    "https://t.tenants.example.com:8443/x",
    "https://totenants.example.com/x",
    "https://t.tenants.exampleXcom/x",
    "",
  ])("%j is nobody's", (url) => {
    expect(refusal(() => pool.match(url))).toBe("the token's issuer is not configured");
  });
});

const plain = (pattern: string) =>
  new RegExp(
    `^${pattern
      .split("*")
      .map((part) => RegExp.escape(part))
      .join("[-_a-zA-Z0-9]+")}$`,
  );

describe("a pattern of several stars", () => {
  test("takes no longer over a hostile issuer than over another", () => {
    const expression = patternExpression("https://*-*-*-*.example.com");
    const begin = performance.now();
    expect(expression.test(`https://${"-".repeat(490)}!`)).toBe(false);
    expect(expression.test("https://a-b--c-d.example.com")).toBe(true);
    // Plain backtracking: 45 s.
    expect(performance.now() - begin).toBeLessThan(1_000);
  });

  test("matches what plain backtracking matches", () => {
    const pattern = array(constantFrom("a", "-", ".", "-.", ".-", "a-", "..", ""), {
      minLength: 1,
      maxLength: 5,
    });
    const issuer = string({ unit: constantFrom("a", "-", "."), maxLength: 12 });
    assert(
      property(pattern, issuer, (parts, url) => {
        const text = parts.join("*");
        expect(patternExpression(text).test(url)).toBe(plain(text).test(url));
      }),
      { numRuns: 3_000 },
    );
  });
});
