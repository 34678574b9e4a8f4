import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFakeIssuer } from "@chancery/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/command-line.ts";

let folder: string;
let issuer: Awaited<ReturnType<typeof startFakeIssuer>>;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "explain-"));
  issuer = await startFakeIssuer();
  config = join(folder, "chancery.yaml");
  const entry = { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" };
  await writeFile(config, JSON.stringify({ "oidc-issuers": { [issuer.url]: entry } }));
});
afterAll(async () => {
  await issuer?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function explain(...flags: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await run(["explain-token", ...flags], {}, terminal);
  return { code, out, err };
}

async function explainClaims(claims: Record<string, unknown>, ...flags: string[]) {
  const token = await issuer.token(claims);
  const file = join(folder, "token");
  await writeFile(file, `${token}\n`);
  const answer = await explain(file, "--config", config, ...flags);
  const printed = answer.out + answer.err;
  for (const part of token.split(".")) expect(printed).not.toContain(part);
  return answer;
}

test("a good token: exit code 0, the checks and the certificate, readable", async () => {
  const { code, out, err } = await explainClaims({});
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^ok {2}token-shape {6}a compact JWS of \d+ characters$/m);
  expect(out).toContain(`configured as oidc-issuers.${issuer.url}, type email`);
  expect(out).toContain("This certificate would be issued:");
  expect(out).toMatch(/identity {6}dev@example\.com \(email\)/);
  expect(out).toMatch(/2\.5\.29\.17 +subject-alternative-name \(critical\) +email:dev@example\.com/);
  expect(out).toMatch(new RegExp(`1\\.3\\.6\\.1\\.4\\.1\\.57264\\.1\\.8 +issuer +${RegExp.escape(issuer.url)}`));
});

test("a bad one: exit code 1, and what is wrong with it", async () => {
  const { code, out } = await explainClaims({ aud: "npm" });
  expect(code).toBe(1);
  expect(out).toMatch(/^FAILED {2}audience .*sigstore is wanted, the token has "npm"$/m);
  expect(out).toContain("No certificate would be issued.");
});

test("a claim that the configuration has a default for is told with it, and not as absent", async () => {
  const file = join(folder, "ci.yaml");
  await writeFile(
    file,
    `
oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: ci-provider, ci-provider: ci } }
ci-issuer-metadata:
  ci:
    default-template-values: { url: "https://ci.example.com", environment: "none" }
    extension-templates: { deployment-environment: environment, build-trigger: '{{ index . "trigger" }}' }
    subject-alternative-name-template: "{{ .url }}/{{ .job }}"
`,
  );
  const { code, out } = await explainClaims({ job: "7", environment: "production" }, "--config", file);
  expect(code).toBe(0);
  expect(out).toMatch(/^ +default +url: https:\/\/ci\.example\.com$/m);
  expect(out).toMatch(/^ +present +environment$/m);
  expect(out).toMatch(/^ +absent +trigger$/m);
  const { claims } = JSON.parse((await explainClaims({ job: "7" }, "--config", file, "--json")).out);
  expect(claims).toContainEqual({ name: "url", isPresent: false, default: "https://ci.example.com" });
});

test("one that is over: when it was good, and what time it is", async () => {
  const { out } = await explainClaims({ iat: 1_700_000_000, exp: 1_700_000_600 });
  expect(out).toMatch(
    /^FAILED {2}token-times +the token is expired: iat 2023-11-14T22:13:20\.000Z, exp 2023-11-14T22:23:20\.000Z, now 2/m,
  );
});

test("one whose algorithm or claims are wrong: nothing is undefined about the checks before", async () => {
  const token = await issuer.token({ sub: "" });
  const file = join(folder, "no-subject");
  const hmac = `${Buffer.from('{"alg":"HS256"}').toString("base64url")}.${token.split(".").slice(1).join(".")}`;
  for (const [text, failed] of [
    [token, "token-claims"],
    [hmac, "token-algorithm  the token's alg is none of RS256, RS384,"],
  ] as const) {
    await writeFile(file, text);
    const { code, out } = await explain(file, "--config", config);
    expect(code).toBe(1);
    expect(out).toContain(`FAILED  ${failed}`);
    expect(out).not.toContain("undefined");
  }
});

test("a forgotten --config is told from an issuer that is not in it", async () => {
  const file = join(folder, "forgotten");
  await writeFile(file, await issuer.token({}));
  const { code, out } = await explain(file);
  expect(code).toBe(1);
  expect(out).toContain("Without --config FILE only http://localhost:8700/idp, of development mode, is configured");
  const stranger = await explainClaims({ iss: "https://stranger.example.com" });
  expect(stranger.out).toMatch(/^FAILED {2}issuer-unknown/m);
  expect(stranger.out).not.toContain("development mode");
});

test("--json is one object with the same", async () => {
  const { code, out } = await explainClaims({}, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    wouldIssue: true,
    challenge: "dev@example.com",
    issuer: { url: issuer.url },
  });
});

test("--offline asks nobody", async () => {
  const before = issuer.requests.length;
  const { code, out } = await explainClaims({}, "--offline");
  expect(code).toBe(0);
  expect(out).toMatch(/^- +token-signature +offline/m);
  expect(out).toContain("would be issued, if its issuer signed it:");
  expect(issuer.requests.length).toBe(before);
});

test("what a token says cannot command the terminal", async () => {
  const { code, out } = await explainClaims({ sub: "\u001b[2J\u202etxt.exe\u009b1m\n" });
  expect(code).toBe(1);
  expect(out).not.toMatch(/[^\n\P{C}]/u);
  expect(out).toContain("\\u{1b}[2J\\u{202e}txt.exe");
});

test("a question that cannot be understood: exit code 2, and a token given in place of a file is not repeated", async () => {
  const token = await issuer.token();
  expect(await explain()).toMatchObject({ code: 2, err: expect.stringContaining("needs the file of a token") });
  const asFile = await explain(token, "--config", config);
  expect(asFile).toMatchObject({ code: 2, out: "", err: expect.stringContaining("cannot be read") });
  const twice = await explain("a", token);
  expect(twice).toMatchObject({ code: 2, err: expect.stringContaining("takes one file") });
  for (const { err } of [asFile, twice]) expect(err).not.toContain(token.split(".")[1]);
  expect(await explain("a", "--wrong")).toMatchObject({ code: 2 });
  expect(await explain("a", "--config", join(folder, "none.yaml"))).toMatchObject({ code: 2 });
  expect(await explain("--help")).toMatchObject({
    code: 0,
    out: expect.stringContaining("usage: chancery explain-token"),
  });
});
