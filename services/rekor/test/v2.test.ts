import { createHash, generateKeyPairSync } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { leafHash, parseEntryBundle } from "@chancery/tlog";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import { rekorV2TreeHeadSigner } from "../src/index.ts";
import { aCertificate } from "./proposals.ts";
import {
  base64,
  dsseRequest,
  expectProven,
  hashedRekordRequest,
  newKey,
  ORIGIN,
  startRekorV2,
  verifierOf,
} from "./running-rekor-v2.ts";

const KEYS: readonly (readonly [string, string, string])[] = [
  ["P-256", "sha256", "PKIX_ECDSA_P256_SHA_256"],
  ["P-384", "sha384", "PKIX_ECDSA_P384_SHA_384"],
  ["P-521", "sha512", "PKIX_ECDSA_P521_SHA_512"],
];
const ALGORITHMS: Record<string, string> = { sha256: "SHA2_256", sha384: "SHA2_384", sha512: "SHA2_512" };

const urlSafe = (text: string) => text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

describe("a hashedrekord", () => {
  test.for(KEYS)("signed with %s is logged as it was sent, and proven", async ([curve, hash, details]) => {
    await using rekor = await startRekorV2();
    const key = newKey(curve, hash, details);
    const { hashedRekordRequestV002: request } = hashedRekordRequest("artifact", key);
    const answer = await rekor.post({ hashedRekordRequestV002: request });
    expect(expectProven(answer, rekor)).toEqual({
      apiVersion: "0.0.2",
      kind: "hashedrekord",
      spec: {
        hashedRekordV002: {
          data: { algorithm: ALGORITHMS[hash], digest: request.digest },
          signature: request.signature,
        },
      },
    });
    expect(answer.json).toMatchObject({
      logIndex: "0",
      kindVersion: { kind: "hashedrekord", version: "0.0.2" },
      integratedTime: "0",
      inclusionPromise: null,
    });
  });

  test("signed with RSA or Ed25519ph is logged", async () => {
    await using rekor = await startRekorV2();
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const spki = rsa.publicKey.export({ type: "spki", format: "der" });
    const key = { hash: "sha256", keyDetails: "PKIX_RSA_PKCS1V15_2048_SHA256", spki, privateKey: rsa.privateKey };
    expectProven(await rekor.post(hashedRekordRequest("rsa", key)), rekor);

    const secret = ed25519ph.utils.randomSecretKey();
    const artifact = Buffer.from("edwards");
    const header = Buffer.from("302a300506032b6570032100", "hex");
    const verifier = {
      publicKey: { rawBytes: base64(Buffer.concat([header, ed25519ph.getPublicKey(secret)])) },
      keyDetails: "PKIX_ED25519_PH",
    };
    const digest = base64(createHash("sha512").update(artifact).digest());
    const signature = { content: base64(ed25519ph.sign(artifact, secret)), verifier };
    expectProven(await rekor.post({ hashedRekordRequestV002: { digest, signature } }), rekor);
    const pure = { ...signature, verifier: { ...verifier, keyDetails: "PKIX_ED25519" } };
    const refused = await rekor.post({ hashedRekordRequestV002: { digest, signature: pure } });
    expect(refused).toMatchObject({ status: 400, json: { code: 3 } });
    expect(refused.text).toContain("PKIX_ED25519_PH");
  });

  test("may be written in the proto file's names, with URL-safe base64 and a numbered scheme", async () => {
    await using rekor = await startRekorV2();
    const { hashedRekordRequestV002: camel } = hashedRekordRequest("artifact");
    const { content, verifier } = camel.signature;
    const answer = await rekor.post({
      hashed_rekord_request_v002: {
        digest: urlSafe(camel.digest),
        signature: {
          content: urlSafe(content),
          verifier: {
            public_key: { raw_bytes: urlSafe(verifier.publicKey.rawBytes) },
            key_details: 5,
            x509_certificate: null,
          },
        },
      },
      dsse_request_v002: null,
    });
    const leaf = expectProven(answer, rekor) as { spec: { hashedRekordV002: unknown } };
    expect(leaf.spec.hashedRekordV002).toMatchObject({ signature: camel.signature });
  });

  test("is found by the digest and the key's hash, as a v1 entry is", async () => {
    await using rekor = await startRekorV2();
    const { askedKeys } = await import("../src/domain/search-key.ts");
    const key = newKey();
    expectProven(await rekor.post(hashedRekordRequest("other")), rekor);
    expectProven(await rekor.post(hashedRekordRequest("artifact", key)), rekor);
    const pem = `-----BEGIN PUBLIC KEY-----\n${base64(key.spki).replaceAll(/.{64}(?!$)/g, "$&\n")}\n-----END PUBLIC KEY-----\n`;
    for (const text of [
      `sha256:${createHash("sha256").update("artifact").digest("hex")}`,
      createHash("sha256").update(pem).digest("hex"),
    ]) {
      expect(await rekor.log.lookup.search(askedKeys(text), "or", 10)).toEqual([1n]);
    }
  });
});

describe("a DSSE envelope", () => {
  test.for(KEYS)("signed with %s is logged as the hashedrekord of its encoding", async ([curve, hash, details]) => {
    await using rekor = await startRekorV2();
    const key = newKey(curve, hash, details);
    const { request, encoded, sig } = dsseRequest('{"subject":[]}', key);
    expect(expectProven(await rekor.post(request), rekor)).toEqual({
      apiVersion: "0.0.2",
      kind: "hashedrekord",
      spec: {
        hashedRekordV002: {
          data: { algorithm: ALGORITHMS[hash], digest: createHash(hash).update(encoded).digest("base64") },
          signature: { content: sig, verifier: verifierOf(key) },
        },
      },
    });
  });

  test("is found by its statement's subjects and its payload's hash", async () => {
    await using rekor = await startRekorV2();
    const { askedKeys } = await import("../src/domain/search-key.ts");
    const payload = JSON.stringify({ subject: [{ name: "a", digest: { sha256: "ab".repeat(32) } }] });
    expectProven(await rekor.post(dsseRequest(payload).request), rekor);
    const payloadHash = createHash("sha256").update(payload).digest("hex");
    for (const text of [`sha256:${"ab".repeat(32)}`, `sha256:${payloadHash}`]) {
      expect(await rekor.log.lookup.search(askedKeys(text), "or", 10)).toEqual([0n]);
    }
  });

  test("with two signatures, two verifiers, or a signature over something else is refused", async () => {
    await using rekor = await startRekorV2();
    const key = newKey();
    const { dsseRequestV002: good } = dsseRequest("{}", key).request;
    const [signature] = good.envelope.signatures;
    for (const [field, changed] of [
      ["signatures", { ...good, envelope: { ...good.envelope, signatures: [signature, signature] } }],
      ["signatures", { ...good, envelope: { ...good.envelope, signatures: [] } }],
      ["verifiers", { ...good, verifiers: [...good.verifiers, verifierOf(newKey())] }],
      ["verifiers", { ...good, verifiers: [] }],
      ["signatures.0", { ...good, envelope: { ...good.envelope, payload: base64("[]") } }],
      ["signatures.0", { ...good, envelope: { ...good.envelope, payloadType: "text/plain" } }],
      ["signatures.0", { ...good, verifiers: [verifierOf(newKey())] }],
    ] as const) {
      const answer = await rekor.post({ dsseRequestV002: changed });
      expect(answer.status, answer.text).toBe(400);
      expect(answer.json.message).toContain(field);
    }
    expect((await rekor.log.published()).head.size).toBe(0n);
  });
});

describe("a request that is not right", () => {
  const key = newKey();
  const { hashedRekordRequestV002: good } = hashedRekordRequest("artifact", key);
  const { signature } = good;
  const withVerifier = (verifier: unknown) => ({ ...good, signature: { ...signature, verifier } });
  const other = hashedRekordRequest("other", key).hashedRekordRequestV002;
  const rows: readonly (readonly [string, unknown, string])[] = [
    ["is no JSON", "{", "request"],
    ["is a list", [], "request"],
    ["is empty", {}, "invalid type"],
    ["is two at once", { hashedRekordRequestV002: good, dsseRequestV002: {} }, "invalid type"],
    ["has a member given twice", `{"hashedRekordRequestV002":{"digest":"AA==","digest":"AA=="}}`, "request"],
    [
      "has a member by both its names",
      {
        hashedRekordRequestV002: {
          ...good,
          signature: { ...signature, verifier: { ...signature.verifier, key_details: 5 } },
        },
      },
      "keyDetails",
    ],
    ["has a member nobody knows", { hashedRekordRequestV002: { ...good, extra: 1 } }, "extra"],
    [
      "has an unknown member inside the key",
      {
        hashedRekordRequestV002: withVerifier({
          ...signature.verifier,
          publicKey: { ...signature.verifier.publicKey, hints: 1 },
        }),
      },
      "hints",
    ],
    ["has no digest", { hashedRekordRequestV002: { signature } }, "digest"],
    ["has a digest of another length", { hashedRekordRequestV002: { ...good, digest: base64("short") } }, "digest"],
    [
      "has the digest of something else",
      { hashedRekordRequestV002: { ...good, digest: other.digest } },
      "signature.content",
    ],
    [
      "has another's signature",
      { hashedRekordRequestV002: { ...good, signature: other.signature } },
      "signature.content",
    ],
    ["has no signature", { hashedRekordRequestV002: { digest: good.digest } }, "signature"],
    [
      "has an empty signature",
      { hashedRekordRequestV002: { ...good, signature: { ...signature, content: "" } } },
      "content",
    ],
    [
      "has a signature that is no base64",
      { hashedRekordRequestV002: { ...good, signature: { ...signature, content: "*" } } },
      "content",
    ],
    [
      "has no verifier",
      { hashedRekordRequestV002: { ...good, signature: { content: signature.content } } },
      "verifier",
    ],
    ["has no key", { hashedRekordRequestV002: withVerifier({ keyDetails: key.keyDetails }) }, "verifier"],
    [
      "has a key and a certificate",
      { hashedRekordRequestV002: withVerifier({ ...signature.verifier, x509Certificate: { rawBytes: "AA==" } }) },
      "verifier",
    ],
    [
      "has a key that is none",
      { hashedRekordRequestV002: withVerifier({ ...signature.verifier, publicKey: { rawBytes: base64("key") } }) },
      "publicKey",
    ],
    [
      "has a key in PEM",
      {
        hashedRekordRequestV002: withVerifier({
          ...signature.verifier,
          publicKey: { rawBytes: base64("-----BEGIN PUBLIC KEY-----") },
        }),
      },
      "publicKey.rawBytes: is PEM",
    ],
    [
      "has a certificate that is none",
      { hashedRekordRequestV002: withVerifier({ keyDetails: key.keyDetails, x509Certificate: { rawBytes: "AA==" } }) },
      "x509Certificate",
    ],
    [
      "has no scheme",
      { hashedRekordRequestV002: withVerifier({ publicKey: signature.verifier.publicKey }) },
      "keyDetails",
    ],
    [
      "has a scheme of another key",
      { hashedRekordRequestV002: withVerifier({ ...signature.verifier, keyDetails: "PKIX_RSA_PKCS1V15_2048_SHA256" }) },
      "keyDetails",
    ],
    [
      "has a scheme that is not taken",
      { hashedRekordRequestV002: withVerifier({ ...signature.verifier, keyDetails: "ML_DSA_65" }) },
      "keyDetails",
    ],
    [
      "has a scheme numbered beyond all",
      { hashedRekordRequestV002: withVerifier({ ...signature.verifier, keyDetails: 99 }) },
      "keyDetails",
    ],
    ["has a number for a string", { hashedRekordRequestV002: { ...good, digest: 1 } }, "digest"],
    ["has a list for an object", { hashedRekordRequestV002: { ...good, signature: [] } }, "signature"],
  ];

  test.for(rows)("because it %s gets a 400 that names the member, and nothing is logged", async ([, body, field]) => {
    await using rekor = await startRekorV2();
    const answer = await rekor.post(body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.json).toEqual({ code: 3, message: expect.stringContaining(field), details: [] });
    expect((await rekor.log.published()).head.size).toBe(0n);
  });

  test("because its leaf is longer than an entry bundle holds gets a 400, and nothing is logged", async () => {
    await using rekor = await startRekorV2();
    const names = Array.from({ length: 13 }, (_, place) => `https://example.com/${place}/${"x".repeat(4_000)}`);
    const { signer, leaf } = await aCertificate(names.map((value) => ({ type: "url", value })));
    const rawBytes = leaf.replaceAll(/-----[A-Z ]+-----|\n/g, "");
    const verifier = { x509Certificate: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
    const content = base64(await signer.sign(Buffer.from("artifact")));
    const digest = createHash("sha256").update("artifact").digest("base64");
    const answer = await rekor.post({ hashedRekordRequestV002: { digest, signature: { content, verifier } } });
    expect([answer.status, answer.json.message]).toEqual([
      400,
      expect.stringMatching(/^entry: its canonical form has [67]\d{4} bytes, more than 65535$/),
    ]);
    expect((await rekor.log.published()).head.size).toBe(0n);
  });

  test("because it is too large gets a 413", async () => {
    await using rekor = await startRekorV2();
    const answer = await rekor.post(`"${"x".repeat(4 * 1024 * 1024)}"`);
    expect([answer.status, answer.json.message]).toEqual([413, "body: longer than 4194304 bytes"]);
  });

  test("because of its method gets a 501, since 405 says that a log is frozen", async () => {
    await using rekor = await startRekorV2();
    expect(await rekor.get("/api/v2/log/entries")).toMatchObject({ status: 501, json: { code: 12 } });
  });
});

test("the same entry again gets a 409 with its index, and is logged once", async () => {
  await using rekor = await startRekorV2();
  const request = hashedRekordRequest("artifact");
  expectProven(await rekor.post(hashedRekordRequest("first")), rekor);
  expectProven(await rekor.post(request), rekor);
  const again = await rekor.post(request);
  expect(again).toMatchObject({ status: 409, headers: { "x-log-index": "1" } });
  const message = "an equivalent entry already exists in the transparency log with index 1";
  expect(again.json).toEqual({ code: 6, message, details: [] });
  expect((await rekor.log.published()).head.size).toBe(2n);
});

test("a frozen log answers 405 to writes and goes on with reads", async () => {
  await using rekor = await startRekorV2();
  expectProven(await rekor.post(hashedRekordRequest("artifact")), rekor);
  await rekor.log.freeze();
  const refused = await rekor.post(hashedRekordRequest("late"));
  expect(refused).toMatchObject({
    status: 405,
    text: "This log has been frozen, please switch to the latest log.\n",
  });
  expect((await rekor.get("/api/v2/checkpoint")).status).toBe(200);
});

test.for(["", "/api/v2"])("tiles, bundles and checkpoint are read under '%s/'", async (prefix) => {
  await using rekor = await startRekorV2();
  const answers = [];
  for (let at = 0; at < 3; at++) answers.push(await rekor.post(hashedRekordRequest(`artifact ${at}`)));
  const bodies = answers.map(({ json }) => Buffer.from(json.canonicalizedBody, "base64"));

  const checkpoint = await rekor.get(`${prefix}/checkpoint`);
  expect(checkpoint.text).toBe(answers[2]!.json.inclusionProof.checkpoint.envelope);
  expect(checkpoint.headers).toMatchObject({ "cache-control": "no-store" });
  const tile = await rekor.get(`${prefix}/tile/0/000.p/3`);
  expect(tile.bytes).toEqual(new Uint8Array(Buffer.concat(bodies.map(leafHash))));
  expect(tile.headers["cache-control"]).toContain("immutable");
  const bundle = await rekor.get(`${prefix}/tile/entries/000.p/3`);
  expect(parseEntryBundle(bundle.bytes)).toEqual(bodies.map((body) => new Uint8Array(body)));

  for (const missing of ["0/000", "0/000.p/4", "entries/000", "entries/001.p/1", "1/000.p/1"]) {
    const answer = await rekor.get(`${prefix}/tile/${missing}`);
    expect(answer, missing).toMatchObject({ status: 404, headers: { "cache-control": "no-store" } });
  }
  for (const malformed of ["0/0", "0/000.p/0", "0/000.p/256", "64/000", "entries/0", "0/%30%30%30", "00/000"]) {
    expect((await rekor.get(`${prefix}/tile/${malformed}`)).status, malformed).toBe(400);
  }
});

describe("the log's name and key", () => {
  test("an Ed25519 key is named with its origin, an ECDSA key by its SPKI alone", async () => {
    for (const algorithm of ["ed25519", "ecdsa-p256", "ecdsa-p384"] as const) {
      await using rekor = await startRekorV2(algorithm);
      const { spki } = rekor.signer.publicKey;
      const named = Buffer.concat([Buffer.from(`${ORIGIN}\n\u0001`), spki.slice(-32)]);
      const id = createHash("sha256")
        .update(algorithm === "ed25519" ? named : spki)
        .digest();
      const answer = await rekor.post(hashedRekordRequest("artifact"));
      expectProven(answer, rekor);
      expect(answer.json.logId).toEqual({ keyId: base64(id) });
      const line = /^— rekor\.example\.com (.+)$/m.exec(answer.json.inclusionProof.checkpoint.envelope);
      expect(Buffer.from(line![1]!, "base64").subarray(0, 4)).toEqual(id.subarray(0, 4));
    }
  });

  test.for(["", "rekor.example.com:3000", "https://rekor.example.com", "a b", "a+b", "rekor.example.com/2026", "-a"])(
    "'%s' is no origin",
    (origin) => {
      const signer = ephemeralSigner("ed25519");
      expect(() => rekorV2TreeHeadSigner({ origin, signer })).toThrow("bare host name");
    },
  );

  test("an RSA key does not sign a log", () => {
    expect(() => rekorV2TreeHeadSigner({ origin: ORIGIN, signer: ephemeralSigner("rsa-2048") })).toThrow("RSA");
  });
});
