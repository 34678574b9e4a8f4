import { createHash, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFakeIssuer } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

async function issued(...flags: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await run(["issued", ...flags], {}, terminal);
  return { code, out, err };
}

describe("chancery issued", () => {
  let folder: string;
  let running: TestStack;
  let issuer: Awaited<ReturnType<typeof startFakeIssuer>>;
  let certificate: X509Certificate;

  async function enrol(claims: { email: string }): Promise<X509Certificate | undefined> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const answer = await fetch(`${running.url}/api/v2/signingCert`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        credentials: { oidcIdentityToken: await issuer.token(claims) },
        publicKeyRequest: {
          publicKey: { content: publicKey.export({ type: "spki", format: "pem" }) },
          proofOfPossession: sign("sha256", Buffer.from(claims.email), privateKey).toString("base64"),
        },
      }),
    });
    if (!answer.ok) return undefined;
    const body = (await answer.json()) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } };
    return new X509Certificate(body.signedCertificateEmbeddedSct.chain.certificates[0]!);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chancery-issued-"));
    issuer = await startFakeIssuer();
    const config = join(folder, "chancery.yaml");
    const policy = { default: "allow", deny: { interns: { claim: "email", glob: "intern-*" } } };
    const entry = { "issuer-url": issuer.url, "client-id": "sigstore", type: "email", policy };
    await writeFile(config, JSON.stringify({ "oidc-issuers": { [issuer.url]: entry } }));
    running = await startTestStack({ data: join(folder, "data"), config });
    await enrol({ email: "first@example.com" });
    certificate = (await enrol({ email: "dev@example.com" }))!;
    expect(await enrol({ email: "intern-1@example.com" })).toBeUndefined();
  });
  afterAll(async () => {
    await running?.stack[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const data = () => ["--data", join(folder, "data")];
  const count = async (...flags: string[]) => (await issued(...data(), ...flags)).out.split("\n").length - 1;

  test("lists certificates, newest first, while chancery runs, and says beside it whose they are", async () => {
    const { code, out, err } = await issued(...data());
    expect([code, err]).toEqual([0, `chancery: reads the installation in ${join(folder, "data")}\n`]);
    const [newest, first, none] = out.split("\n");
    expect(newest).toContain(certificate.serialNumber.toLowerCase());
    expect(newest).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}[0-9a-f]{40} {2} +1 {2}email:dev@example\.com {2}http/);
    expect(first).toContain(" 0  email:first@example.com");
    expect(none).toBe("");
  });

  test("--json has what an auditor compares with the CT log, and the CT log has it at that index", async () => {
    const { out } = await issued(...data(), "--json", "--san", "dev@example.com");
    const entry = JSON.parse(out) as Record<string, string>;
    expect(entry).toMatchObject({
      issuer: issuer.url,
      subject: "subject-of-dev",
      san: { type: "email", value: "dev@example.com" },
      // Node leaves the leading zeros out; the ledger has all 20 bytes.
      serial: certificate.serialNumber.toLowerCase().padStart(40, "0"),
      ctIndex: "1",
      certificateSha256: createHash("sha256").update(certificate.raw).digest("hex"),
      certificate: certificate.raw.toString("base64"),
      wouldRefuse: null,
    });
    const shard = running.stack.facts.shard;
    const answer = await fetch(`${running.url}/ctlog/${shard}/ct/v1/get-entries?start=1&end=1`);
    const { entries } = (await answer.json()) as { entries: { extra_data: string }[] };
    const serial = Buffer.from(certificate.serialNumber, "hex");
    expect(Buffer.from(entries[0]!.extra_data, "base64").includes(serial)).toBe(true);
  });

  test("finds by name, beginning of a name, serial, issuer and time", async () => {
    expect(await count("--san", "first@example.com")).toBe(1);
    expect(await count("--san", "f*")).toBe(1);
    expect(await count("--serial", certificate.serialNumber)).toBe(1);
    expect(await count("--serial", certificate.serialNumber.replaceAll(/(..)(?=.)/g, "$1:"))).toBe(1);
    expect(await count("--issuer", issuer.url)).toBe(2);
    expect(await count("--issuer", "https://other.example")).toBe(0);
    expect(await count("--since", "1h")).toBe(2);
    expect(await count("--until", "2020-01-01")).toBe(0);
    expect(await count("--limit", "1")).toBe(1);
    expect(await count("--limit", "all")).toBe(2);
    expect(await count("--would-refuse")).toBe(0);
  });

  test("--refused lists whom a rule refused, and the program's log says the same", async () => {
    const { out } = await issued(...data(), "--refused", "--json", "--code", "policy");
    expect(JSON.parse(out)).toMatchObject({
      code: "policy",
      rule: "interns",
      issuer: issuer.url,
      subject: "subject-of-dev",
      count: 1,
    });
    expect((await issued(...data(), "--refused")).out).toContain("  policy  interns  subject-of-dev  ");
    expect(running.lines.some((line) => line.includes('"rule":"interns"'))).toBe(true);
  });

  test.for([
    [["--since", "yesterday"], "--since: is neither an ISO date"],
    [["--serial", "xyz"], "--serial: is not a serial"],
    [["--limit", "0"], "--limit: is neither a number nor all"],
    [["--code", "policy"], "--code: needs --refused"],
    [["--refused", "--san", "x"], "--san: is not known of a refusal"],
    [["--data", "/nonexistent"], "holds no installation"],
    [["extra"], "command line"],
  ] as const)("%j: exit code 2 and why", async ([flags, reason]) => {
    expect(await issued(...flags)).toMatchObject({ code: 2, err: expect.stringContaining(reason) });
  });
});
