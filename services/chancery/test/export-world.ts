import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { expect } from "vitest";
import { run } from "../src/command-line.ts";

/** `chancery ARGS`, in this process. */
export async function chancery(...args: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await run(args, {}, terminal);
  return { code, out, err };
}

async function post(url: string, body: object): Promise<unknown> {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  expect(answer.ok, await answer.clone().text()).toBe(true);
  return answer.json();
}

export interface Signer {
  readonly pem: string;
  readonly der: Buffer;
  readonly privateKey: KeyObject;
}

export async function issueCertificate(url: string, email: string): Promise<Signer> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await fetch(`${url}/idp/token?email=${encodeURIComponent(email)}`);
  const content = publicKey.export({ type: "spki", format: "pem" });
  const proofOfPossession = sign("sha256", Buffer.from(email), privateKey).toString("base64");
  const body = (await post(`${url}/api/v2/signingCert`, {
    credentials: { oidcIdentityToken: await token.text() },
    publicKeyRequest: { publicKey: { algorithm: "ECDSA", content }, proofOfPossession },
  })) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } };
  const pem = `${body.signedCertificateEmbeddedSct.chain.certificates[0]!}\n`;
  return { pem, der: new X509Certificate(pem).raw, privateKey };
}

export async function logV1(url: string, { pem, privateKey }: Signer, text: string): Promise<void> {
  const value = createHash("sha256").update(text).digest("hex");
  const content = sign("sha256", Buffer.from(text), privateKey).toString("base64");
  await post(`${url}/api/v1/log/entries`, {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value } },
      signature: { content, publicKey: { content: Buffer.from(pem).toString("base64") } },
    },
  });
}

export async function logV2(url: string, { der, privateKey }: Signer, text: string): Promise<void> {
  await post(`${url}/api/v2/log/entries`, {
    hashedRekordRequestV002: {
      digest: createHash("sha256").update(text).digest("base64"),
      signature: {
        content: sign("sha256", Buffer.from(text), privateKey).toString("base64"),
        verifier: {
          x509Certificate: { rawBytes: der.toString("base64") },
          keyDetails: "PKIX_ECDSA_P256_SHA_256",
        },
      },
    },
  });
}
