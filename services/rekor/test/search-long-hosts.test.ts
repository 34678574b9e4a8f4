import { Malformed } from "@chancery/fault";
import { expect, test } from "vitest";
import { conditionKeys } from "../src/domain/search/condition-keys.ts";
import { matches, parseCondition } from "../src/domain/search/condition.ts";
import type { EntryFacts } from "../src/domain/search/entry-facts.ts";
import { entryKeys, searchNames } from "../src/domain/search-key.ts";

/** Hosts of so many characters, of as many labels as there is room for, below a domain that is asked for. */
const hostOf = (length: number) =>
  `${"a".repeat(60)}.`
    .repeat(4)
    .padStart(length - 11, "b")
    .slice(-(length - 11)) + "example.com";
const HOSTS = [252, 253, 254, 255, 300, 480].map((length) => ({ length, host: hostOf(length) }));

function factsOf(type: "email" | "uri" | "dns", value: string): EntryFacts {
  const certificate = { sans: [{ type, value }], issuer: undefined, serial: "01", extensions: {} };
  const validity = { notBefore: new Date(0), notAfter: new Date(1) };
  const digest = "00".repeat(32);
  const signer = { format: "x509", keyFingerprint: digest, loggedDigest: digest, algorithm: undefined };
  return {
    kind: "hashedrekord",
    apiVersion: "0.0.1",
    digests: [],
    signers: [{ ...signer, certificate: { ...certificate, ...validity } }],
    statement: undefined,
    otherTexts: [],
  };
}

/** Whether a look-up by the condition's keys comes upon the entry, also where a prefix has more than 256 names. */
function isFound(facts: EntryFacts, name: string, text: string): boolean[] {
  const keys = new Set(
    entryKeys([], facts).map(({ column, bytes }) => `${column} ${Buffer.from(bytes).toString("hex")}`),
  );
  const hasOne = (asked: readonly { column: string; bytes: Uint8Array }[]) =>
    asked.some(({ column, bytes }) => keys.has(`${column} ${Buffer.from(bytes).toString("hex")}`));
  const found = conditionKeys(parseCondition(name, text));
  if (found.by === "all") return [true];
  if (found.by === "keys") return [hasOne(found.keys)];
  const byName = searchNames(facts).some((each) => each.name.startsWith(found.prefix));
  return [byName, found.otherwise === undefined || hasOne(found.otherwise)];
}

test.for(HOSTS)("a name whose host has $length characters is found by all that it matches", ({ host, length }) => {
  expect(host).toHaveLength(length);
  const names = [
    { type: "email", value: `someone@${host}` },
    { type: "uri", value: `https://${host}/path` },
    { type: "dns", value: host },
  ] as const;
  const questions = [
    ["sanDomain", "example.com"],
    ["sanDomain", host.slice(-200).replace(/^[^.]*\./, "")],
    ["sanPrefix", `https://${host}/p`],
    ["sanPrefix", `someone@${host.slice(0, 20)}`],
    ["sanGlob", "*.example.com"],
    ["sanGlob", `someone@*${host.slice(3)}`],
    ["sanGlob", `someone@${host}`],
    ["sanGlob", `https://${host}/*`],
  ] as const;
  let matched = 0;
  for (const { type, value } of names) {
    const facts = factsOf(type, value);
    for (const [name, text] of questions) {
      if (!matches(facts, parseCondition(name, text))) continue;
      matched += 1;
      expect(isFound(facts, name, text), `${type} by ${name}`).not.toContain(false);
    }
  }
  expect(matched).toBeGreaterThanOrEqual(4);
});

test("a name whose host is longer than any host is of no domain", () => {
  const condition = parseCondition("sanDomain", "example.com");
  expect(matches(factsOf("dns", hostOf(253)), condition)).toBe(true);
  expect(matches(factsOf("dns", hostOf(254)), condition)).toBe(false);
});

test("a pattern that begins with nothing and ends in more than a host is refused by name", () => {
  expect(() => parseCondition("sanGlob", `*@${hostOf(254)}`)).toThrow(Malformed);
  expect(() => parseCondition("sanGlob", `*@${hostOf(254)}`)).toThrow(/^sanGlob: /);
  expect(() => parseCondition("sanDomain", hostOf(254))).toThrow(/^sanDomain: /);
  expect(() => parseCondition("sanGlob", `*@${hostOf(253)}`)).not.toThrow();
});
