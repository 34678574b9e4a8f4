import { generateKeyPairSync, sign } from "node:crypto";
import { utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { parseIdentityToken } from "../src/identity-token.ts";
import { parseKeySet } from "../src/key-set.ts";
import { isSignedBy } from "../src/token-signature.ts";

const good = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
const offTheCurve = { ...good, x: Buffer.alloc(32, 7).toString("base64url") };

function keysOf(...keys: readonly object[]): object[] {
  return parseKeySet(utf8(JSON.stringify({ keys }))).jwks().keys;
}

describe("a key set", () => {
  // Each was imported anew, in vain, for every token that fitted it: 7,500 of them were 2 s of work for anyone's token.
  test("of an issuer that means harm: keys that cannot be read are left out once, not tried for each token", () => {
    expect(keysOf(...Array.from({ length: 99 }, () => offTheCurve), good)).toEqual([good]);
    expect(keysOf({ ...good, crv: "P-999" }, { kty: "OKP", crv: "Ed25519", x: "AA" }, good)).toEqual([good]);
  });

  test("of more than a hundred keys is refused", () => {
    expect(keysOf(...Array.from({ length: 100 }, () => good))).toHaveLength(100);
    expect(() => keysOf(...Array.from({ length: 101 }, () => good))).toThrow(
      new Malformed("JWK set: has more than 100 keys"),
    );
  });

  test("keeps of a key what it is chosen by, and nothing of a megabyte beside it", () => {
    const heavy = { ...good, kid: "a", x5c: ["M".repeat(900_000)], ext: "no", alg: null, use: null, key_ops: null };
    expect(keysOf(heavy)).toEqual([{ ...good, kid: "a" }]);
    expect(keysOf({ ...good, kid: "k".repeat(5_000) }, good)).toEqual([good]);
  });

  test.for([
    ["what they do not say, as null", {}, { use: null, alg: null, kid: null, key_ops: null }],
    ["that they verify and sign", {}, { key_ops: ["verify", "sign"] }],
    ["their ID, where the token's is empty", { kid: "" }, { kid: "a" }],
  ])("whose keys write out %s, verifies as with upstream", async ([, header, members]) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = { ...publicKey.export({ format: "jwk" }), ...(members as object) };
    const compact = `${Buffer.from(JSON.stringify({ alg: "ES256", ...(header as object) })).toString("base64url")}.${Buffer.from('{"iss":"i","sub":"s"}').toString("base64url")}`;
    const signature = sign("sha256", Buffer.from(compact), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const token = parseIdentityToken(`${compact}.${signature.toString("base64url")}`);
    expect(await isSignedBy(token, parseKeySet(utf8(JSON.stringify({ keys: [jwk] }))))).toBe(true);
  });

  test("of keys that only sign, or do nothing, is none", () => {
    for (const key_ops of [["sign"], []]) expect(() => keysOf({ ...good, key_ops })).toThrow(Malformed);
  });

  test("of unreadable keys alone is none", () => {
    expect(() => keysOf(offTheCurve)).toThrow(new Malformed("JWK set: has no key that verifies signatures"));
  });

  test("may be a SPIFFE trust bundle, of which the keys of JWT-SVIDs are taken", () => {
    const x509 = { ...good, use: "x509-svid", x5c: ["MIIB"] };
    expect(keysOf(x509, { ...good, kid: "a", use: "jwt-svid" }, { ...good, kid: "b", use: "sig" })).toEqual([
      { ...good, kid: "a" },
      { ...good, kid: "b", use: "sig" },
    ]);
  });

  test.for(["x509-svid", "enc", "", 1])("of the use %j alone has no key that verifies", (use) => {
    expect(() => keysOf({ ...good, use })).toThrow(new Malformed("JWK set: has no key that verifies signatures"));
  });
});
