import type { JsonValue } from "@chancery/encoding";
import { describe, expect, test } from "vitest";
import { ISSUER, principal, refusal } from "./principal-of.ts";

const account = (namespace: JsonValue, name: JsonValue) => ({
  "kubernetes.io": { namespace, serviceaccount: { name } },
});

describe("spiffe", () => {
  const settings = "type: spiffe, spiffe-trust-domain: example.com";

  test.for(["spiffe://example.com", "spiffe://example.com/ns/prod/sa/web-1_2.x"])("names %s", (subject) => {
    expect(principal(settings, {}, subject)).toMatchObject({ name: subject, san: { type: "uri", value: subject } });
  });

  test("takes a trust domain written as an ID", () => {
    const written = "type: spiffe, spiffe-trust-domain: spiffe://example.com/any";
    expect(principal(written, {}, "spiffe://example.com/a").name).toBe("spiffe://example.com/a");
  });

  test.for([
    "spiffe://other.com/a",
    "spiffe://example.com.evil/a",
    "spiffe://evil.example.com/a",
    "spiffe://example.com@evil.com/a",
    "spiffe://example.com:80/a",
    "spiffe://Example.com/a",
    "SPIFFE://example.com/a",
    "https://example.com/a",
    "spiffe://example.com/",
    "spiffe://example.com/a/",
    "spiffe://example.com//a",
    "spiffe://example.com/./a",
    "spiffe://example.com/a/..",
    "spiffe://example.com/a?b",
    "spiffe://example.com/a#b",
    "spiffe://example.com/a%2fb",
    `spiffe://example.com/${"a".repeat(2048)}`,
    "spiffe://",
  ])("refuses %s", (subject) => {
    expect(refusal(() => principal(settings, {}, subject))).toMatch(/spiffe/);
  });
});

describe("kubernetes", () => {
  test("names the service account", () => {
    const subject = "system:serviceaccount:prod:deployer.v2";
    expect(principal("type: kubernetes", account("prod", "deployer.v2"), subject)).toEqual({
      name: subject,
      san: { type: "uri", value: "https://kubernetes.io/namespaces/prod/serviceaccounts/deployer.v2" },
      extensions: { issuer: ISSUER, "token-subject": subject },
    });
  });

  test.for([
    {},
    { "kubernetes.io": null },
    { "kubernetes.io": "x" },
    { "kubernetes.io": [] },
    { "kubernetes.io": { namespace: "a" } },
    { "kubernetes.io": { namespace: "a", serviceaccount: "b" } },
    account("", "a"),
    account("a", ""),
    account("a/../b", "c"),
    account("a", "../../x"),
    account("a.b", "c"),
    account("A", "c"),
    account("a", "c/d"),
    account("a", 7),
    account("a\n", "b"),
  ])("refuses %j", (all) => {
    expect(refusal(() => principal("type: kubernetes", all))).toMatch(/kubernetes.io claim/);
  });
});
