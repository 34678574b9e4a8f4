import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveSettings } from "../src/settings.ts";

let folder: string;
let pem: string;
let jwks: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-admission-"));
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  pem = publicKey.export({ type: "spki", format: "pem" });
  jwks = JSON.stringify({ keys: [publicKey.export({ format: "jwk" })] });
  await writeFile(join(folder, "builder.pem"), pem);
  await writeFile(join(folder, "keys.json"), jwks);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ISSUER = "https://issuer.example.com";
const FINGERPRINT = "ab".repeat(32);

async function settings(admission: unknown, more: object = {}) {
  const config = join(folder, "config.json");
  const issuers = { [ISSUER]: { "issuer-url": ISSUER, "client-id": "sigstore", type: "email" } };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { rekor: { admission }, ...more } }));
  return resolveSettings({ config }, {});
}

describe("who may write, in the configuration", () => {
  test("is anyone, unless it says otherwise", async () => {
    expect((await settings({})).rekor.admission).toEqual({});
  });

  test("is said for each log by itself: signers by CA, file, PEM and fingerprint", async () => {
    const { rekor } = await settings({
      "rekor-v2": { signers: { "own-ca": true, keys: ["builder.pem", pem, FINGERPRINT, `sha256:${"CD".repeat(32)}`] } },
    });
    expect(rekor.admission?.rekor).toBeUndefined();
    expect(rekor.admission?.["rekor-v2"]?.callers).toBeUndefined();
    const signers = rekor.admission?.["rekor-v2"]?.signers;
    expect(signers?.ownCa).toBe(true);
    // File and PEM are the same key.
    expect([...(signers?.keys ?? [])]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), FINGERPRINT, "cd".repeat(32)]);
  });

  test("is said by tokens: keys in a file, inline, or those of the CA's issuer", async () => {
    const audience = "rekor";
    const { rekor } = await settings({
      rekor: {
        callers: {
          tokens: [
            { issuer: "https://a.example", audience, "jwks-file": "keys.json", claims: { sub: "repo:acme/*" } },
            { issuer: "https://b.example", audience, jwks: JSON.parse(jwks), claims: { "/org/name": ["a", "b"] } },
            { issuer: ISSUER, audience },
          ],
        },
      },
    });
    const tokens = rekor.admission?.rekor?.callers?.tokens ?? [];
    expect(tokens.map(({ issuer, keys }) => [issuer, keys === "of-the-ca"])).toEqual([
      ["https://a.example", false],
      ["https://b.example", false],
      [ISSUER, true],
    ]);
    expect(tokens[1]?.claims).toEqual([expect.objectContaining({ name: "/org/name", path: ["org", "name"] })]);
  });

  test.for([
    [{ rekor: { signers: {} } }, "chancery.rekor.admission.rekor.signers: has neither own-ca nor keys"],
    [{ rekor: {} }, "chancery.rekor.admission.rekor: names neither signers nor callers"],
    [{ rekor: { callers: {} } }, "chancery.rekor.admission.rekor.callers: has neither tokens nor certificates"],
    [{ rekor: { signers: { "own-ca": true, kyes: [] } } }, "known are own-ca, keys"],
    [
      { rekor: { callers: { tokens: [{ issuer: "x", audience: "y", jwk: 1 }] } } },
      "known are issuer, jwks-file, jwks, audience",
    ],
    [{ v1: {} }, "known are rekor, rekor-v2"],
    [
      { rekor: { callers: { tokens: [{ issuer: "https://unknown.example", audience: "y" }] } } },
      "callers.tokens.0.issuer: https://unknown.example is not among the oidc-issuers",
    ],
    [
      { rekor: { callers: { tokens: [{ issuer: ISSUER, audience: "y", "jwks-file": "absent.json" }] } } },
      "callers.tokens.0.jwks-file: ENOENT",
    ],
    [
      { rekor: { callers: { tokens: [{ issuer: ISSUER, audience: "y", jwks: { keys: [] } }] } } },
      "callers.tokens.0.jwks: JWK set: has no key that verifies signatures",
    ],
    [{ rekor: { signers: { keys: ["absent.pem"] } } }, "signers.keys.0:"],
    [{ rekor: { signers: { keys: ["keys.json"] } } }, "signers.keys.0:"],
    [
      { rekor: { callers: { certificates: [{ "ca-cert": "builder.pem" }] } } },
      "certificates.0.ca-cert: is not PEM of certificates",
    ],
  ] as const)("that makes no sense (%#) is refused by name", async ([admission, complaint]) => {
    await expect(settings(admission)).rejects.toThrow(complaint);
  });
});
