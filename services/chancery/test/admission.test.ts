import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFakeIssuer } from "@chancery/testing";
import { expect, test } from "vitest";
import { startTestStack } from "./start-stack.ts";

const AUDIENCE = "rekor.example.com";
const SUBJECT = "hello";

/** A certificate of the stack's own CA for a new key, and what the key signs with. */
async function certify(url: string, token: string) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const proof = sign("sha256", Buffer.from("dev@example.com"), privateKey).toString("base64");
  const answer = await fetch(`${url}/api/v2/signingCert`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
        proofOfPossession: proof,
      },
    }),
  });
  const json = (await answer.json()) as { signedCertificateEmbeddedSct?: { chain: { certificates: string[] } } };
  const leaf = json.signedCertificateEmbeddedSct?.chain.certificates[0];
  if (leaf === undefined) throw new Error(JSON.stringify(json));
  return { privateKey, publicPem: publicKey.export({ type: "spki", format: "pem" }), leaf };
}

async function proposal(privateKey: Parameters<typeof sign>[2], pem: string) {
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(SUBJECT)));
  const content = sign("sha256", Buffer.from(SUBJECT), privateKey).toString("base64");
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value: digest.toString("hex") } },
      signature: { content, publicKey: { content: Buffer.from(pem).toString("base64") } },
    },
  };
}

test("a log that takes only its own CA's certificates from callers that an issuer of the CA vouches for", async () => {
  await using issuer = await startFakeIssuer();
  const folder = await mkdtemp(join(tmpdir(), "chancery-admission-"));
  const config = join(folder, "config.json");
  const admission = {
    rekor: {
      signers: { "own-ca": true },
      callers: { tokens: [{ issuer: issuer.url, audience: AUDIENCE, claims: { email: "*@example.com" } }] },
    },
  };
  const issuers = { [issuer.url]: { "issuer-url": issuer.url, "client-id": "sigstore", type: "email" } };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { rekor: { admission } } }));
  try {
    await using stack = await startTestStack({ config });
    const { privateKey, publicPem, leaf } = await certify(stack.url, await issuer.token());
    const post = async (pem: string, token?: string) => {
      const answer = await fetch(`${stack.url}/api/v1/log/entries`, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(await proposal(privateKey, pem)),
      });
      return [answer.status, ((await answer.json()) as { message?: string }).message];
    };
    const good = await issuer.token({ aud: AUDIENCE });
    expect(await post(leaf)).toEqual([
      401,
      expect.stringContaining(`a bearer token of ${issuer.url} for the audience`),
    ]);
    expect(await post(leaf, await issuer.token())).toEqual([
      401,
      `the token is for another audience: send a bearer token of ${issuer.url} for the audience ${AUDIENCE}`,
    ]);
    expect(await post(leaf, await issuer.token({ aud: AUDIENCE, email: "a@evil.example" }))).toEqual([
      403,
      "claims of the token are not among those that are let in: email",
    ]);
    expect(await post(publicPem, good)).toEqual([403, expect.stringContaining("this installation's authority")]);
    expect(await post(leaf, good)).toEqual([201, undefined]);
    const state = (await (await fetch(`${stack.url}/api/v1/log`)).json()) as { treeSize: number };
    expect(state.treeSize).toBe(1);
    // The v2 log was told nothing, and takes what it takes.
    expect((await fetch(`${stack.url}/api/v2/log/entries`, { method: "POST", body: "{}" })).status).toBe(400);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
