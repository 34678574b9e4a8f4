import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { IssuerPool } from "../src/domain/issuer-pool.ts";
import { expandedConfiguration, parseFulcioConfig, PRESETS } from "../src/index.ts";
import { PRESET_TOKENS, presetConfiguration } from "./preset-tokens.ts";
import { refusal } from "./principal-of.ts";

function meaning(config: string) {
  return parseFulcioConfig(config).issuers.map(({ ciMetadata, ...settings }) => [
    settings,
    [...(ciMetadata?.defaults ?? [])],
    [...(ciMetadata?.extensions ?? []), ciMetadata?.subjectAlternativeName],
  ]);
}

describe("a preset", () => {
  test("has a token of the real shape to be tested with, each one", () => {
    expect(new Set(PRESET_TOKENS.map(({ preset }) => preset))).toEqual(new Set(PRESETS.map(({ name }) => name)));
  });

  test.for(PRESET_TOKENS)("$preset expands to upstream's keys, and what is printed means the same", (token) => {
    const text = expandedConfiguration(presetConfiguration(token));
    expect(text).not.toMatch(/preset:|^\s+url:/m);
    expect(meaning(text)).toEqual(meaning(presetConfiguration(token)));
    const upstream = new Set(["oidc-issuers", "ci-issuer-metadata"]);
    expect(Object.keys(parse(text) as object).every((key) => upstream.has(key))).toBe(true);
  });

  test("prints booleans as booleans, for Go takes no text for one", () => {
    const entra = PRESET_TOKENS.find(({ preset }) => preset === "entra-id")!;
    expect(expandedConfiguration(presetConfiguration(entra))).toContain("skip-email-verification: true\n");
  });

  test("in legacy JSON is printed as YAML that upstream reads, and no more in JSON's keys", () => {
    const config = JSON.stringify({
      OIDCIssuers: { "https://gitlab.com": { preset: "gitlab", ClientID: "a" } },
      MetaIssuers: { "https://oidc.eks.*.amazonaws.com/id/*": { ClientID: "a", Type: "kubernetes" } },
    });
    const text = expandedConfiguration(config);
    expect(Object.keys(parse(text) as object)).toEqual(["oidc-issuers", "meta-issuers", "ci-issuer-metadata"]);
    expect(text).not.toMatch(/ClientID|Type:/);
    expect(parseFulcioConfig(text).issuers.map(({ url, clientId, type }) => [url, clientId, type])).toEqual([
      ["https://gitlab.com", "a", "ci-provider"],
      ["https://oidc.eks.*.amazonaws.com/id/*", "a", "kubernetes"],
    ]);
  });

  test("stands beside other issuers, sections and our own keys, which stay as they are", () => {
    const { issuers } = parseFulcioConfig(`
oidc-issuers:
  https://one.example.com/api/actions: { preset: forgejo, client-id: a, keep-keys-for: 2h, description: ours }
  https://two.example.com/api/actions: { preset: forgejo, client-id: a }
  https://three.example.com: { type: ci-provider, ci-provider: own, client-id: a }
meta-issuers:
  https://token.actions.githubusercontent.com/*: { preset: github, client-id: a }
ci-issuer-metadata:
  own: { subject-alternative-name-template: "https://{{ .x }}" }
`);
    expect(issuers.map(({ ciProvider, keepKeysFor }) => [ciProvider, keepKeysFor])).toEqual([
      ["forgejo https://one.example.com", 7_200_000],
      ["forgejo https://two.example.com", undefined],
      ["own", undefined],
      ["github https://github.com", undefined],
    ]);
  });

  test("of an instance elsewhere takes its url; no claim can change it", () => {
    const token = PRESET_TOKENS.find(({ preset }) => preset === "forgejo")!;
    const config = presetConfiguration({ ...token, entry: { ...token.entry, url: "https://code.example.org/git/" } });
    const { issuer, claims } = token;
    const principal = new IssuerPool(parseFulcioConfig(config).issuers).match(issuer).toPrincipal({
      issuer,
      subject: claims.sub,
      all: JSON.parse(JSON.stringify({ ...claims, url: "https://evil.example.com" })),
    });
    expect(principal.san.value).toMatch(/^https:\/\/code\.example\.org\/git\/user1\/testing\//);
  });
});

const entry = (url: string, keys: string, section = "oidc-issuers") => `${section}: { "${url}": { ${keys} } }`;

test.for([
  [
    "an unknown name",
    entry("https://a.example.com", "preset: gogs, client-id: a"),
    "preset",
    /gogs is not one of gith/,
  ],
  ["a type beside it", entry("https://gitlab.com", "preset: gitlab, client-id: a, type: email"), "type", /for the pre/],
  ["no audience", entry("https://gitlab.com", "preset: gitlab"), "client-id", /is missing/],
  ["no trust domain", entry("https://a.example.com", "preset: spiffe, client-id: a"), "spiffe-trust-domain", /needs/],
  ["no instance", entry("https://a.example.com", "preset: forgejo, client-id: a"), "url", /like https:\/\/HOST\/api/],
  ["no organization", entry("https://vstoken.dev.azure.com/x", "preset: azure-devops"), "url", /cannot be told/],
  ["a url where none is used", entry("https://a.example.com", "preset: dex, client-id: a, url: x"), "url", /no use/],
  [
    "a url with a template",
    entry("https://gitlab.com", 'preset: gitlab, client-id: a, url: "https://{{.x}}"'),
    "url",
    /plain/,
  ],
  [
    "a url with a query",
    entry("https://gitlab.com", 'preset: gitlab, client-id: a, url: "https://a?b"'),
    "url",
    /plain/,
  ],
  [
    "a url without a preset",
    entry("https://gitlab.com", "type: email, client-id: a, url: https://a"),
    "url",
    /not a key/,
  ],
  ["a misspelt key", entry("https://gitlab.com", "preset: gitlab, client_id: a"), "client_id", /not a key/],
  [
    "a pattern of spiffe",
    entry("https://*.example.com", "preset: spiffe, client-id: a, spiffe-trust-domain: a.b", "meta-issuers"),
    "type",
    /SPIFFE/,
  ],
] as const)("a preset with %s is refused by name", ([, config, key, reason]) => {
  expect(() => parseFulcioConfig(config)).toThrow(
    expect.objectContaining({ code: "misconfigured", key: expect.stringMatching(new RegExp(`\\.${key}$`)) }),
  );
  expect(refusal(() => parseFulcioConfig(config))).toMatch(reason);
});
