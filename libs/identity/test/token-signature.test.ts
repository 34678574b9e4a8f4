import { generateKeyPairSync } from "node:crypto";
import { compactVerify, createLocalJWKSet, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { parseIdentityToken } from "../src/identity-token.ts";
import { isSignedBy } from "../src/token-signature.ts";

const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split(" ");

interface Key {
  readonly algorithm: string;
  readonly jwk: JWK;
  readonly token: string;
}

let keys: readonly Key[];
let stranger: Key;

beforeAll(async () => {
  keys = await Promise.all(ALGORITHMS.map((algorithm) => makeKey(algorithm)));
  stranger = await makeKey("RS256");
});

async function makeKey(algorithm: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: algorithm };
  const claims = new SignJWT({ iss: "https://issuer.example", sub: "someone", aud: "sigstore" });
  const token = await claims.setProtectedHeader({ alg: algorithm, kid: algorithm }).sign(privateKey);
  return { algorithm, jwk, token };
}

/** jose's own verdict beside ours; they MUST be the same. */
async function verdict(compact: string, jwks: readonly JWK[]): Promise<boolean> {
  const set = () => createLocalJWKSet({ keys: [...jwks] });
  const token = parseIdentityToken(compact);
  const expected = compactVerify(compact, set(), { algorithms: [token.algorithm] }).then(
    () => true,
    () => false,
  );
  const ours = await isSignedBy(token, set());
  expect(ours).toBe(await expected);
  return ours;
}

/** The same token with another byte at one place of its signature. */
function spoilt(token: string, at: number): string {
  const dot = token.lastIndexOf(".") + 1;
  const signature = Buffer.from(token.slice(dot), "base64url");
  signature[at] = (signature[at] ?? 0) ^ 1;
  return token.slice(0, dot) + signature.toString("base64url");
}

function withSignature(token: string, change: (signature: Buffer) => Uint8Array): string {
  const dot = token.lastIndexOf(".") + 1;
  const signature = change(Buffer.from(token.slice(dot), "base64url"));
  return token.slice(0, dot) + Buffer.from(signature).toString("base64url");
}

describe.for(ALGORITHMS)("a token signed with %s", (algorithm) => {
  const key = () => keys.find((one) => one.algorithm === algorithm)!;

  test("is its issuer's, as jose says", async () => {
    expect(await verdict(key().token, [key().jwk])).toBe(true);
    expect(await verdict(key().token, [{ ...stranger.jwk, kid: "stranger" }, ...keys.map(({ jwk }) => jwk)])).toBe(
      true,
    );
  });

  test("is nobody's once a byte of it is changed", async () => {
    const { token, jwk } = key();
    expect(await verdict(spoilt(token, 0), [jwk])).toBe(false);
    expect(await verdict(spoilt(token, 40), [jwk])).toBe(false);
    const [header, payload = "", signature] = token.split(".");
    const claims = Buffer.from(payload, "base64url").toString().replace("someone", "anybody");
    expect(await verdict([header, Buffer.from(claims).toString("base64url"), signature].join("."), [jwk])).toBe(false);
  });

  test("is nobody's with a signature of another length or form", async () => {
    const { token, jwk } = key();
    expect(
      await verdict(
        withSignature(token, (bytes) => bytes.subarray(1)),
        [jwk],
      ),
    ).toBe(false);
    expect(
      await verdict(
        withSignature(token, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
        [jwk],
      ),
    ).toBe(false);
    expect(
      await verdict(
        withSignature(token, () => Buffer.alloc(64)),
        [jwk],
      ),
    ).toBe(false);
    expect(
      await verdict(
        withSignature(token, () => Buffer.from("3006020101020101", "hex")),
        [jwk],
      ),
    ).toBe(false);
  });

  test("is not verified by a key that is for something else", async () => {
    const { token, jwk } = key();
    expect(await verdict(token, [{ ...jwk, use: "enc" }])).toBe(false);
    expect(await verdict(token, [{ ...jwk, key_ops: ["encrypt"] }])).toBe(false);
    expect(await verdict(token, [{ ...jwk, alg: algorithm === "RS256" ? "PS256" : "RS256" }])).toBe(false);
    expect(await verdict(token, [{ ...jwk, kid: "other" }])).toBe(false);
    const { kid: _, ...nameless } = jwk;
    expect(await verdict(token, [nameless])).toBe(false);
  });
});

async function makeNamelessKey(): Promise<Omit<Key, "algorithm">> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const claims = new SignJWT({ iss: "https://issuer.example", sub: "someone" });
  return { jwk: await exportJWK(publicKey), token: await claims.setProtectedHeader({ alg: "ES256" }).sign(privateKey) };
}

test("a token that names no key is its issuer's whichever of its keys signed it", async () => {
  const [one, two] = await Promise.all([makeNamelessKey(), makeNamelessKey()]);
  const token = parseIdentityToken(two.token);
  expect(await isSignedBy(token, createLocalJWKSet({ keys: [one.jwk, two.jwk] }))).toBe(true);
  expect(await isSignedBy(token, createLocalJWKSet({ keys: [one.jwk, one.jwk] }))).toBe(false);
});

test.for([
  ["of 3072 bits", { modulusLength: 3072 }],
  ["of 4096 bits", { modulusLength: 4096 }],
  ["of more bits than are verified beside others", { modulusLength: 4104 }],
  ["with another exponent than most", { modulusLength: 2048, publicExponent: 3 }],
] as const)("an RSA key %s verifies its own tokens alone", async ([, options]) => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", options);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "RS256" } as JWK;
  const claims = new SignJWT({ iss: "https://issuer.example", sub: "someone", aud: "sigstore" });
  const token = await claims.setProtectedHeader({ alg: "RS256", kid: "RS256" }).sign(privateKey);
  expect(await verdict(token, [jwk])).toBe(true);
  expect(await verdict(spoilt(token, 9), [jwk])).toBe(false);
  expect(await verdict(stranger.token, [jwk])).toBe(false);
});

test("an RSA key of 1024 bits verifies nothing", async () => {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" },
    true,
    ["sign", "verify"],
  );
  const [header, payload] = [{ alg: "RS256" }, { iss: "https://issuer.example", sub: "someone" }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const signed = `${header}.${payload}`;
  const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", privateKey, Buffer.from(signed));
  const jwk = (await crypto.subtle.exportKey("jwk", publicKey)) as JWK;
  expect(await verdict(`${signed}.${Buffer.from(signature).toString("base64url")}`, [jwk])).toBe(false);
});
