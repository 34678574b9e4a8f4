import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fulcioConfig } from "../src/fulcio-config.ts";
import { resolveSettings } from "../src/settings.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-settings-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let count = 0;
async function file(text: string): Promise<string> {
  count += 1;
  const path = join(folder, `${count}.yaml`);
  await writeFile(path, text);
  return path;
}

describe("with a file of settings and no issuers", () => {
  const SETTINGS = `chancery:
  port: 9000
  metrics: { port: 2112 }
  auditor: { webhook: "https://chat.example.com/hooks/1" }
  readers: { issuer: "http://localhost:9000/idp", client-id: sigstore, roles: { reader: { email: "*" } } }
`;

  test("development mode stays, with what the file says", async () => {
    const config = await file(SETTINGS);
    const found = await resolveSettings({}, { CHANCERY_CONFIG: config });
    expect(found).toMatchObject({
      host: "127.0.0.1",
      url: "http://localhost:9000",
      issuers: undefined,
      metrics: { port: 2112, host: "127.0.0.1" },
      auditor: { webhook: "https://chat.example.com/hooks/1" },
      readers: { keys: "of-the-ca" },
    });
    expect(fulcioConfig(found).issuers.map(({ url }) => url)).toEqual(["http://localhost:9000/idp"]);
  });

  test.for([
    ["{ host: 0.0.0.0 }", /^chancery\.host: 0\.0\.0\.0 is reachable from other machines and no issuers are configured/],
    ["{ url: https://a.example }", /^chancery\.url: https:\/\/a\.example is no name of this machine alone/],
    ["{ grpc: { port: 8701, host: 10.0.0.1 } }", /^chancery\.grpc\.host: 10\.0\.0\.1 is reachable from other machines/],
    ["{ metrics: { port: 2112, host: '::' } }", /^chancery\.metrics\.host: :: is reachable from other machines/],
    ["{ tls: { certificate: a.pem, key: a.key } }", /^chancery\.tls: .*name your issuers/],
    [
      "{ readers: { issuer: https://login.example.com, client-id: a } }",
      /^chancery\.readers\.issuer: .* is not http:\/\/localhost:8700\/idp, the one issuer of development mode/,
    ],
  ] as const)("and nothing is reachable from elsewhere, nor half configured: %s", async ([section, reason]) => {
    const config = await file(`chancery: ${section}\n`);
    await expect(resolveSettings({}, { CHANCERY_CONFIG: config })).rejects.toThrow(reason);
  });

  test.for([
    // Whoever names issuers means them: an empty list, or one that was commented out, is no development mode.
    ["chancery: {port: 9000}\noidc-issuers: {}", "oidc-issuers: no issuer is configured"],
    ["chancery: {port: 9000}\noidc-issuers:\n", "oidc-issuers: no issuer is configured"],
    ["chancery: {port: 9000}\ndefine: {}", "oidc-issuers: no issuer is configured"],
    ["chancery: {port: 9000}\noidc-isuers: {}", "oidc-isuers: "],
    ["chancery:", "oidc-issuers: no issuer is configured"],
    ["chancery: {prot: 9000}", "chancery.prot: unknown key"],
  ] as const)("and a file that means issuers of its own is not taken for one: %j", async ([text, reason]) => {
    await expect(resolveSettings({}, { CHANCERY_CONFIG: await file(text) })).rejects.toThrow(reason);
  });
});
