import { createHash, generateKeyPairSync } from "node:crypto";
import { createSigningKey, encode, FakeIssuer, jws, type SigningKey } from "./fake-issuer.ts";
import type { Forgeries } from "./hostile-tokens.ts";

/** RFC 8017, Section 9.2: with the exponent 1 this is its own signature, and anyone can write it down. */
function paddedDigest(message: string): Buffer {
  const digest = Buffer.concat([
    Buffer.from("3031300d060960864801650304020105000420", "hex"),
    createHash("sha256").update(message).digest(),
  ]);
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 3 - digest.length, 0xff), Buffer.of(0), digest]);
}

const published = (key: SigningKey, change: object): SigningKey => ({ ...key, jwk: { ...key.jwk, ...change } });
const es = (change: object) => published(createSigningKey("ES256"), change);
const rs = (change: object) => published(createSigningKey("RS256"), change);

function ofCurve(namedCurve: string, algorithm = "ES256"): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const kid = `of-${namedCurve}`;
  return { kid, algorithm, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid } };
}

function weakRsa(modulusLength: number): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const kid = `rsa-${modulusLength}`;
  return { kid, algorithm: "RS256", privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid } };
}

/** Keys in an issuer's set that must verify nothing, each with a token that it signed. */
const CARELESS: Readonly<Record<string, SigningKey>> = {
  "for encryption": es({ use: "enc" }),
  "for encryption, in RSA": rs({ use: "enc" }),
  "for nothing that verifies": es({ use: undefined, key_ops: ["sign"] }),
  "for encryption by key_ops": rs({ use: undefined, key_ops: ["encrypt", "wrapKey"] }),
  "of another algorithm": es({ alg: "ES384" }),
  "of another algorithm, in RSA": rs({ alg: "RS512" }),
  "for PSS only": rs({ alg: "PS256" }),
  "for HMAC by its alg": es({ alg: "HS256" }),
  "of another type": es({ kty: "RSA" }),
  "of an unknown type": es({ kty: "XX" }),
  "of another curve's name": es({ crv: "P-384" }),
  "of P-384, signing as ES256": ofCurve("P-384"),
  "of secp256k1": ofCurve("secp256k1"),
  "of 1024 bits": weakRsa(1024),
  "off the curve": es({ y: encode("x".repeat(32)) }),
  "without a coordinate": es({ y: undefined }),
  "that is private": rs({ d: "AQAB" }),
  "that is a secret": es({ kty: "oct", k: "AAAA" }),
  "only in a certificate": es({ x: undefined, y: undefined, x5c: ["MIIB"] }),
  "under another kid": es({ kid: "renamed" }),
  "of X25519": es({ kty: "OKP", crv: "X25519" }),
};

/** An issuer that publishes them all beside a good one. */
export async function startCareless(): Promise<FakeIssuer> {
  const issuer = await FakeIssuer.start();
  const one = rs({ kid: "exponent-1", e: "AQ" });
  issuer.keys = [issuer.keys[0]!, ...Object.values(CARELESS), one];
  return issuer;
}

export function tokensOfCarelessKeys(issuer: () => FakeIssuer): Forgeries {
  const forgeries: Record<string, () => string> = {};
  for (const [what, key] of Object.entries(CARELESS)) {
    forgeries[`signed by a key ${what}`] = () => jws({ alg: key.algorithm, kid: key.kid }, issuer().claims(), key);
  }
  return {
    ...forgeries,
    "signed by nobody, for a key with the exponent 1": () => {
      const input = `${encode({ alg: "RS256", kid: "exponent-1" })}.${encode(issuer().claims())}`;
      return `${input}.${paddedDigest(input).toString("base64url")}`;
    },
    "signed by a published private key, without a kid": () => {
      const key = CARELESS["that is private"]!;
      return jws({ alg: "RS256" }, issuer().claims(), key);
    },
  };
}
