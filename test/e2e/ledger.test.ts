import { execFile, type ExecFileException } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  type FakeIssuer,
  needClients,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");

const { missing, reason } = needClients("cosign-2");

/** The built program with other words, the token on its standard input. */
async function chancery(args: readonly string[], input = ""): Promise<{ code: number; out: string; err: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; out: string; err: string }>();
  const child = execFile(process.execPath, [MAIN, ...args], (error: ExecFileException | null, out, err) =>
    resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }),
  );
  child.stdin?.end(input);
  return promise;
}

describe.skipIf(missing)(`the ledger and the policy of a running authority${reason}`, () => {
  let stack: ChanceryProcess;
  let issuer: FakeIssuer;
  let home: ClientHome;
  let config: string;

  beforeAll(async () => {
    [issuer, home] = await Promise.all([startFakeIssuer(), clientHome()]);
    const policy = { default: "deny", allow: { staff: { claim: "email", glob: "*@example.com" } } };
    const entry = { "issuer-url": issuer.url, "client-id": "sigstore", type: "email", policy };
    config = await home.write("config.yaml", JSON.stringify({ "oidc-issuers": { [issuer.url]: entry } }));
    stack = await startChancery({ args: ["--config", config] });
    await home.run("cosign-2", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
  });
  afterAll(async () => {
    await Promise.all([stack, issuer, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const signArgs = (token: string) => [
    "sign-blob",
    "--yes",
    `--fulcio-url=${stack.url}`,
    `--rekor-url=${stack.url}`,
    `--identity-token=${token}`,
    `--output-certificate=${home.path("certificate")}`,
    `--bundle=${home.path("bundle")}`,
    home.path("blob"),
  ];
  const ledger = async (...flags: string[]) => {
    const { code, out, err } = await chancery(["issued", "--data", stack.data, "--json", ...flags]);
    expect(code, err).toBe(0);
    return out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  test("cosign's certificate stands in it, as it stands in cosign's bundle, and explain-token foretells it", async () => {
    await home.write("blob", "a file");
    const token = await issuer.token({ sub: "someone" });
    const explained = await chancery(["explain-token", "-", "--config", config, "--json"], `${token}\n`);
    expect(explained.code, explained.out).toBe(0);
    expect(explained.out).not.toContain(token.split(".")[2]);
    const foretold = JSON.parse(explained.out) as { certificate: { identity: string } };

    await home.run("cosign-2", ...signArgs(token));
    const text = await readFile(home.path("certificate"), "utf8");
    const pem = text.startsWith("-----") ? text : Buffer.from(text, "base64").toString();
    const certificate = new X509Certificate(pem);
    expect(await ledger("--serial", certificate.serialNumber)).toMatchObject([
      {
        issuer: issuer.url,
        subject: "someone",
        san: { type: "email", value: foretold.certificate.identity },
        ctIndex: "0",
        certificate: certificate.raw.toString("base64"),
      },
    ]);
  });

  test("whom the policy refuses cosign is told so, the ledger keeps by which rule, and explain-token says it before", async () => {
    await home.write("blob", "a file");
    const token = await issuer.token({ email: "stranger@evil.example" });
    const explained = await chancery(["explain-token", "-", "--config", config], token);
    expect(explained.code).toBe(1);
    expect(explained.out).toMatch(/^FAILED {2}policy +no rule of the issuance policy allows it$/m);
    expect(explained.out).toContain("No certificate would be issued.");

    const refused = await home.refuse("cosign-2", ...signArgs(token));
    expect(refused.stderr).toContain("There was an error processing the identity token");
    expect(await ledger("--refused")).toMatchObject([
      { code: "policy", rule: "(default)", issuer: issuer.url, subject: "subject-of-dev" },
    ]);
    expect(await ledger("--limit", "all")).toHaveLength(1);
    expect(stack.output()).not.toContain(token.split(".")[2]);
  });

  test("a restart finds the same ledger", async () => {
    const before = await ledger();
    await stack.stop();
    expect(await ledger()).toEqual(before);
    stack = await stack.again();
    expect(await ledger()).toEqual(before);
  });
});
