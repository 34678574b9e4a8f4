import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { PostgresIssuanceLedger } from "@chancery/fulcio";
import { Database, runningEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestStack, type TestStack } from "./start-stack.ts";

const signature = (key: KeyObject) => sign("sha256", Buffer.from("artifact"), key).toString("base64");

describe("certificates whose key no log has seen", () => {
  let running: TestStack;
  beforeAll(async () => {
    running = await startTestStack();
  });
  afterAll(() => running?.[Symbol.asyncDispose]());

  const post = async (path: string, body: object) => {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(running.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    expect(answer.ok, await answer.clone().text()).toBe(true);
    return answer.json();
  };

  async function certificate(): Promise<{ der: Buffer; pem: string; privateKey: KeyObject }> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const oidcIdentityToken = await (await fetch(`${running.url}/idp/token?email=dev@example.com`)).text();
    const content = publicKey.export({ type: "spki", format: "pem" });
    const proofOfPossession = sign("sha256", Buffer.from("dev@example.com"), privateKey).toString("base64");
    const body = (await post("/api/v2/signingCert", {
      credentials: { oidcIdentityToken },
      publicKeyRequest: { publicKey: { algorithm: "ECDSA", content }, proofOfPossession },
    })) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } };
    const pem = `${body.signedCertificateEmbeddedSct.chain.certificates[0]!}\n`;
    return { der: new X509Certificate(pem).raw, pem, privateKey };
  }

  test("are those of neither log, and the signer of either is not among them", async () => {
    const [inV1, inV2, unused] = [await certificate(), await certificate(), await certificate()];
    const digest = createHash("sha256").update("artifact").digest();
    await post("/api/v1/log/entries", {
      apiVersion: "0.0.1",
      kind: "hashedrekord",
      spec: {
        data: { hash: { algorithm: "sha256", value: digest.toString("hex") } },
        signature: {
          content: signature(inV1.privateKey),
          publicKey: { content: Buffer.from(inV1.pem).toString("base64") },
        },
      },
    });
    await post("/api/v2/log/entries", {
      hashedRekordRequestV002: {
        digest: digest.toString("base64"),
        signature: {
          content: signature(inV2.privateKey),
          verifier: {
            x509Certificate: { rawBytes: inV2.der.toString("base64") },
            keyDetails: "PKIX_ECDSA_P256_SHA_256",
          },
        },
      },
    });
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    const ledger = await PostgresIssuanceLedger.open(db);
    // The same three as of an hour ago: what was just issued may still be used.
    for (const entry of await ledger.issued({ limit: 3 })) {
      await ledger.recordIssued({ ...entry, time: entry.time - 3_600_000 });
    }
    const [last] = await ledger.issued({ limit: 1 });
    const damaged = { ...last!, serial: new Uint8Array(20).fill(7), certificate: new Uint8Array(9) };
    await ledger.recordIssued({ ...damaged, time: last!.time - 7_200_000 });
    await db.close();
    const answer = await fetch(`${running.url}/api/chancery/v1/issuance/summary`);
    const { unused: page, certificates } = (await answer.json()) as {
      unused: { results: { serial: string }[] };
      certificates: { count: number };
    };
    expect(certificates.count).toBe(7);
    const serial = new X509Certificate(unused.pem).serialNumber.toLowerCase().padStart(40, "0");
    expect(page.results.map((one) => one.serial)).toEqual([serial, "07".repeat(20)]);
  });
});
