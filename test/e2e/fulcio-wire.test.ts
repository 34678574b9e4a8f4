import { generateKeyPairSync, randomUUID, sign, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { parseCertificate, parseSctList } from "@chancery/x509";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  type FakeIssuer,
  freePort,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const SCT_LIST = "1.3.6.1.4.1.11129.2.4.2";
/** A subject, which the ledger keeps. */
const STORED = `subject-${randomUUID()}`;
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyRequest = {
  publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
  proofOfPossession: sign("sha256", Buffer.from("dev@example.com"), privateKey),
};

const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString("base64");

/** As it is deployed: a file of issuers, a port for gRPC, and the CT log of another process. */
describe("Fulcio as a process of its own", () => {
  let issuer: FakeIssuer;
  let other: FakeIssuer;
  let folder: ClientHome;
  let logger: ChanceryProcess;
  let fulcio: ChanceryProcess;
  let [grpcPort, metricsPort] = [0, 0];

  const write = (...issuers: readonly FakeIssuer[]) => {
    const shard = `${logger.url}/ctlog/${new Date().getFullYear()}`;
    const own = {
      "log-level": "debug",
      metrics: { port: metricsPort },
      fulcio: { "ct-log": { url: shard, "public-key": "ct.pem" } },
    };
    const known = issuers.map(({ url }) => [url, { "client-id": "sigstore", type: "email" }]);
    const document = { "oidc-issuers": Object.fromEntries(known) as object, chancery: own };
    return folder.write("config.yaml", JSON.stringify(document));
  };
  const enrol = async (from: FakeIssuer) => {
    const answer = await fetch(`${fulcio.url}/api/v2/signingCert`, {
      method: "POST",
      body: JSON.stringify({
        credentials: { oidcIdentityToken: await from.token() },
        publicKeyRequest: { ...keyRequest, proofOfPossession: base64(keyRequest.proofOfPossession) },
      }),
    });
    return { status: answer.status, text: await answer.text() };
  };

  const callGrpc = async (token: string) => {
    const proto = fileURLToPath(new URL("../../services/fulcio/proto/fulcio_v2.proto", import.meta.url));
    const { "dev.sigstore.fulcio.v2.CA": service } = loadSync(proto);
    const { path, requestSerialize, responseDeserialize } = (
      service as unknown as Record<string, { path: string; requestSerialize: never; responseDeserialize: never }>
    )["CreateSigningCertificate"]!;
    const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const request = { credentials: { oidcIdentityToken: token }, publicKeyRequest: keyRequest };
    try {
      return await new Promise<unknown>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, value) =>
          error === null ? resolve(value) : reject(error),
        );
      });
    } finally {
      client.close();
    }
  };

  beforeAll(async () => {
    [issuer, other, folder] = await Promise.all([startFakeIssuer(), startFakeIssuer(), clientHome()]);
    [grpcPort, metricsPort] = [await freePort(), await freePort()];
    logger = await startChancery();
    const trusted = (await (await fetch(`${logger.url}/trust/trusted_root.json`)).json()) as {
      ctlogs: { publicKey: { rawBytes: string } }[];
    };
    const key = trusted.ctlogs[0]!.publicKey.rawBytes;
    await folder.write("ct.pem", `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----\n`);
    // The same CA in both: the log takes certificates of no other.
    const ca = ["--ca-key", `${logger.data}/keys/fulcio-intermediate.pem`];
    const chain = ["--ca-chain", `${logger.data}/certificates/fulcio.pem`];
    const config = await write(issuer);
    fulcio = await startChancery({ args: ["--config", config, ...ca, ...chain, "--grpc-port", String(grpcPort)] });
  });
  afterAll(async () => {
    await Promise.all([fulcio, logger, issuer, other, folder].map((part) => part?.[Symbol.asyncDispose]()));
  });

  test("embeds the SCT of a CT log in another process, whose key clients are told to trust", async () => {
    const { status, text } = await enrol(issuer);
    expect(status).toBe(200);
    const [pem] = (JSON.parse(text) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } })
      .signedCertificateEmbeddedSct.chain.certificates;
    const leaf = parseCertificate(new X509Certificate(pem!).raw, "leaf");
    const list = leaf.extensions.find(({ oid }) => oid === SCT_LIST)!.value;
    // An OCTET STRING in an OCTET STRING: two bytes of header, one more from 128 bytes on.
    const [sct] = parseSctList(list.subarray(list[1]! < 0x80 ? 2 : 3), "SCT list");
    const trusted = (await (await fetch(`${fulcio.url}/trust/trusted_root.json`)).json()) as {
      ctlogs: { logId: { keyId: string } }[];
    };
    expect(trusted.ctlogs).toHaveLength(2);
    expect(trusted.ctlogs[1]!.logId.keyId).toBe(Buffer.from(sct!.logId).toString("base64"));
  });

  test("answers over gRPC, and says where", async () => {
    expect(fulcio.output()).toMatch(new RegExp(`Fulcio over gRPC +127\\.0\\.0\\.1:${grpcPort}\\b`));
    const answer = await callGrpc(await issuer.token());
    const { signedCertificateEmbeddedSct: embedded } = answer as {
      signedCertificateEmbeddedSct: { chain: { certificates: string[] } };
    };
    expect(embedded.chain.certificates).toHaveLength(3);
  });

  test("has Rekor v2 on its gRPC port too", async () => {
    const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const path = "/dev.sigstore.rekor.v2.Rekor/GetCheckpoint";
    const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        () => Buffer.alloc(0),
        (bytes) => bytes,
        {},
        (error, bytes) => (error === null ? resolve(bytes) : reject(error)),
      );
    });
    client.close();
    const [origin] = (await (await fetch(`${fulcio.url}/api/v2/checkpoint`)).text()).split("\n");
    expect(answer?.toString()).toMatch(new RegExp(`${origin}\\n\\d+\\n[^]+— ${origin} `));
  });

  test("takes its issuers anew on SIGHUP and by itself, under load, without one failed request", async () => {
    const statuses: number[] = [];
    const load = new AbortController();
    const clients = Array.from({ length: 4 }, async () => {
      while (!load.signal.aborted) statuses.push((await enrol(issuer)).status);
    });
    expect((await enrol(other)).status).toBe(400);
    await write(issuer, other);
    process.kill(fulcio.pid, "SIGHUP");
    await expect.poll(async () => (await enrol(other)).status, { timeout: 10_000 }).toBe(200);
    await write(issuer);
    await expect.poll(async () => (await enrol(other)).status, { timeout: 15_000 }).toBe(400);
    for (let turn = 0; turn < 20; turn++) {
      process.kill(fulcio.pid, "SIGHUP");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    load.abort();
    await Promise.all(clients);
    expect(statuses.length).toBeGreaterThan(20);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(issuer.requests.filter((asked) => asked.endsWith("openid-configuration"))).toHaveLength(1);
  });

  test("keeps its issuers when their file is damaged, and says so", async () => {
    await folder.write("config.yaml", "oidc-issuers: [");
    process.kill(fulcio.pid, "SIGHUP");
    const readiness = async () => (await (await fetch(`${fulcio.url}/readyz`)).json()) as { warnings?: object[] };
    await expect.poll(async () => (await readiness()).warnings, { timeout: 10_000 }).toHaveLength(1);
    expect(await readiness()).toMatchObject({ status: "ready", warnings: [{ service: "configuration" }] });
    expect((await enrol(issuer)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toContain(
      "chancery_config_in_force 0",
    );
    await write(issuer);
    await expect.poll(async () => (await readiness()).warnings, { timeout: 15_000 }).toBeUndefined();
  });

  const refusedByCtLog = async () => {
    const started = performance.now();
    const { status, text } = await enrol(issuer);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect([status, (JSON.parse(text) as { message: string }).message]).toEqual([
      500,
      "Error entering certificate in CTL",
    ]);
    expect(text).not.toContain("CERTIFICATE");
  };

  test("issues nothing while its CT log takes connections and is silent: 500 within five seconds", async () => {
    process.kill(logger.pid, "SIGSTOP");
    try {
      await refusedByCtLog();
    } finally {
      process.kill(logger.pid, "SIGCONT");
    }
    await expect.poll(async () => (await enrol(issuer)).status, { timeout: 10_000 }).toBe(200);
  });

  test("issues nothing while its CT log is gone: 500 within five seconds", async () => {
    await logger.kill();
    await refusedByCtLog();
    logger = await logger.again();
    expect((await enrol(issuer)).status).toBe(200);
  });

  test("keeps and prints no token, whatever became of it and wherever in a request it stood", async () => {
    const sent: string[] = [];
    const canary = async (claims: Parameters<FakeIssuer["token"]>[0] = {}, change = (token: string) => token) => {
      const claimed = { sub: STORED, secret: `${randomUUID()}-never-stored`, ...claims };
      const token = change(await issuer.token(claimed));
      sent.push(token);
      return token;
    };
    const v2 = "/api/v2/signingCert";
    const post = (path: string, body: unknown, authorization?: string) =>
      fetch(`${fulcio.url}${path}`, {
        method: "POST",
        headers: authorization === undefined ? {} : { authorization },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    const proof = base64(keyRequest.proofOfPossession);
    const publicKeyRequest = { ...keyRequest, proofOfPossession: proof };
    const withToken = (token: string) => ({ credentials: { oidcIdentityToken: token }, publicKeyRequest });
    const v1 = {
      publicKey: { content: base64(keyRequest.publicKey.content) },
      signedEmailAddress: proof,
    };

    const issued = [
      await post(v2, withToken(await canary())),
      await post(v2, { publicKeyRequest }, `Bearer ${await canary()}`),
      await post("/api/v1/signingCert", v1, `Bearer ${await canary()}`),
    ];
    expect(issued.map(({ status }) => status)).toEqual([200, 200, 201]);
    await callGrpc(await canary());
    const refused = [
      post(v2, withToken(await canary({ exp: 1 }))),
      post(v2, withToken(await canary({ aud: "another" }))),
      post(v2, withToken(await canary({ email_verified: false }))),
      post(v2, withToken(await canary({ iss: "https://unknown.example.com" }))),
      post(v2, withToken(await canary({}, (token) => `${token.slice(0, -8)}AAAAAAAA`))),
      post(v2, withToken(await canary({}, (token) => `${token}.more`))),
      post(v2, { ...withToken(await canary()), publicKeyRequest: { ...publicKeyRequest, proofOfPossession: "AAAA" } }),
      post(v2, { ...withToken(""), publicKeyRequest: { publicKey: { content: await canary() } } }),
      post(v2, { ...withToken(""), publicKeyRequest: { proofOfPossession: await canary() } }),
      post(v2, { certificateSigningRequest: base64(await canary()) }, `Bearer ${await canary()}`),
      post(v2, `{"credentials":{"oidcIdentityToken":"${await canary()}"`),
      post(v2, { ...withToken(await canary()), [await canary()]: 1, credentials: await canary() }),
      post(v2, withToken((await canary()).padEnd(80_000, "A"))),
      post(`${v2}?access_token=${await canary()}`, {}),
      post(`/api/v2/${await canary()}`, {}),
      post("/api/v1/signingCert", v1, `Basic ${await canary()}`),
      callGrpc(await canary({ exp: 1 })).then(
        () => ({ status: 200 }),
        () => ({ status: 400 }),
      ),
    ];
    for (const answer of await Promise.all(refused)) expect([400, 404, 413]).toContain(answer.status);

    await fulcio.stop();
    const printed = fulcio.output();
    const files = await readdir(fulcio.data, { recursive: true, withFileTypes: true });
    const read = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name)));
    const kept = [Buffer.from(printed), ...(await Promise.all(read))];
    // Of what is stored and printed on purpose both are found, or finding nothing would say nothing.
    expect(printed).toContain(STORED);
    expect(kept.slice(1).some((bytes) => bytes.includes(STORED))).toBe(true);
    const parts = sent.flatMap((token) => token.split(".").slice(1)).filter((part) => part.length > 40);
    const needles = ["-never-stored", ...parts.flatMap((part) => [part.slice(-30), part.slice(8, 38)])];
    const found = needles.filter((needle) => kept.some((bytes) => bytes.includes(needle)));
    expect(found).toEqual([]);
    fulcio = await fulcio.again();
  });
});
