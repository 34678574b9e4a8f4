import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import { X509Certificate as PeculiarCertificate } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Explanation, explainToken, parseFulcioConfig } from "../src/index.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { leafOf, startFulcio } from "./fulcio-under-test.ts";

let issuer: FakeIssuer;
beforeAll(async () => void (issuer = await FakeIssuer.start()));
afterAll(() => issuer?.[Symbol.asyncDispose]());

const email = "dev@example.com";
const configOf = (rest = "type: email") =>
  `oidc-issuers: { "${issuer.url}": { issuer-url: "${issuer.url}", client-id: sigstore, ${rest} } }`;

const explain = (token: string, options: { config?: string; offline?: boolean } = {}) =>
  explainToken(token, parseFulcioConfig(options.config ?? configOf()), { offline: options.offline === true });

const outcomes = ({ checks }: Explanation) => Object.fromEntries(checks.map(({ check, outcome }) => [check, outcome]));
const detail = ({ checks }: Explanation, name: string) => checks.find(({ check }) => check === name)?.detail;

const result = (condition: string, outcome: string) => ({ condition, outcome, inner: [] });

const policed = () =>
  configOf(
    "type: email, policy: { default: deny, deny: { contractors: { claim: groups, contains: ext } }, allow: { staff: { claim: email, glob: '*@example.com' } } }",
  );

describe("a good token", () => {
  test("passes every check, and its certificate is the one that is issued, extension by extension", async () => {
    const token = issuer.token({ sub: "someone" });
    const explanation = await explain(token);
    expect(explanation.wouldIssue).toBe(true);
    expect(new Set(Object.values(outcomes(explanation)))).toEqual(new Set(["passed"]));
    expect(explanation.challenge).toBe(email);
    expect(explanation.claims).toEqual([
      { name: "email", isPresent: true },
      { name: "email_verified", isPresent: true },
    ]);
    await using fulcio = await startFulcio({ config: configOf(), withoutCtLog: true });
    const leaf = leafOf(await fulcio.enrol(token, email));
    const issued = new PeculiarCertificate(leaf).extensions.map(({ type, critical }) => [type, critical]);
    expect(explanation.certificate?.extensions.map(({ oid, critical }) => [oid, critical])).toEqual(issued);
    expect(new X509Certificate(leaf).subjectAltName).toBe(`email:${explanation.certificate?.identity}`);
    expect(explanation.certificate?.extensions.slice(-3)).toEqual([
      { oid: "1.3.6.1.4.1.57264.1.1", name: "issuer", critical: false, value: issuer.url },
      { oid: "1.3.6.1.4.1.57264.1.8", name: "issuer", critical: false, value: issuer.url },
      { oid: "1.3.6.1.4.1.57264.1.24", name: "token-subject", critical: false, value: "someone" },
    ]);
  });

  test("is explained without its signature, and without anything that was signed with it", async () => {
    const token = issuer.token();
    const [header = "", payload = "", signature = ""] = token.split(".");
    const text = JSON.stringify(await explain(token));
    for (const part of [header, payload, signature]) expect(text).not.toContain(part);
  });

  test("offline nobody is asked, and the signature is said to be open", async () => {
    const before = issuer.requests.length;
    const forged = `${issuer.token().split(".").slice(0, 2).join(".")}.AAAA`;
    const explanation = await explain(forged, { offline: true });
    expect(explanation.wouldIssue).toBe(true);
    expect(outcomes(explanation)["token-signature"]).toBe("skipped");
    expect(issuer.requests.length).toBe(before);
  });
});

describe("a token that is refused", () => {
  test("is told all that is wrong with it, not only the first", async () => {
    const token = issuer.token({ aud: ["other", "another"], exp: 1, email_verified: false });
    const explanation = await explain(token);
    expect(explanation.wouldIssue).toBe(false);
    expect(outcomes(explanation)).toEqual({
      "token-shape": "passed",
      "token-algorithm": "passed",
      "token-claims": "passed",
      "issuer-unknown": "passed",
      audience: "failed",
      "token-times": "failed",
      "token-signature": "passed",
      identity: "failed",
      policy: "skipped",
    });
    expect(detail(explanation, "audience")).toBe(
      'the token is for another audience: sigstore is wanted, the token has ["other","another"]',
    );
    expect(detail(explanation, "identity")).toBe("email_verified claim was false");
    expect(explanation.certificate).toBeUndefined();
  });

  test.for<readonly [string, () => string, string, string]>([
    ["no token", () => "", "token-shape", "no identity token was given"],
    [
      "an opaque token",
      () => "gho_16C7e42F292c6912E7710c838347Ae178B4a",
      "token-shape",
      "the token is not a compact JWS",
    ],
    ["alg none", () => issuer.token({}, { alg: "none" }), "token-algorithm", "the token's alg is none of"],
    ["no iss", () => issuer.token({ iss: undefined }), "token-claims", "the token has no iss"],
    [
      "an unknown issuer, which is not asked",
      () => issuer.token({ iss: "https://127.0.0.1:1/other" }),
      "issuer-unknown",
      "the token's issuer is not configured: https://127.0.0.1:1/other",
    ],
    [
      "a wrong signature",
      () => `${issuer.token().split(".").slice(0, 2).join(".")}.AAAA`,
      "token-signature",
      "the token's signature is not one of its issuer's",
    ],
  ])("%s: at the check that issuing stops at", async ([, make, check, reason]) => {
    const token = make();
    const explanation = await explain(token);
    const firstFailed = explanation.checks.find(({ outcome }) => outcome === "failed");
    expect(firstFailed).toMatchObject({ check });
    expect(firstFailed?.detail).toContain(reason);
    await using fulcio = await startFulcio({ config: configOf() });
    expect((await fulcio.enrol(token, email)).status).toBe(400);
    expect(await fulcio.ledger.refused({ limit: 9 })).toMatchObject([{ code: check }]);
  });

  test("names someone longer than a certificate can: its identity is refused, in upstream's words, and no fault is ours", async () => {
    const config = configOf("type: username, subject-domain: 127.0.0.1");
    const name = "d".repeat(4_090);
    const token = issuer.token({ sub: name });
    const explanation = await explain(token, { config });
    const reason = "subject alternative name: value has between 1 and 4096 characters";
    expect([explanation.wouldIssue, detail(explanation, "identity")]).toEqual([false, reason]);
    await using fulcio = await startFulcio({ config });
    const answer = await fulcio.enrol(token, name);
    expect([answer.status, answer.told()]).toEqual([
      400,
      `There was an error processing the identity token: ${reason}`,
    ]);
    expect(await fulcio.ledger.refused({ limit: 9 })).toMatchObject([{ code: "identity" }]);
  });

  test("names why its issuer could not be asked", async () => {
    await using down = await FakeIssuer.start();
    down.answers.set("/.well-known/openid-configuration", (_request, response) => response.writeHead(500).end());
    const explanation = await explain(down.token(), { config: configOf().replaceAll(issuer.url, down.url) });
    expect(detail(explanation, "token-signature")).toMatch(/cannot be asked for its keys: .* answers with status 500/);
    expect(outcomes(explanation)["identity"]).toBe("passed");
  });

  test("of a CI: which claims its type asked for, and which one is missing", async () => {
    const explanation = await explain(
      issuer.token({ job_workflow_ref: "a/b/.github/workflows/x.yml@refs/heads/main" }),
      {
        config: configOf("type: github-workflow"),
      },
    );
    expect(detail(explanation, "identity")).toMatch(/^missing \w+ claim in ID token$/);
    expect(explanation.claims.at(-1)).toEqual({ name: expect.any(String), isPresent: false });
  });
});

describe("a policy", () => {
  test("is gone through rule by rule", async () => {
    const good = await explain(issuer.token(), { config: policed() });
    expect(good.policy).toEqual({
      default: "deny",
      dryRun: false,
      outcome: "allowed",
      decidedBy: "staff",
      rules: [
        {
          name: "contractors",
          effect: "deny",
          matches: false,
          condition: { condition: "groups contains ext", outcome: "claim is missing", inner: [] },
        },
        {
          name: "staff",
          effect: "allow",
          matches: true,
          condition: { condition: "email glob *@example.com", outcome: "holds", inner: [] },
        },
      ],
    });
    const bad = await explain(issuer.token({ groups: ["ext"] }), { config: policed() });
    expect(bad.wouldIssue).toBe(false);
    expect(bad.policy).toMatchObject({ outcome: "refused", decidedBy: "contractors" });
    expect(detail(bad, "policy")).toBe("the rule contractors of the issuance policy refuses it");
    // What the certificate would be is told all the same: the rule may be what is wrong.
    expect(bad.certificate?.identity).toBe(email);
  });

  test("is gone through condition by condition, written as it was", async () => {
    const policy = `{ default: deny, allow: { r: { all: [
      { any: [{ claim: /realm/a~1b, one-of: [x, y] }, { claim: email, glob: 'a\\*\\\\**/*' }] },
      { not: { claim: groups, equals: ext } } ] } } }`;
    const config = configOf(`type: email, policy: ${policy}`);
    const { policy: explained } = await explain(issuer.token({ groups: ["ext"], realm: { "a/b": "y" } }), { config });
    expect(explained?.rules[0]?.condition).toEqual({
      condition: "all",
      outcome: "undecided",
      inner: [
        {
          condition: "any",
          outcome: "holds",
          inner: [result("/realm/a~1b one-of [x, y]", "holds"), result("email glob a\\*\\\\**/*", "does not hold")],
        },
        { condition: "not", outcome: "undecided", inner: [result("groups equals ext", "claim cannot be compared")] },
      ],
    });
  });

  test("in dry run lets it pass and says so", async () => {
    const dry = await explain(issuer.token({ groups: ["ext"] }), {
      config: policed().replace("default: deny,", "default: deny, dry-run: true,"),
    });
    expect(dry.wouldIssue).toBe(true);
    expect(detail(dry, "policy")).toContain("dry run");
  });
});
