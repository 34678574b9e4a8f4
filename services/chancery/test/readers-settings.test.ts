import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveSettings } from "../src/settings.ts";

const ISSUER = "https://issuer.example.com";
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-readers-settings-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function readers(section: object, url = "https://chancery.example.com") {
  const config = join(folder, "config.json");
  const issuers = { [ISSUER]: { "issuer-url": ISSUER, "client-id": "sigstore", type: "email" } };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { url, readers: section } }));
  return (await resolveSettings({ config }, {})).readers;
}

describe("who may read, in the configuration", () => {
  test("needs an issuer and a client, and has a default for all else", async () => {
    expect(await readers({ issuer: ISSUER, "client-id": "chancery" })).toMatchObject({
      audience: "chancery",
      clientSecret: undefined,
      keys: "of-the-ca",
      login: true,
      guardsLogs: false,
      sessionLife: 3_600_000,
      roles: { reader: [{ name: "roles" }], auditor: [{ name: "roles" }] },
    });
  });

  test("may name auditors alone, and a client's secret in a file", async () => {
    await writeFile(join(folder, "secret"), "s3cret\n");
    const section = {
      issuer: ISSUER,
      "client-id": "c",
      "client-secret-file": "secret",
      roles: { auditor: { groups: "a" } },
    };
    expect(await readers(section)).toMatchObject({ clientSecret: "s3cret", roles: { reader: undefined } });
  });

  test.for([
    [{ "client-id": "c" }, undefined, "chancery.readers.issuer"],
    [{ issuer: ISSUER }, undefined, "chancery.readers.client-id"],
    [{ issuer: "http://issuer.example.com", "client-id": "c" }, undefined, "readers.issuer: must be an https URL"],
    [{ issuer: "https://other.example", "client-id": "c" }, undefined, "is not among the oidc-issuers"],
    [{ issuer: ISSUER, "client-id": "c" }, "http://chancery.example.com", "needs a CHANCERY_URL with https"],
    [{ issuer: ISSUER, "client-id": "c", roles: {} }, undefined, "has neither reader nor auditor"],
    [{ issuer: ISSUER, "client-id": "c", roles: { reader: {} } }, undefined, "names no claim: it would be everyone's"],
    [{ issuer: ISSUER, "client-id": "c", rolse: {} }, undefined, "known are issuer, jwks-file, jwks, client-id"],
    [{ issuer: ISSUER, "client-id": "c", "client-secret-file": "absent" }, undefined, "client-secret-file"],
    [{ issuer: ISSUER, "client-id": "c", "session-minutes": 100_000 }, undefined, "session-minutes"],
  ] as const)("that makes no sense (%#) is refused by name", async ([section, url, complaint]) => {
    await expect(readers(section, url)).rejects.toThrow(complaint);
  });
});
