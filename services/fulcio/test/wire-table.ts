import { generateKeyPairSync, sign } from "node:crypto";
import { createRequest, P256, pemOf, rsa } from "./certificate-request.ts";
import { createSigningKey, encode, type FakeIssuer, hmacJws, jws, nowSeconds } from "./fake-issuer.ts";
import { base64, clientKey, createClientKey } from "./fulcio-under-test.ts";

/** One request, as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const EMAIL = "dev@example.com";
const V2 = "/api/v2/signingCert";
const V1 = "/api/v1/signingCert";

type Fields = Readonly<Record<string, unknown>>;

const proofOf = (key = clientKey) => base64(key.prove(EMAIL));

const post = (path: string, body: Fields | string | Uint8Array, headers: Readonly<Record<string, string>> = {}) => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json", ...headers },
  body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
});

/** By name: what a client may send, right and wrong, to every endpoint. */
export async function wireRequests(issuer: FakeIssuer): Promise<Readonly<Record<string, WireRequest>>> {
  return {
    ...tokens(issuer),
    ...publicKeys(issuer),
    ...proofs(issuer),
    ...(await certificateRequests(issuer)),
    ...bodies(issuer),
    ...legacy(issuer, (await createRequest()).pem),
    ...reads(),
    ...(await legacyRequest(issuer)),
  };
}

function v2(token: string, key: Fields = { content: clientKey.pem }, proof: unknown = proofOf()) {
  return {
    credentials: { oidcIdentityToken: token },
    publicKeyRequest: { publicKey: { algorithm: "ECDSA", ...key }, proofOfPossession: proof },
  };
}

function tokens(issuer: FakeIssuer): Record<string, WireRequest> {
  const token = issuer.token();
  const rows: Record<string, WireRequest> = {};
  const bodyTokens: Record<string, string> = {
    good: token,
    "for several audiences": issuer.token({ aud: ["other", "sigstore"] }),
    "whose email_verified is a text": issuer.token({ email_verified: "true" }),
    "that begins in four minutes": issuer.token({ nbf: nowSeconds() + 240 }),
    empty: "",
    garbage: "hello",
    "of three letters": "a.b.c",
    "of four parts": `${token}.x`,
    "that is expired": issuer.token({ exp: nowSeconds() - 1 }),
    "without exp": issuer.token({ exp: undefined }),
    "for another audience": issuer.token({ aud: "other" }),
    "without audience": issuer.token({ aud: undefined }),
    "of an unknown issuer": issuer.token({ iss: "https://unknown.example.com" }),
    "that begins in an hour": issuer.token({ nbf: nowSeconds() + 3600 }),
    "of a stranger's key": jws({ alg: "ES256", kid: "key-1" }, issuer.claims(), createSigningKey()),
    "with its signature cut": token.slice(0, -4),
    unsigned: `${encode({ alg: "none" })}.${encode(issuer.claims())}.`,
    "of HMAC": hmacJws({ alg: "HS256" }, issuer.claims(), "secret"),
    "without email": issuer.token({ email: undefined }),
    "with an email that is none": issuer.token({ email: "nobody" }),
    "with an email that is not verified": issuer.token({ email_verified: false }),
    "without email_verified": issuer.token({ email_verified: undefined }),
    "with white space around": ` ${token} `,
  };
  for (const [name, text] of Object.entries(bodyTokens)) rows[`v2: a token ${name}`] = post(V2, v2(text));
  const headers: Record<string, string> = {
    "in the header": `Bearer ${token}`,
    "in the header without a scheme": token,
    "in the header with the scheme in small letters": `bearer ${token}`,
    "in the header with another scheme": `Basic ${token}`,
    "in the header with the scheme twice": `Bearer Bearer ${token}`,
  };
  for (const [name, authorization] of Object.entries(headers)) {
    rows[`v2: a token ${name}`] = post(V2, v2(""), { authorization });
    const { credentials: _, ...without } = v2("");
    rows[`v2: a token ${name}, no credentials`] = post(V2, without, { authorization });
  }
  rows["v2: a good token in the body, a bad one in the header"] = post(V2, v2(token), { authorization: "Bearer x" });
  rows["v2: a bad token in the body, a good one in the header"] = post(V2, v2("a.b.c"), {
    authorization: `Bearer ${token}`,
  });
  return rows;
}

function curveKey(namedCurve: string): string {
  return generateKeyPairSync("ec", { namedCurve }).publicKey.export({ type: "spki", format: "pem" });
}

function publicKeys(issuer: FakeIssuer): Record<string, WireRequest> {
  const rows: Record<string, WireRequest> = {};
  const token = issuer.token();
  for (const type of ["P-256", "P-384", "P-521", "ed25519", 2048, 3072, 4096, 1024, 2056] as const) {
    const key = createClientKey(type);
    rows[`v2: a key of ${type}`] = post(V2, v2(token, { content: key.pem }, proofOf(key)));
  }
  const rsaPair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pkcs1 = rsaPair.publicKey.export({ type: "pkcs1", format: "pem" });
  rows["v2: a key as PKCS#1"] = post(
    V2,
    v2(token, { content: pkcs1 }, base64(sign("sha256", Buffer.from(EMAIL), rsaPair.privateKey))),
  );
  const der = Buffer.from(clientKey.pem.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64");
  const keys: Record<string, unknown> = {
    "that is missing": undefined,
    "that is empty": "",
    "that is text": "hello",
    "of P-224": curveKey("P-224"),
    "of secp256k1": curveKey("secp256k1"),
    "of X25519": generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "pem" }),
    "of RSA with exponent 3": generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).publicKey.export({
      type: "spki",
      format: "pem",
    }),
    "that is private": clientKey.privateKey.export({ type: "pkcs8", format: "pem" }),
    "labelled CERTIFICATE": pemOf(der, "CERTIFICATE"),
    "labelled EC PUBLIC KEY": pemOf(der, "EC PUBLIC KEY"),
    "in lines of CRLF": clientKey.pem.replaceAll("\n", "\r\n"),
    "without its last line end": clientKey.pem.trimEnd(),
    "in one long line": `-----BEGIN PUBLIC KEY-----\n${der.toString("base64")}\n-----END PUBLIC KEY-----\n`,
    "as base64 of the PEM": base64(clientKey.pem),
    "as a number": 5,
  };
  for (const [name, content] of Object.entries(keys)) rows[`v2: a key ${name}`] = post(V2, v2(token, { content }));
  const algorithms: Record<string, unknown> = {
    "as a number": 2,
    "that is another's": "RSA_PSS",
    "of no known name": "P256",
    "of no known number": 99,
    "that is null": null,
    "that is an object": {},
  };
  for (const [name, algorithm] of Object.entries(algorithms)) {
    rows[`v2: an algorithm ${name}`] = post(V2, v2(token, { content: clientKey.pem, algorithm }));
  }
  return rows;
}

function proofs(issuer: FakeIssuer): Record<string, WireRequest> {
  const rows: Record<string, WireRequest> = {};
  const token = issuer.token();
  for (const [type, hash] of [
    ["P-256", "sha256"],
    ["P-384", "sha384"],
    ["P-521", "sha512"],
  ] as const) {
    const key = createClientKey(type);
    const p1363 = sign(hash, Buffer.from(EMAIL), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
    rows[`v2: a P1363 proof by ${type}`] = post(V2, v2(token, { content: key.pem }, base64(p1363)));
  }
  const p384 = createClientKey("P-384");
  rows["v2: a proof by P-384 over SHA-256"] = post(
    V2,
    v2(token, { content: p384.pem }, base64(sign("sha256", Buffer.from(EMAIL), p384.privateKey))),
  );
  const good = clientKey.prove(EMAIL);
  const various: Record<string, unknown> = {
    "in base64url": Buffer.from(good).toString("base64url"),
    "in base64 without padding": base64(good).replaceAll("=", ""),
    "in base64 with line ends": `${base64(good).slice(0, 40)}\n${base64(good).slice(40)}`,
    "in base64 with a space": `${base64(good).slice(0, 40)} ${base64(good).slice(40)}`,
    "that is missing": undefined,
    "that is null": null,
    "that is empty": "",
    "that is no base64": "!!!",
    "that is a number": 5,
    "over the subject": base64(clientKey.prove("subject-of-dev")),
    "by another key": proofOf(createClientKey()),
    "with another hash": base64(sign("sha384", Buffer.from(EMAIL), clientKey.privateKey)),
    "with a byte after it": base64(Buffer.concat([good, Buffer.from([0])])),
  };
  for (const [name, proof] of Object.entries(various))
    rows[`v2: a proof ${name}`] = post(V2, v2(token, undefined, proof));
  return rows;
}

async function certificateRequests(issuer: FakeIssuer): Promise<Record<string, WireRequest>> {
  const rows: Record<string, WireRequest> = {};
  const credentials = { oidcIdentityToken: issuer.token() };
  const add = (name: string, request: unknown) => {
    rows[`v2: a request ${name}`] = post(V2, { credentials, certificateSigningRequest: request });
  };
  const kinds: readonly (readonly [string, object, string])[] = [
    ["by P-256", P256, "SHA-256"],
    ["by P-384", { name: "ECDSA", namedCurve: "P-384" }, "SHA-384"],
    ["by P-521", { name: "ECDSA", namedCurve: "P-521" }, "SHA-512"],
    ["by Ed25519", { name: "Ed25519" }, ""],
    ["by RSA 2048", rsa(2048, "SHA-256"), "SHA-256"],
    ["by RSA 2048 over SHA-384", rsa(2048, "SHA-384"), "SHA-384"],
    ["by RSA 2048 over SHA-512", rsa(2048, "SHA-512"), "SHA-512"],
    ["by RSA 2048 over SHA-1", rsa(2048, "SHA-1"), "SHA-1"],
    ["by P-256 over SHA-384", P256, "SHA-384"],
    ["by P-384 over SHA-256", { name: "ECDSA", namedCurve: "P-384" }, "SHA-256"],
    ["by RSA 1024", rsa(1024, "SHA-256"), "SHA-256"],
  ];
  for (const [name, algorithm, hash] of kinds) add(name, base64((await createRequest(algorithm, hash)).pem));
  const { pem, der } = await createRequest();
  const tampered = Buffer.from(der);
  tampered.write("Good", tampered.indexOf("Evil"));
  add("labelled NEW", base64(pemOf(der, "NEW CERTIFICATE REQUEST")));
  add("in base64url", Buffer.from(pem).toString("base64url"));
  add("with CRLF", base64(pem.replaceAll("\n", "\r\n")));
  add("labelled CERTIFICATE", base64(pemOf(der, "CERTIFICATE")));
  add("as DER", base64(der));
  add("that is text", base64("hello"));
  add("that is not base64", "-----BEGIN");
  add("cut short", base64(pemOf(der.subarray(0, -1))));
  add("with bytes after its DER", base64(pemOf(Buffer.concat([der, Buffer.from([0])]))));
  add("changed after signing", base64(pemOf(tampered)));
  rows["v2: a request and a key"] = post(V2, { ...v2(issuer.token()), certificateSigningRequest: base64(pem) });
  rows["v2: an empty request and a key"] = post(V2, { ...v2(issuer.token()), certificateSigningRequest: "" });
  rows["v2: a null request and a key"] = post(V2, { ...v2(issuer.token()), certificateSigningRequest: null });
  rows["v2: a request as certificate_signing_request"] = post(V2, {
    credentials,
    certificate_signing_request: base64(pem),
  });
  return rows;
}

function bodies(issuer: FakeIssuer): Record<string, WireRequest> {
  const good = JSON.stringify(v2(issuer.token()));
  const snake = JSON.stringify({
    credentials: { oidc_identity_token: issuer.token(), extra: [{}] },
    public_key_request: { public_key: { content: clientKey.pem, more: 1 }, proof_of_possession: proofOf() },
    unknown: null,
  });
  const texts: Record<string, string | Uint8Array> = {
    "in snake_case with fields that nobody knows": snake,
    "that mixes the spellings": good.replace("proofOfPossession", "proof_of_possession"),
    "with white space around": `\r\n\t ${good} \n`,
    empty: "",
    "{}": "{}",
    null: "null",
    "that is a list": "[]",
    "that is a text": '"x"',
    "that is cut short": good.slice(0, -1),
    "with text after it": `${good}x`,
    "with a field twice": `{"credentials":{},${good.slice(1)}`,
    "with a field in both spellings": good.replace("{", '{"public_key_request":{},'),
    "with an unknown field twice": good.replace("{", '{"a":1,"a":2,'),
    "with a byte order mark": `\u{feff}${good}`,
    "that is not UTF-8": Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from(`",${good.slice(1)}`)]),
    "whose credentials are a number": '{"credentials":1}',
    "whose credentials are null": good.replace(/"credentials":\{[^}]*\}/, '"credentials":null'),
    "whose token is a number": '{"credentials":{"oidcIdentityToken":5}}',
    "whose token is null": '{"credentials":{"oidcIdentityToken":null}}',
    "without a key": JSON.stringify({ credentials: { oidcIdentityToken: issuer.token() } }),
    "with an empty key request": JSON.stringify({
      credentials: { oidcIdentityToken: issuer.token() },
      publicKeyRequest: {},
    }),
  };
  const rows: Record<string, WireRequest> = {};
  for (const [name, text] of Object.entries(texts)) rows[`v2: a body ${name}`] = post(V2, text);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]) {
    rows[`v2: content type ${type}`] = post(V2, good, { "content-type": type });
  }
  rows["v2: Accept of PEM"] = post(V2, good, { accept: "application/pem-certificate-chain" });
  rows["v2: from another origin"] = post(V2, good, { origin: "https://example.com" });
  rows["v2: with a query"] = { ...post(`${V2}?x=1`, good) };
  return rows;
}

function v1(key: Fields = { content: base64(clientKey.pem), algorithm: "ecdsa" }, proof: unknown = proofOf()) {
  return { publicKey: key, signedEmailAddress: proof };
}

function legacy(issuer: FakeIssuer, request: string): Record<string, WireRequest> {
  const authorization = `Bearer ${issuer.token()}`;
  const der = clientKey.pem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
  const signed: Record<string, Fields | string> = {
    good: v1(),
    "in snake_case": { public_key: v1().publicKey, signed_email_address: proofOf() },
    "whose key is DER": v1({ content: der }),
    "whose key is plain PEM": v1({ content: clientKey.pem }),
    "with an algorithm that nobody knows": v1({ content: base64(clientKey.pem), algorithm: "quantum" }),
    "with an algorithm that is a number": v1({ content: base64(clientKey.pem), algorithm: 2 }),
    "without a key": {},
    "with an empty key": v1({}),
    "without a proof": v1(undefined, undefined).publicKey === undefined ? {} : { publicKey: v1().publicKey },
    "with another's proof": v1(undefined, proofOf(createClientKey())),
    "with a request": { certificateSigningRequest: base64(request) },
    "with a request and a key": { ...v1(), certificateSigningRequest: base64(request) },
    "with a request that is text": { certificateSigningRequest: base64("hello") },
    "that is cut short": "{",
  };
  const rows: Record<string, WireRequest> = {};
  for (const [name, body] of Object.entries(signed)) rows[`v1: a body ${name}`] = post(V1, body, { authorization });
  rows["v1: no token"] = post(V1, v1());
  rows["v1: a token without a scheme"] = post(V1, v1(), { authorization: issuer.token() });
  rows["v1: a bad token"] = post(V1, v1(), { authorization: "Bearer a.b.c" });
  rows["v1: a token in the body"] = post(V1, { ...v1(), credentials: { oidcIdentityToken: issuer.token() } });
  return rows;
}

async function legacyRequest(issuer: FakeIssuer): Promise<Record<string, WireRequest>> {
  const { pem } = await createRequest(rsa(2048, "SHA-384"), "SHA-384");
  const authorization = `Bearer ${issuer.token()}`;
  return {
    "v1: a body with a request of RSA over SHA-384": post(
      V1,
      { certificateSigningRequest: base64(pem) },
      { authorization },
    ),
  };
}

function reads(): Record<string, WireRequest> {
  const rows: Record<string, WireRequest> = {};
  const paths = {
    "/api/v1/signingCert": ["GET", "PUT"],
    "/api/v1/rootCert": ["GET", "POST", "HEAD"],
    "/api/v2/signingCert": ["GET", "PUT", "PATCH", "DELETE", "HEAD"],
    "/api/v2/trustBundle": ["GET", "POST", "DELETE", "HEAD"],
    "/api/v2/configuration": ["GET", "POST"],
    "/api/v2/configuration?x=1": ["GET"],
    "/api/v2/nothing": ["GET", "POST"],
    "/healthz": ["GET"],
  };
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of methods) rows[`${method} ${path}`] = { method, path };
  }
  rows["GET /api/v2/configuration from another origin"] = {
    method: "GET",
    path: "/api/v2/configuration",
    headers: { origin: "https://example.com" },
  };
  return rows;
}
