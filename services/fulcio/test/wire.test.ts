import "reflect-metadata";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";
import { type WireRequest, wireRequests } from "./wire-table.ts";

const CERTIFICATE = undefined;

/**
 * What Fulcio 1.8.8 answered to each of these requests, run beside this service with the same issuer and no CT log:
 * the status and, of a refusal, the whole message. For bodies that are no request upstream tells what its protobuf
 * reader says, which is made to differ from build to build; there the first words are ours.
 */
const UPSTREAM: readonly (readonly [status: number, message: string | undefined, names: readonly string[]])[] = [
  [
    200,
    CERTIFICATE,
    [
      "v2: a token good",
      "v2: a token for several audiences",
      "v2: a token whose email_verified is a text",
      "v2: a token that begins in four minutes",
      "v2: a token in the header",
      "v2: a token in the header, no credentials",
      "v2: a token in the header without a scheme",
      "v2: a token in the header without a scheme, no credentials",
      "v2: a good token in the body, a bad one in the header",
      "v2: a key of P-256",
      "v2: a key of P-384",
      "v2: a key of P-521",
      "v2: a key of ed25519",
      "v2: a key of 2048",
      "v2: a key of 3072",
      "v2: a key of 4096",
      "v2: a key as PKCS#1",
      "v2: a key in lines of CRLF",
      "v2: a key without its last line end",
      "v2: a key in one long line",
      "v2: an algorithm as a number",
      "v2: an algorithm that is another's",
      "v2: an algorithm of no known name",
      "v2: an algorithm of no known number",
      "v2: an algorithm that is null",
      "v2: a P1363 proof by P-256",
      "v2: a P1363 proof by P-384",
      "v2: a P1363 proof by P-521",
      "v2: a proof in base64url",
      "v2: a proof in base64 without padding",
      "v2: a proof that is missing",
      "v2: a request by P-256",
      "v2: a request by P-384",
      "v2: a request by P-521",
      "v2: a request by Ed25519",
      "v2: a request by RSA 2048",
      "v2: a request labelled NEW",
      "v2: a request in base64url",
      "v2: a request with CRLF",
      "v2: a null request and a key",
      "v2: a request as certificate_signing_request",
      "v2: a body in snake_case with fields that nobody knows",
      "v2: a body that mixes the spellings",
      "v2: a body with white space around",
      "v2: content type text/plain",
      "v2: content type application/x-www-form-urlencoded",
      "v2: content type application/json; charset=utf-8",
      "v2: Accept of PEM",
      "v2: from another origin",
      "v2: with a query",
    ],
  ],
  [
    400,
    "There was an error processing the identity token",
    [
      "v2: a token empty",
      "v2: a token garbage",
      "v2: a token of three letters",
      "v2: a token of four parts",
      "v2: a token that is expired",
      "v2: a token without exp",
      "v2: a token for another audience",
      "v2: a token without audience",
      "v2: a token of an unknown issuer",
      "v2: a token that begins in an hour",
      "v2: a token of a stranger's key",
      "v2: a token with its signature cut",
      "v2: a token unsigned",
      "v2: a token of HMAC",
      "v2: a token without email",
      "v2: a token with an email that is none",
      "v2: a token with an email that is not verified",
      "v2: a token without email_verified",
      "v2: a token in the header with the scheme in small letters",
      "v2: a token in the header with the scheme in small letters, no credentials",
      "v2: a token in the header with another scheme",
      "v2: a token in the header with another scheme, no credentials",
      "v2: a token in the header with the scheme twice",
      "v2: a token in the header with the scheme twice, no credentials",
      "v2: a bad token in the body, a good one in the header",
      "v2: a body empty",
      "v2: a body {}",
      "v2: a body whose credentials are null",
      "v2: a body whose token is null",
      "v1: no token",
      "v1: a bad token",
      "v1: a token in the body",
    ],
  ],
  [
    400,
    "The public key supplied in the request is insecure",
    [
      "v2: a key of 1024",
      "v2: a key of 2056",
      "v2: a key of P-224",
      "v2: a key of X25519",
      "v2: a key of RSA with exponent 3",
      "v2: a request by RSA 1024",
    ],
  ],
  [
    400,
    "The public key supplied in the request could not be parsed",
    [
      "v2: a key that is missing",
      "v2: a key that is empty",
      "v2: a key that is text",
      "v2: a key that is private",
      "v2: a key labelled CERTIFICATE",
      "v2: a key labelled EC PUBLIC KEY",
      "v2: a key as base64 of the PEM",
      "v2: a body without a key",
      "v2: a body with an empty key request",
      "v1: a body without a key",
      "v1: a body with an empty key",
    ],
  ],
  [
    400,
    "request body",
    [
      "v2: a key as a number",
      "v2: an algorithm that is an object",
      "v2: a proof in base64 with a space",
      "v2: a proof that is no base64",
      "v2: a proof that is a number",
      "v2: a request and a key",
      "v2: an empty request and a key",
      "v2: a body null",
      "v2: a body that is a list",
      "v2: a body that is a text",
      "v2: a body that is cut short",
      "v2: a body with a field twice",
      "v2: a body with a field in both spellings",
      "v2: a body with a byte order mark",
      "v2: a body that is not UTF-8",
      "v2: a body whose credentials are a number",
      "v2: a body whose token is a number",
      "v1: a body whose key is plain PEM",
      "v1: a body with an algorithm that is a number",
      "v1: a body that is cut short",
    ],
  ],
  [
    400,
    "The signature supplied in the request could not be verified",
    [
      "v2: a proof by P-384 over SHA-256",
      "v2: a proof that is null",
      "v2: a proof that is empty",
      "v2: a proof over the subject",
      "v2: a proof by another key",
      "v2: a proof with another hash",
      "v2: a proof with a byte after it",
      "v2: a request changed after signing",
      "v1: a body without a proof",
      "v1: a body with another's proof",
    ],
  ],
  [
    400,
    "signing algorithm not permitted: *rsa.PublicKey, SHA-384",
    ["v2: a request by RSA 2048 over SHA-384", "v1: a body with a request of RSA over SHA-384"],
  ],
  [400, "signing algorithm not permitted: *rsa.PublicKey, SHA-512", ["v2: a request by RSA 2048 over SHA-512"]],
  [400, "signing algorithm not permitted: *ecdsa.PublicKey, SHA-384", ["v2: a request by P-256 over SHA-384"]],
  [400, "signing algorithm not permitted: *ecdsa.PublicKey, SHA-256", ["v2: a request by P-384 over SHA-256"]],
  [
    400,
    "The certificate signing request could not be parsed",
    [
      "v2: a request labelled CERTIFICATE",
      "v2: a request as DER",
      "v2: a request that is text",
      "v2: a request that is not base64",
      "v2: a request cut short",
      "v2: a request with bytes after its DER",
      "v1: a body with a request that is text",
    ],
  ],
  [
    201,
    CERTIFICATE,
    [
      "v1: a body good",
      "v1: a body whose key is DER",
      "v1: a body with an algorithm that nobody knows",
      "v1: a body with a request",
      "v1: a body with a request and a key",
      "v1: a token without a scheme",
    ],
  ],
  [
    501,
    "Method Not Allowed",
    [
      "GET /api/v1/signingCert",
      "PUT /api/v1/signingCert",
      "POST /api/v1/rootCert",
      "GET /api/v2/signingCert",
      "PUT /api/v2/signingCert",
      "PATCH /api/v2/signingCert",
      "DELETE /api/v2/signingCert",
      "POST /api/v2/trustBundle",
      "DELETE /api/v2/trustBundle",
      "POST /api/v2/configuration",
    ],
  ],
  [501, "", ["HEAD /api/v1/rootCert", "HEAD /api/v2/signingCert", "HEAD /api/v2/trustBundle"]],
];

/** Where the answer is another one on purpose. */
const DIFFERENT: Readonly<Record<string, readonly [status: number, message: string | undefined, why: string]>> = {
  "v2: a token with white space around": [
    400,
    "There was an error processing the identity token",
    "upstream reads over white space anywhere in a token; what two parsers read differently is refused here",
  ],
  "v2: a body with text after it": [400, "request body", "upstream takes the first value and ignores the rest"],
  "v2: a body with an unknown field twice": [400, "request body", "no key may come twice here, known or not"],
  "v2: a key of secp256k1": [400, "The public key supplied in the request is insecure", "upstream has no such curve"],
  "v2: a request by RSA 2048 over SHA-1": [400, "unrecognized signature algorithm", "upstream adds Go's name for it"],
  "v2: a proof in base64 with line ends": [200, CERTIFICATE, "upstream takes them if the length is a multiple of four"],
  "v1: a body in snake_case": [201, CERTIFICATE, "the first API's own names are lowerCamel; both are read here"],
};

let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;
let requests: Readonly<Record<string, WireRequest>>;

beforeAll(async () => {
  issuer = await FakeIssuer.start({ algorithm: "RS256" });
  const config = `oidc-issuers: { "${issuer.url}": { issuer-url: "${issuer.url}", client-id: sigstore, type: email } }`;
  fulcio = await startFulcio({ config, withoutCtLog: true });
  requests = await wireRequests(issuer);
});
afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

const expected = [
  ...UPSTREAM.flatMap(([status, message, names]) => names.map((name) => [name, status, message] as const)),
  ...Object.entries(DIFFERENT).map(([name, [status, message]]) => [name, status, message] as const),
];

async function send({ method, path, headers = {}, body }: WireRequest) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { method, headers, agent: false };
  httpRequest(`${fulcio.service.url}${path}`, options, resolve).on("error", reject).end(body);
  const response = await promise;
  const chunks: Uint8Array[] = [];
  for await (const chunk of response as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const [status, type] = [response.statusCode ?? 0, String(response.headers["content-type"])];
  return { status, type, body: Buffer.concat(chunks).toString() };
}

describe("the wire, request by request, as upstream", () => {
  test.for(expected)("%s: %i %s", async ([name, status, message]) => {
    const { method, path } = requests[name]!;
    const answer = await send(requests[name]!);
    expect(answer.status).toBe(status);
    if (method === "HEAD") return expect(answer.body).toBe("");
    if (message === undefined && path === "/api/v1/signingCert") {
      expect(answer.type).toBe("application/pem-certificate-chain");
      return expect(answer.body).toMatch(
        /^(-----BEGIN CERTIFICATE-----\n[^-]+\n-----END CERTIFICATE-----\n?){3}(?<!\n)$/,
      );
    }
    expect(answer.type).toBe("application/json");
    const body = JSON.parse(answer.body) as { code: number; message: string; details: unknown[] };
    if (message === undefined) {
      const pem = expect.stringMatching(/^-----BEGIN CERTIFICATE-----\n[^]+\n-----END CERTIFICATE-----$/) as unknown;
      return expect(body).toEqual({
        signedCertificateDetachedSct: { chain: { certificates: [pem, pem, pem] }, signedCertificateTimestamp: "" },
      });
    }
    expect(Object.keys(body)).toEqual(["code", "message", "details"]);
    expect(body.code).toBe(status === 501 ? 12 : 3);
    if (message === "request body") expect(body.message).toMatch(/^request body: |exclude each other$/);
    else expect(body.message).toBe(message);
  });

  test("is compared for every request of the table", () => {
    const elsewhere = /^(GET|POST) \/(healthz|api\/v1\/rootCert|api\/v2\/(trustBundle|configuration|nothing))/;
    const compared = new Set(expected.map(([name]) => name));
    const left = Object.keys(requests).filter((name) => !compared.has(name) && !elsewhere.test(name));
    expect(left).toEqual([]);
    expect(compared.size).toBeGreaterThan(150);
  });
});
