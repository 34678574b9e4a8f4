import { parsePublicKey, parsePublicKeyPem, publicKeyFromKeyObject, spkiHash } from "../src/index.ts";
import { P256, P384, P521 } from "../src/curve.ts";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import { encodePem } from "@chancery/encoding";
import { InsecureKey, Malformed } from "@chancery/fault";
import { createHash, generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BAD_KEYS, GOOD_KEYS, hex, p25519, spkiBytes, yOfSize } from "./bad-keys.ts";
import { ecSpki, ed25519Spki } from "./spki.ts";

describe("a good key", () => {
  test.for(Object.entries(GOOD_KEYS))("%s is accepted", ([algorithm, bytes]) => {
    const key = parsePublicKey(bytes, "key");
    expect(key.algorithm).toBe(algorithm);
    expect(key.spki).toEqual(bytes);
    expect(spkiBytes(key.keyObject)).toEqual(bytes);
    expect(spkiHash(key)).toEqual(Uint8Array.from(createHash("sha256").update(bytes).digest()));
    expect(parsePublicKeyPem(encodePem("PUBLIC KEY", bytes), "key").spki).toEqual(bytes);
    expect(publicKeyFromKeyObject(key.keyObject).spki).toEqual(bytes);
  });

  test("keeps its own copy of the bytes", () => {
    const bytes = GOOD_KEYS["ecdsa-p256"].slice();
    const key = parsePublicKey(bytes, "key");
    bytes.fill(0);
    expect(key.spki).toEqual(GOOD_KEYS["ecdsa-p256"]);
  });

  test("of every curve is one that @noble/curves has on its curve", () => {
    for (const [curve, oracle] of [
      [P256, p256],
      [P384, p384],
      [P521, p521],
    ] as const) {
      const { p, b, n } = oracle.Point.CURVE();
      expect([curve.p, curve.b, curve.n]).toEqual([p, b, n]);
      const point = oracle.keygen().publicKey;
      const uncompressed = oracle.Point.fromBytes(point).toBytes(false);
      expect(() => parsePublicKey(ecSpki(curve.oid, uncompressed), "key")).not.toThrow();
    }
  });

  test("of a private KeyObject is its public half", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(publicKeyFromKeyObject(privateKey).spki).toEqual(spkiBytes(publicKey));
  });
});

describe("a bad key", () => {
  test.for(BAD_KEYS)("%s is refused", ([, bytes, Fault]) => {
    expect(() => parsePublicKey(bytes, "verifier")).toThrow(Fault);
    expect(() => parsePublicKey(bytes, "verifier")).toThrow(/^verifier: /);
  });

  // The eight points of small order, and the six further spellings that lax decoders take for one of them.
  const further = [
    [1n, 1],
    [p25519 - 1n, 1],
    [p25519, 0],
    [p25519, 1],
    [p25519 + 1n, 0],
    [p25519 + 1n, 1],
  ] as const;
  const smallOrder = [...ED25519_TORSION_SUBGROUP, ...further.map(([v, sign]) => yOfSize(v, sign).toHex())];
  test("there are fourteen spellings of small order", () => {
    expect(new Set(smallOrder).size).toBe(14);
  });
  test.for(smallOrder)("Ed25519 %s is refused", (key) => {
    expect(() => parsePublicKey(ed25519Spki(hex(key)), "key")).toThrow(InsecureKey);
  });

  test("one octet changed is refused, or is another canonical key", () => {
    const mutation = fc.tuple(fc.constantFrom(...Object.values(GOOD_KEYS)), fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(mutation, ([bytes, at, octet]) => {
        const candidate = bytes.with(at % bytes.length, octet);
        try {
          expect(spkiBytes(parsePublicKey(candidate, "key").keyObject)).toEqual(candidate);
        } catch (error) {
          expect(["Malformed", "InsecureKey", "Unsupported"]).toContain((error as Error).name);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("in PEM: another label, two blocks, text around it", () => {
    const pem = encodePem("PUBLIC KEY", GOOD_KEYS["ecdsa-p256"]);
    expect(() => parsePublicKeyPem(encodePem("RSA PUBLIC KEY", GOOD_KEYS["rsa-2048"]), "key")).toThrow(Malformed);
    expect(() => parsePublicKeyPem(pem + pem, "key")).toThrow(Malformed);
    expect(() => parsePublicKeyPem(`key:\n${pem}`, "key")).toThrow(Malformed);
  });

  test("that OpenSSL holds is refused just so", () => {
    expect(() => publicKeyFromKeyObject(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey)).toThrow(
      InsecureKey,
    );
    expect(() =>
      publicKeyFromKeyObject(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey, "log key"),
    ).toThrow(new InsecureKey("log key: RSA is accepted with 2048, 3072 or 4096 bits"));
  });
});
