import { type JsonObject, parseJson } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type IssuancePolicy, judge, matches } from "../src/domain/policy/issuance-policy.ts";
import { parseFulcioConfig } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { startFulcio } from "./fulcio-under-test.ts";

const issuerUrl = "https://issuer.example";

function parsePolicy(policy: unknown): IssuancePolicy {
  const issuer = { "client-id": "sigstore", type: "email", policy };
  const [settings] = parseFulcioConfig(JSON.stringify({ "oidc-issuers": { [issuerUrl]: issuer } })).issuers;
  return settings!.policy!;
}

const verified = (all: object) => ({ issuer: issuerUrl, subject: "someone", all: all as JsonObject });

/** What a rule of either effect makes of claims. */
function applies(effect: "allow" | "deny", condition: unknown, claims: object): boolean {
  const policy = parsePolicy({ default: "deny", [effect]: { rule: condition } });
  return matches(policy.rules[0]!, verified(claims));
}

describe("a comparison", () => {
  const claims = {
    text: "main",
    empty: "",
    yes: true,
    no: false,
    number: 42,
    fraction: 1.5,
    tiny: 1e-9,
    huge: 2 ** 53,
    ids: [1, 2 ** 53],
    nothing: null,
    list: ["a", "b", 3, true, null, ["x"], { y: 1 }],
    none: [],
    object: { inner: { "a/b": "deep", "~": "tilde" } },
    "/slash": "plain",
    "https://example.com/role": "admin",
    long: "x".repeat(4097),
  };

  test.for([
    [{ claim: "text", equals: "main" }, true],
    [{ claim: "text", equals: "Main" }, false],
    [{ claim: "text", equals: "mai" }, false],
    [{ claim: "text", "one-of": ["x", "main"] }, true],
    [{ claim: "text", "one-of": ["x"] }, false],
    [{ claim: "text", glob: "m*n" }, true],
    [{ claim: "yes", equals: true }, true],
    [{ claim: "yes", equals: "True" }, false],
    [{ claim: "no", equals: "false" }, true],
    [{ claim: "number", equals: 42 }, true],
    [{ claim: "number", equals: "42.0" }, false],
    [{ claim: "fraction", equals: "1.5" }, true],
    [{ claim: "number", glob: "4*" }, true],
    [{ claim: "https://example.com/role", equals: "admin" }, true],
    [{ claim: "/object/inner/a~1b", equals: "deep" }, true],
    [{ claim: "/object/inner/~0", equals: "tilde" }, true],
    [{ claim: "/~1slash", equals: "plain" }, true],
    [{ claim: "list", contains: "a" }, true],
    [{ claim: "list", contains: "3" }, true],
    [{ claim: "list", contains: "true" }, true],
    [{ claim: "list", contains: "x" }, false],
    [{ claim: "list", contains: "null" }, false],
    [{ claim: "none", contains: "a" }, false],
  ] as const)("%j: %j, and its opposite under not, for rules of either effect", ([condition, expected]) => {
    for (const effect of ["allow", "deny"] as const) {
      expect(applies(effect, condition, claims)).toBe(expected);
      expect(applies(effect, { not: condition }, claims)).toBe(!expected);
    }
  });

  test.for([
    { claim: "absent", equals: "x" },
    { claim: "absent", "one-of": ["undefined"] },
    { claim: "absent", glob: "**" },
    { claim: "absent", contains: "x" },
    { claim: "nothing", equals: "null" },
    { claim: "nothing", glob: "**" },
    { claim: "/list/0", equals: "a" },
    { claim: "/text/length", equals: "4" },
    { claim: "/object/constructor", glob: "**" },
    { claim: "__proto__", glob: "**" },
    { claim: "constructor", glob: "**" },
  ])(
    "of a claim that is missing is no match: %j; under not it lets nobody in, and lets nobody slip by",
    (condition) => {
      const parsed = parseJson(JSON.stringify(claims), "claims", { roundIntegers: true }) as JsonObject;
      expect(applies("allow", condition, parsed)).toBe(false);
      expect(applies("deny", condition, parsed)).toBe(false);
      expect(applies("allow", { not: condition }, parsed)).toBe(false);
      expect(applies("deny", { not: condition }, parsed)).toBe(true);
      expect(applies("allow", { not: { not: { all: [{ not: condition }] } } }, parsed)).toBe(false);
    },
  );

  // A rule that denies what `equals` a text let everyone by whose issuer writes a list of texts there.
  test.for([
    { claim: "list", equals: "a" },
    { claim: "list", "one-of": ["a"] },
    { claim: "list", glob: "**" },
    { claim: "object", glob: "**" },
    { claim: "text", contains: "main" },
    { claim: "tiny", glob: "**" },
    { claim: "huge", equals: "9007199254740993" },
    { claim: "ids", contains: "9007199254740993" },
    { claim: "long", glob: "x**" },
  ])("of a claim that cannot be compared lets nobody in and nobody slip by, with not or without: %j", (condition) => {
    for (const tried of [condition, { not: condition }, { any: [condition, { claim: "text", equals: "other" }] }]) {
      expect(applies("allow", tried, claims)).toBe(false);
      expect(applies("deny", tried, claims)).toBe(true);
      expect(applies("deny", { all: [tried, { claim: "text", equals: "other" }] }, claims)).toBe(false);
    }
  });

  test.for([
    [
      {
        all: [
          { claim: "a", equals: 1 },
          { claim: "b", equals: 2 },
        ],
      },
      { a: 1, b: 2 },
      true,
    ],
    [
      {
        all: [
          { claim: "a", equals: 1 },
          { claim: "b", equals: 2 },
        ],
      },
      { a: 1, b: 3 },
      false,
    ],
    [
      {
        all: [
          { claim: "a", equals: 1 },
          { claim: "b", equals: 2 },
        ],
      },
      { a: 1 },
      false,
    ],
    [
      {
        any: [
          { claim: "a", equals: 1 },
          { claim: "b", equals: 2 },
        ],
      },
      { b: 2 },
      true,
    ],
    [
      {
        any: [
          { claim: "a", equals: 1 },
          { claim: "b", equals: 2 },
        ],
      },
      { a: 2 },
      false,
    ],
    [
      {
        not: {
          any: [
            { claim: "a", equals: 1 },
            { claim: "b", equals: 2 },
          ],
        },
      },
      { a: 2, b: 1 },
      true,
    ],
    [
      {
        not: {
          any: [
            { claim: "a", equals: 1 },
            { claim: "b", equals: 2 },
          ],
        },
      },
      { a: 2 },
      false,
    ],
    [
      {
        not: {
          all: [
            { claim: "a", equals: 1 },
            { claim: "b", equals: 2 },
          ],
        },
      },
      { a: 2 },
      true,
    ],
  ])("nests: %j of %j lets in: %j", ([condition, claims_, expected]) => {
    expect(applies("allow", condition, claims_ as object)).toBe(expected);
  });
});

describe("a policy", () => {
  const main = { claim: "ref", equals: "refs/heads/main" };
  const fork = { claim: "fork", equals: true };

  test.for([
    [{ default: "allow" }, {}, "allowed", "(default)"],
    [{ default: "deny" }, {}, "refused", "(default)"],
    [{ default: "allow", deny: { forks: fork } }, { fork: true }, "refused", "forks"],
    [{ default: "allow", deny: { forks: fork } }, { fork: false }, "allowed", "(default)"],
    [{ default: "allow", deny: { forks: fork } }, {}, "allowed", "(default)"],
    [{ default: "deny", allow: { main } }, { ref: "refs/heads/main" }, "allowed", "main"],
    [{ default: "deny", allow: { main } }, { ref: "refs/heads/dev" }, "refused", "(default)"],
    [
      { default: "deny", allow: { main }, deny: { forks: fork } },
      { ref: "refs/heads/main", fork: true },
      "refused",
      "forks",
    ],
    [{ default: "deny", "dry-run": true, allow: { main } }, { ref: "x" }, "would-refuse", "(default)"],
    [{ default: "deny", "dry-run": true, allow: { main } }, { ref: "refs/heads/main" }, "allowed", "main"],
  ] as const)("%j of %j: %s by %s", ([policy, claims, outcome, rule]) => {
    expect(judge(parsePolicy(policy), verified(claims))).toMatchObject({ outcome, rule });
  });

  test.for([
    [{}, "policy.default: must say allow, as upstream does, or deny"],
    [{ default: "Deny" }, "policy.default: must say"],
    [{ default: "deny", alow: {} }, "policy.alow: is not a key that is known here"],
    [{ default: "deny", "dry-run": "maybe" }, "policy.dry-run: is neither true nor false"],
    [{ default: "allow", allow: { main } }, "policy.allow: has no meaning beside default: allow"],
    [{ default: "deny", allow: { main }, deny: { main } }, "policy.allow.main: is the name of a rule that denies"],
    [{ default: "deny", allow: [main] }, "policy.allow: is not a map"],
    [{ default: "deny", allow: { "(default)": main } }, "policy.allow.(default): a rule's name is"],
    [{ default: "deny", allow: { r: {} } }, "policy.allow.r: must have exactly one of all, any, not, claim"],
    [{ default: "deny", allow: { r: { ...main, not: main } } }, "policy.allow.r: must have exactly one of"],
    [
      { default: "deny", allow: { r: { claim: "x" } } },
      "policy.allow.r: a claim needs exactly one of equals, one-of, glob, contains",
    ],
    [
      { default: "deny", allow: { r: { claim: "x", equals: "a", glob: "b" } } },
      "policy.allow.r: a claim needs exactly one of equals, one-of, glob, contains, and here is glob",
    ],
    [
      { default: "deny", allow: { r: { claim: "x", golb: "b" } } },
      "policy.allow.r: a claim needs exactly one of equals, one-of, glob, contains, and here is golb",
    ],
    [
      { default: "deny", allow: { r: { claim: "x", equals: "a", ignore: "b" } } },
      "policy.allow.r.ignore: does not belong",
    ],
    [
      { default: "deny", allow: { r: { all: [main], claims: 1 } } },
      "policy.allow.r.claims: does not belong beside all",
    ],
    [{ default: "deny", allow: { r: { all: [] } } }, "policy.allow.r.all: is not a list with something in it"],
    [{ default: "deny", allow: { r: { any: main } } }, "policy.allow.r.any: is not a list"],
    [
      { default: "deny", allow: { r: { any: [main, { not: { claim: "", equals: "x" } }] } } },
      "policy.allow.r.any[1].not.claim: is empty",
    ],
    [{ default: "deny", allow: { r: { claim: "/a/~2", equals: "x" } } }, "policy.allow.r.claim: is neither"],
    [{ default: "deny", allow: { r: { claim: "a", equals: "" } } }, "policy.allow.r.equals: is empty"],
    [{ default: "deny", allow: { r: { claim: "a", equals: ["x"] } } }, "policy.allow.r.equals: is not a text"],
    [{ default: "deny", allow: { r: { claim: "a", "one-of": "x" } } }, "policy.allow.r.one-of: is not a list"],
    [{ default: "deny", allow: { r: { claim: "a", glob: "a***" } } }, "policy.allow.r.glob: has three stars in a row"],
    [{ default: "deny", allow: { r: { claim: "a", glob: "a".repeat(257) } } }, "more than 256 characters"],
    [{ default: "deny", allow: { r: nested(9) } }, "is nested more than 8 deep"],
  ] as const)("that is not clear is refused at start, with its path: %j", ([policy, complaint]) => {
    expect(() => parsePolicy(policy)).toThrow(Misconfigured);
    expect(() => parsePolicy(policy)).toThrow(complaint);
  });

  test("of more than a thousand conditions is refused", () => {
    const any = Array.from({ length: 1001 }, () => main);
    expect(() => parsePolicy({ default: "deny", allow: { r: { any } } })).toThrow("more than 1000 conditions");
  });

  function nested(depth: number): object {
    return depth === 0 ? main : { not: nested(depth - 1) };
  }
});

describe("an issuer with a policy", () => {
  let issuer: FakeIssuer;
  const email = "dev@example.com";
  beforeAll(async () => void (issuer = await FakeIssuer.start()));
  afterAll(() => issuer?.[Symbol.asyncDispose]());

  const start = (policy: string) =>
    startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email, policy: ${policy} } }`,
    });

  test("refuses with upstream's sentence and the rule's name, and the ledger has the rule", async () => {
    await using fulcio = await start(
      "{ default: deny, deny: { contractors: { claim: groups, contains: ext } }, allow: { staff: { claim: email, glob: '*@example.com' } } }",
    );
    const sentence = "There was an error processing the identity token";
    const answers = [
      await fulcio.enrol(issuer.token(), email),
      await fulcio.enrol(issuer.token({ groups: ["dev", "ext"] }), email),
      await fulcio.enrol(issuer.token({ email: "dev@evil.example" }), "dev@evil.example"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400]);
    expect(answers[1]?.json()).toMatchObject({ code: 3, message: sentence });
    expect(answers.slice(1).map((answer) => answer.told())).toEqual([
      `${sentence}: the rule contractors of the issuance policy refuses it`,
      `${sentence}: no rule of the issuance policy allows it`,
    ]);
    expect(await fulcio.ledger.refused({ limit: 9 })).toMatchObject([
      { code: "policy", rule: "(default)", issuer: issuer.url, subject: "subject-of-dev" },
      { code: "policy", rule: "contractors" },
    ]);
    expect(await fulcio.ledger.issued({ limit: 9 })).toHaveLength(1);
  });

  test("in dry run refuses nobody; the ledger counts whom it would", async () => {
    await using fulcio = await start(
      "{ default: allow, dry-run: true, deny: { devs: { claim: email, equals: dev@example.com } } }",
    );
    expect((await fulcio.enrol(issuer.token(), email)).status).toBe(200);
    expect((await fulcio.enrol(issuer.token({ email: "a@example.com" }), "a@example.com")).status).toBe(200);
    expect(await fulcio.ledger.issued({ limit: 9, wouldRefuse: true })).toMatchObject([
      { wouldRefuse: "devs", san: { value: email } },
    ]);
    expect(await fulcio.ledger.refused({ limit: 9 })).toEqual([]);
  });

  test("says nothing of it in the configuration that anyone may read", async () => {
    await using fulcio = await start(
      "{ default: deny, allow: { secret-team: { claim: email, equals: boss@example.com } } }",
    );
    const answer = await fulcio.request("/api/v2/configuration");
    expect(answer.body).not.toMatch(/secret-team|boss|policy/);
  });
});
