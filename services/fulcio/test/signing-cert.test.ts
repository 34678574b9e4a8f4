import { generateKeyPairSync, sign } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Principal } from "../src/domain/principal.ts";
import { provenKey } from "../src/domain/proof-of-possession.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import {
  base64,
  clientKey,
  createClientKey,
  type FulcioUnderTest,
  leafOf,
  startFulcio,
  v2Body,
} from "./fulcio-under-test.ts";
import { X509Certificate } from "@peculiar/x509";
import "reflect-metadata";

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;
let unlogged: FulcioUnderTest;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  const config = `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`;
  fulcio = await startFulcio({ config });
  unlogged = await startFulcio({ config, withoutCtLog: true });
});

afterAll(async () => {
  await Promise.all([fulcio, unlogged, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

beforeEach(() => {
  fulcio.ctLog.disturb = async (sct) => sct;
});

const email = "dev@example.com";
const status = (code: number, message: string) => ({ code, message, details: [] });

const v1 = (key = clientKey, proof = clientKey.prove(email)) => ({
  publicKey: { content: base64(key.pem), algorithm: "ecdsa" },
  signedEmailAddress: base64(proof),
});

const spki = (bytes: string) =>
  `-----BEGIN PUBLIC KEY-----\n${Buffer.from(bytes, "hex").toString("base64")}\n-----END PUBLIC KEY-----\n`;

describe("POST /api/v2/signingCert", () => {
  test("answers 200 with the chain, leaf first, and an embedded SCT", async () => {
    const answer = await fulcio.enrol(issuer.token(), email);
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json");
    const { certificates } = answer.json().signedCertificateEmbeddedSct.chain;
    expect(certificates).toHaveLength(3);
    for (const pem of certificates)
      expect(pem).toMatch(/^-----BEGIN CERTIFICATE-----\n[^]*\n-----END CERTIFICATE-----$/);
    expect(new X509Certificate(certificates[0]).issuer).toBe(new X509Certificate(certificates[1]).subject);
  });

  test("without a CT log it has the detached form and an empty SCT", async () => {
    const answer = await unlogged.enrol(issuer.token(), email);
    expect(answer.status).toBe(200);
    expect(answer.json().signedCertificateDetachedSct).toMatchObject({ signedCertificateTimestamp: "" });
    expect(new X509Certificate(leafOf(answer)).getExtension("1.3.6.1.4.1.11129.2.4.2")).toBeNull();
  });

  test("takes snake_case, and ignores what it does not know", async () => {
    const body = {
      credentials: { oidc_identity_token: issuer.token(), extra: [{}] },
      public_key_request: {
        public_key: { algorithm: 2, content: clientKey.pem, more: 1 },
        proof_of_possession: base64(clientKey.prove(email)),
      },
      unknown: null,
    };
    expect((await fulcio.request("/api/v2/signingCert", { body })).status).toBe(200);
  });

  test("reads base64 of either alphabet, with or without padding", async () => {
    const body = v2Body(issuer.token(), clientKey, clientKey.prove(email));
    const text = Buffer.from(clientKey.prove(email)).toString("base64url");
    body.publicKeyRequest.proofOfPossession = text;
    expect((await fulcio.request("/api/v2/signingCert", { body })).status).toBe(200);
  });

  test("takes the token from the header, with or without its scheme, and prefers the body's", async () => {
    const body = v2Body("", clientKey, clientKey.prove(email));
    const path = "/api/v2/signingCert";
    const token = issuer.token();
    expect((await fulcio.request(path, { body, authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await fulcio.request(path, { body, authorization: token })).status).toBe(200);
    expect((await fulcio.request(path, { body, authorization: `bearer ${token}` })).status).toBe(400);
    const bad = v2Body("a.b.c", clientKey, clientKey.prove(email));
    expect((await fulcio.request(path, { body: bad, authorization: `Bearer ${token}` })).status).toBe(400);
    const good = v2Body(token, clientKey, clientKey.prove(email));
    expect((await fulcio.request(path, { body: good, authorization: "Bearer a.b.c" })).status).toBe(200);
  });

  test("refuses both kinds of key at once, and a field in both spellings", async () => {
    const body = v2Body(issuer.token(), clientKey, clientKey.prove(email));
    const both = { ...body, certificateSigningRequest: base64("x") };
    expect((await fulcio.request("/api/v2/signingCert", { body: both })).status).toBe(400);
    const twice = { ...body, credentials: { oidcIdentityToken: "a", oidc_identity_token: "b" } };
    expect((await fulcio.request("/api/v2/signingCert", { body: twice })).status).toBe(400);
  });

  test.for([
    "{",
    "[]",
    "null",
    '{"credentials":1}',
    '{"credentials":{"oidcIdentityToken":{}}}',
    '{"a":1,"a":2}',
    "{}x",
  ])("refuses the body %s", async (body) => {
    const answer = await fulcio.request("/api/v2/signingCert", { body });
    expect([answer.status, answer.json().code]).toEqual([400, 3]);
  });

  test("refuses a body of more than 64 KiB", async () => {
    const answer = await fulcio.request("/api/v2/signingCert", { body: { pad: "x".repeat(70_000) } });
    expect([answer.status, answer.json().code]).toEqual([413, 8]);
  });

  test("reads an empty body as an empty request", async () => {
    const answer = await fulcio.request("/api/v2/signingCert", { method: "POST" });
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^There was an error processing the identity token: no identity token/);
  });
});

describe("POST /api/v1/signingCert", () => {
  test("answers 201 with PEM", async () => {
    const authorization = `Bearer ${issuer.token()}`;
    const answer = await fulcio.request("/api/v1/signingCert", { body: v1(), authorization });
    expect(answer.status).toBe(201);
    expect(answer.headers["content-type"]).toBe("application/pem-certificate-chain");
    expect(answer.headers).not.toHaveProperty("sct");
    expect(answer.body.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(3);
    expect(answer.body).toMatch(/-----END CERTIFICATE-----\n-----BEGIN[^]*-----END CERTIFICATE-----$/);
  });

  test("takes no token from the body", async () => {
    const body = { ...v1(), credentials: { oidcIdentityToken: issuer.token() } };
    expect((await fulcio.request("/api/v1/signingCert", { body })).status).toBe(400);
  });

  test("says that a key is missing", async () => {
    const answer = await fulcio.request("/api/v1/signingCert", { body: {}, authorization: issuer.token() });
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^The public key supplied in the request could not be parsed/);
  });
});

describe("proof of possession", () => {
  test.for(["P-256", "P-384", "P-521", "ed25519", 2048, 3072, 4096] as const)(
    "takes a signature by %s",
    async (type) => {
      const key = createClientKey(type);
      const answer = await fulcio.enrol(issuer.token(), email, key);
      expect(answer.body).toContain("BEGIN CERTIFICATE");
      const leaf = new X509Certificate(leafOf(answer));
      expect(Buffer.from(leaf.publicKey.rawData).toString("base64")).toBe(
        key.pem.replaceAll(/-----[A-Z ]+-----|\n/g, ""),
      );
    },
  );

  test("takes a signature in the P1363 form", async () => {
    const proof = sign("sha256", Buffer.from(email), { key: clientKey.privateKey, dsaEncoding: "ieee-p1363" });
    const answer = await fulcio.request("/api/v2/signingCert", { body: v2Body(issuer.token(), clientKey, proof) });
    expect(answer.status).toBe(200);
  });

  test("takes a PKCS#1 public key, and in v1 the bare DER", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const proof = sign("sha256", Buffer.from(email), privateKey);
    const pem = publicKey.export({ type: "pkcs1", format: "pem" });
    expect(pem).toContain("RSA PUBLIC KEY");
    expect((await fulcio.request("/api/v2/signingCert", { body: v2Body(issuer.token(), { pem }, proof) })).status).toBe(
      200,
    );
    const content = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    const body = { publicKey: { content }, signedEmailAddress: base64(proof) };
    expect((await fulcio.request("/api/v1/signingCert", { body, authorization: issuer.token() })).status).toBe(201);
  });

  const wrong: Record<string, () => Uint8Array> = {
    "over another name": () => clientKey.prove("other@example.com"),
    "by another key": () => createClientKey().prove(email),
    "that is empty": () => new Uint8Array(),
    "with another hash": () => sign("sha384", Buffer.from(email), clientKey.privateKey),
    "of zeros": () => new Uint8Array(64),
  };
  test.for(Object.entries(wrong))("refuses a signature %s", async ([, proof]) => {
    const answer = await fulcio.request("/api/v2/signingCert", { body: v2Body(issuer.token(), clientKey, proof()) });
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^The signature supplied in the request could not be verified: /);
  });

  test("says that the e-mail was to be signed, to whom signed the subject", async () => {
    const token = issuer.token({ sub: "a-subject" });
    expect((await fulcio.enrol(token, "a-subject")).told()).toMatch(
      /: it is not .* over the text of the token's claim email$/,
    );
  });

  test.for(["sub", "email"] as const)(
    "says that the claim %s was to be signed, where that is the name",
    async (claim) => {
      const claims = { sub: "a-subject", email };
      const principal: Principal = {
        name: claims[claim],
        san: { type: "uri", value: "https://a.example.com" },
        extensions: { issuer: "https://a.example.com", "token-subject": claims.sub },
      };
      const proof = {
        type: "challenge",
        publicKey: Buffer.from(clientKey.pem),
        signature: clientKey.prove("x"),
      } as const;
      await expect(provenKey(proof, principal)).rejects.toThrow(RegExp(`the token's claim ${claim}$`));
    },
  );

  const keys: Record<string, [string, string]> = {
    "no key": ["", "could not be parsed: none was given"],
    "text, and speaks of no tags": [
      "hello",
      "could not be parsed: publicKey.content: is neither a PEM block PUBLIC KEY or RSA PUBLIC KEY nor a public key in DER",
    ],
    "PEM of something else, and speaks of no tags": [
      spki("3003020101"),
      "could not be parsed: publicKey.content: what its PEM block holds is not a public key",
    ],
    "two keys": [clientKey.pem + clientKey.pem, "could not be parsed: publicKey.content: more than 1 PEM block"],
    "a private key": [clientKey.privateKey.export({ type: "pkcs8", format: "pem" }), "could not be parsed"],
    "RSA 1024": [createClientKey(1024).pem, "is insecure"],
    "small-order Ed25519": [spki(`302a300506032b6570032100${"01".padEnd(64, "0")}`), "is insecure"],
    secp256k1: [
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({
        type: "spki",
        format: "pem",
      }),
      "",
    ],
  };
  test.for(Object.entries(keys))("refuses %s", async ([, [pem, reason]]) => {
    const body = v2Body(issuer.token(), { pem }, clientKey.prove(email));
    const answer = await fulcio.request("/api/v2/signingCert", { body });
    expect(answer.status).toBe(400);
    expect(answer.told()).toMatch(/^The public key supplied in the request /);
    expect(answer.told()).toContain(reason);
  });
});

describe("GET", () => {
  test("/api/v1/rootCert is the chain as PEM", async () => {
    const answer = await fulcio.request("/api/v1/rootCert");
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/pem-certificate-chain"]);
    expect(answer.body.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(answer.body).toMatch(/-----END CERTIFICATE-----\n\n-----BEGIN[^]*-----END CERTIFICATE-----$/);
  });

  test("/api/v2/trustBundle has one chain, whose PEMs keep their newlines", async () => {
    const answer = await fulcio.request("/api/v2/trustBundle");
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json"]);
    const [{ certificates }] = answer.json().chains;
    expect(certificates).toHaveLength(2);
    for (const pem of certificates) expect(pem).toMatch(/-----END CERTIFICATE-----\n$/);
  });

  test("/api/v2/configuration tells clients what the issuers expect", async () => {
    const answer = await fulcio.request("/api/v2/configuration");
    expect(answer.json()).toEqual({
      issuers: [
        {
          issuerUrl: issuer.url,
          audience: "sigstore",
          challengeClaim: "email",
          spiffeTrustDomain: "",
          issuerType: "email",
          subjectDomain: "",
          skipEmailVerification: false,
        },
      ],
    });
  });

  test("a wrong method is answered as upstream's gateway answers it", async () => {
    const answer = await fulcio.request("/api/v2/signingCert");
    expect([answer.status, answer.json()]).toEqual([501, status(12, "Method Not Allowed")]);
    expect((await fulcio.request("/api/v1/rootCert", { method: "DELETE" })).status).toBe(501);
  });
});

describe("the CT log", () => {
  test("that fails: 500 in upstream's words, and no certificate", async () => {
    fulcio.ctLog.disturb = async () => {
      throw new Error("secret detail");
    };
    const answer = await fulcio.enrol(issuer.token(), email);
    expect([answer.status, answer.json()]).toEqual([500, status(13, "Error entering certificate in CTL")]);
    expect(answer.body).not.toContain("CERTIFICATE");
  });

  test("that answers never: the same, and within five seconds", { timeout: 15_000 }, async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fulcio.ctLog.disturb = async (sct) => (await promise, sct);
    const started = performance.now();
    const answer = await fulcio.enrol(issuer.token(), email);
    const took = performance.now() - started;
    expect(took, "a log that is only slow is waited for").toBeGreaterThan(4_200);
    expect(took).toBeLessThan(5_000);
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("CERTIFICATE");
    expect(answer.told()).toBe("Error entering certificate in CTL: the CT log did not answer in time");
    resolve();
  });

  test.for([
    ["for another certificate", (sct) => ({ ...sct, timestamp: sct.timestamp + 1 })],
    ["of another log", (sct) => ({ ...sct, logId: new Uint8Array(32) })],
    ["with a signature cut short", (sct) => ({ ...sct, signature: sct.signature.subarray(0, 20) })],
    ["with other extensions", (sct) => ({ ...sct, extensions: new Uint8Array(1) })],
  ] as [string, (sct: Parameters<typeof fulcio.ctLog.disturb>[0]) => Parameters<typeof fulcio.ctLog.disturb>[0]][])(
    "whose SCT is %s: the same",
    async ([, change]) => {
      fulcio.ctLog.disturb = async (sct) => change(sct);
      const answer = await fulcio.enrol(issuer.token(), email);
      expect(answer.status).toBe(500);
      expect(answer.told()).toMatch(/^Error entering certificate in CTL: SCT: /);
    },
  );
});
