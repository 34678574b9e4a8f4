import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRequest, P256, pemOf, rsa, type TestRequest } from "./certificate-request.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { type Answer, base64, type FulcioUnderTest, leafOf, startFulcio } from "./fulcio-under-test.ts";

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  fulcio = await startFulcio({ config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }` });
});
afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

const enrol = (pem: string | Uint8Array): Promise<Answer> =>
  fulcio.request("/api/v2/signingCert", {
    body: { credentials: { oidcIdentityToken: issuer.token() }, certificateSigningRequest: base64(pem) },
  });

describe("a certificate signing request", () => {
  test("gives its key and nothing else", async () => {
    const { pem, spki } = await createRequest();
    const leaf = new X509Certificate(leafOf(await enrol(pem)));
    expect(new Uint8Array(leaf.publicKey.rawData)).toEqual(spki);
    expect(leaf.subject).toBe("");
    expect(leaf.getExtension(BasicConstraintsExtension)).toBeNull();
    expect(leaf.getExtension(ExtendedKeyUsageExtension)?.usages).toEqual(["1.3.6.1.5.5.7.3.3"]);
    expect(leaf.getExtension(SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
      { type: "email", value: "dev@example.com" },
    ]);
  });

  test("may be labelled NEW, and come by v1", async () => {
    const { der } = await createRequest();
    const pem = pemOf(der, "NEW CERTIFICATE REQUEST");
    expect((await enrol(pem)).status).toBe(200);
    const body = { certificateSigningRequest: base64(pem) };
    const answer = await fulcio.request("/api/v1/signingCert", { body, authorization: `Bearer ${issuer.token()}` });
    expect(answer.status).toBe(201);
  });

  test.for([
    ["P-384", { name: "ECDSA", namedCurve: "P-384" }, "SHA-384"],
    ["P-521", { name: "ECDSA", namedCurve: "P-521" }, "SHA-512"],
    ["RSA 2048", rsa(2048, "SHA-256"), "SHA-256"],
    ["Ed25519", { name: "Ed25519" }, ""],
  ] as const)("may be of %s", async ([, algorithm, hash]) => {
    const { pem } = await createRequest(algorithm, hash);
    expect((await enrol(pem)).body).toContain("BEGIN CERTIFICATE");
  });

  test.for([
    ["RSA with SHA-384", rsa(2048, "SHA-384"), "SHA-384", "signing algorithm not permitted: *rsa.PublicKey, SHA-384"],
    ["P-256 with SHA-384", P256, "SHA-384", "signing algorithm not permitted: *ecdsa.PublicKey, SHA-384"],
    ["RSA 1024", rsa(1024, "SHA-256"), "SHA-256", "The public key supplied in the request is insecure: "],
  ] as const)("may not be of %s", async ([, algorithm, hash, message]) => {
    const answer = await enrol((await createRequest(algorithm, hash)).pem);
    expect([answer.status, answer.json().code]).toEqual([400, 3]);
    expect(answer.told()).toContain(message);
  });

  const unparsable: Record<string, (request: TestRequest) => string | Uint8Array> = {
    "with something after its DER": ({ der }) => pemOf(Buffer.concat([der, Buffer.from([0])])),
    "cut short": ({ der }) => pemOf(der.subarray(0, -1)),
    "as DER": ({ der }) => der,
    "that is two": ({ pem }) => `${pem}\n${pem}`,
    "with another label": ({ der }) => pemOf(der, "CERTIFICATE"),
    "that is text": () => "hello",
    "that is empty DER": () => pemOf(new Uint8Array([0x30, 0x00])),
    "of BER length": ({ der }) => pemOf(Buffer.concat([Buffer.from([0x30, 0x83, 0]), der.subarray(2)])),
  };
  test.for(Object.entries(unparsable))("%s cannot be parsed", async ([, change]) => {
    const answer = await enrol(change(await createRequest()));
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^The certificate signing request could not be parsed: /);
  });

  test("with another key's signature is not verified", async () => {
    const { der } = await createRequest();
    const name = Buffer.from(der).indexOf("Evil");
    const tampered = Buffer.from(der);
    tampered.write("Good", name);
    const answer = await enrol(pemOf(tampered));
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^The signature supplied in the request could not be verified: /);
  });
});
