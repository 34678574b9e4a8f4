import "reflect-metadata";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { X509Certificate } from "@peculiar/x509";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRequest } from "./certificate-request.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { clientKey, createClientKey, type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";

const email = "dev@example.com";
const V2 = "dev.sigstore.fulcio.v2.CA";
const V1 = "dev.sigstore.fulcio.v1beta.CA";
const folder = new URL("../proto/", import.meta.url);
const description = loadSync(
  ["fulcio_v2.proto", "fulcio_v1beta.proto"].map((file) => fileURLToPath(new URL(file, folder))),
  { includeDirs: [fileURLToPath(folder)], defaults: true, enums: String },
);

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;
let unlogged: FulcioUnderTest;
const clients = new Map<FulcioUnderTest, Client>();

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  const config = `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`;
  fulcio = await startFulcio({ config });
  unlogged = await startFulcio({ config, withoutCtLog: true });
  for (const server of [fulcio, unlogged]) {
    clients.set(server, new Client(server.service.grpcAddress!, credentials.createInsecure()));
  }
});
afterAll(async () => {
  for (const client of clients.values()) client.close();
  await Promise.all([fulcio, unlogged, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});
beforeEach(() => {
  fulcio.ctLog.disturb = async (sct) => sct;
});

interface Method {
  readonly path: string;
  readonly requestSerialize: (message: object) => Buffer;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  readonly responseDeserialize: (bytes: Buffer) => any;
}

interface Called {
  // oxlint-disable-next-line typescript/no-explicit-any -- each test says what it expects in there.
  readonly answer?: any;
  readonly error?: ServiceError;
  readonly headers?: Metadata;
}

function call(service: string, name: string, request: object, token?: string, server = fulcio): Promise<Called> {
  const methods = description[service] as unknown as Readonly<Record<string, Method>>;
  const { path, requestSerialize, responseDeserialize } = methods[name]!;
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("oidcidentitytoken", token);
  return new Promise((resolve) => {
    let headers = new Metadata();
    clients
      .get(server)!
      .makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) =>
        resolve(error === null ? { answer, headers } : { error, headers }),
      )
      .on("metadata", (received) => (headers = received));
  });
}

const create = "CreateSigningCertificate";
const challenge = (key = clientKey) => ({
  publicKeyRequest: { publicKey: { algorithm: "ECDSA", content: key.pem }, proofOfPossession: key.prove(email) },
});
const told = ({ error }: Called) => [error?.code, error?.details];

describe(V2, () => {
  test("issues with an embedded SCT, and counts what it issues", async () => {
    const request = { credentials: { oidcIdentityToken: issuer.token() }, ...challenge() };
    const { answer } = await call(V2, create, request);
    const { certificates } = answer.signedCertificateEmbeddedSct.chain;
    expect(certificates).toHaveLength(3);
    const leaf = new X509Certificate(certificates[0]);
    expect(leaf.getExtension("1.3.6.1.4.1.11129.2.4.2")).not.toBeNull();
    expect(answer.signedCertificateDetachedSct ?? null).toBeNull();
    const metrics = await (await fetch(fulcio.service.metricsUrl!)).text();
    expect(metrics).toMatch(/^fulcio_new_certs [1-9]/m);
    expect(metrics).toMatch(
      /^grpc_server_handled_total\{.*grpc_service="dev\.sigstore\.fulcio\.v2\.CA".*"OK"\} [1-9]/m,
    );
  });

  test("answers in the detached form with an empty SCT where there is no CT log", async () => {
    const request = { credentials: { oidcIdentityToken: issuer.token() }, ...challenge() };
    const { answer } = await call(V2, create, request, undefined, unlogged);
    expect(answer.signedCertificateDetachedSct.chain.certificates).toHaveLength(3);
    expect(answer.signedCertificateDetachedSct.signedCertificateTimestamp).toHaveLength(0);
  });

  test("takes the token from the metadata, if it is one", async () => {
    expect((await call(V2, create, challenge(), issuer.token())).answer).toBeDefined();
    const metadata = issuer.token();
    expect(
      (await call(V2, create, { credentials: { oidcIdentityToken: "a.b.c" }, ...challenge() }, metadata)).error!.code,
    ).toBe(status.INVALID_ARGUMENT);
  });

  test("takes a certificate signing request", async () => {
    const { pem, spki } = await createRequest();
    const { answer } = await call(V2, create, { certificateSigningRequest: Buffer.from(pem) }, issuer.token());
    const leaf = new X509Certificate(answer.signedCertificateEmbeddedSct.chain.certificates[0]);
    expect(new Uint8Array(leaf.publicKey.rawData)).toEqual(spki);
  });

  test("refuses in upstream's words, with the reason as a detail", async () => {
    const sentence = "There was an error processing the identity token";
    const refused = await call(V2, create, challenge(), issuer.token({ exp: 1 }));
    expect(told(refused)).toEqual([status.INVALID_ARGUMENT, sentence]);
    const [details] = refused.error!.metadata.get("grpc-status-details-bin") as Buffer[];
    expect(details!.toString("latin1")).toContain("the token is expired");
    expect(told(await call(V2, create, {}))).toEqual([status.INVALID_ARGUMENT, sentence]);
    expect(told(await call(V2, create, {}, issuer.token()))).toEqual([
      status.INVALID_ARGUMENT,
      "The public key supplied in the request could not be parsed",
    ]);
    const { proofOfPossession } = challenge(createClientKey()).publicKeyRequest;
    const stolen = { publicKeyRequest: { ...challenge().publicKeyRequest, proofOfPossession } };
    expect(told(await call(V2, create, stolen, issuer.token()))).toEqual([
      status.INVALID_ARGUMENT,
      "The signature supplied in the request could not be verified",
    ]);
  });

  test("issues nothing when the CT log fails", async () => {
    fulcio.ctLog.disturb = async () => {
      throw new Error("secret detail");
    };
    const refused = await call(V2, create, challenge(), issuer.token());
    expect(told(refused)).toEqual([status.INTERNAL, "Error entering certificate in CTL"]);
    expect(JSON.stringify(refused.error)).not.toContain("secret");
  });

  test("refuses a message of more than 64 KiB", async () => {
    const request = { credentials: { oidcIdentityToken: "x".repeat(70_000) }, ...challenge() };
    expect((await call(V2, create, request)).error!.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  test("tells its chain and its issuers as the HTTP API does", async () => {
    const bundle = (await fulcio.request("/api/v2/trustBundle")).json();
    expect((await call(V2, "GetTrustBundle", {})).answer).toEqual(bundle);
    const configuration = (await fulcio.request("/api/v2/configuration")).json();
    expect((await call(V2, "GetConfiguration", {})).answer).toEqual(configuration);
  });
});

describe(V1, () => {
  const v1 = { publicKey: { content: Buffer.from(clientKey.pem) }, signedEmailAddress: clientKey.prove(email) };

  test("issues PEM, and says 201 to a gateway", async () => {
    const { answer, headers } = await call(V1, create, v1, issuer.token());
    expect(answer.contentType).toBe("application/pem-certificate-chain");
    expect(answer.data.toString().match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(headers!.get("x-http-code")).toEqual(["201"]);
  });

  test("refuses a request without a key", async () => {
    expect(told(await call(V1, create, {}, issuer.token()))).toEqual([
      status.INVALID_ARGUMENT,
      "The public key supplied in the request could not be parsed",
    ]);
  });

  test("gives the chain", async () => {
    const { answer } = await call(V1, "GetRootCertificate", {});
    expect(answer.data.toString()).toBe((await fulcio.request("/api/v1/rootCert")).body);
  });
});

test("HTTP requests are in upstream's latency series, and no other service's are", async () => {
  await fulcio.request("/api/v2/configuration");
  await fulcio.request("/healthz");
  const metrics = await (await fetch(fulcio.service.metricsUrl!)).text();
  expect(metrics).toMatch(/^fulcio_api_latency_count\{code="200",method="get"\} \d+$/m);
  const [, count] = /^fulcio_api_latency_count\{code="200",method="get"\} (\d+)$/m.exec(metrics)!;
  await fulcio.request("/healthz");
  expect(await (await fetch(fulcio.service.metricsUrl!)).text()).toContain(
    `fulcio_api_latency_count{code="200",method="get"} ${count}`,
  );
});
