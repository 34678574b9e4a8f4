import { ephemeralSigner, type KeyAlgorithm } from "@chancery/crypto";
import { der, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { OID, parseSignatureAlgorithm, signatureAlgorithmIdentifier, verifyNamedSignature } from "../src/index.ts";

describe("a signature algorithm", () => {
  test.for<[KeyAlgorithm, Uint8Array]>([
    ["ecdsa-p256", der.sequence(der.oid(OID.ecdsaWithSha256))],
    ["ecdsa-p384", der.sequence(der.oid(OID.ecdsaWithSha384))],
    ["ecdsa-p521", der.sequence(der.oid(OID.ecdsaWithSha512))],
    ["rsa-2048", der.sequence(der.oid(OID.sha256WithRsa), der.null())],
    ["rsa-4096", der.sequence(der.oid(OID.sha256WithRsa), der.null())],
    ["ed25519", der.sequence(der.oid(OID.ed25519))],
  ])("of %s has the parameters its RFC gives it", ([key, expected]) => {
    expect(signatureAlgorithmIdentifier(key)).toEqual(expected);
    expect(parseSignatureAlgorithm(expected, "a").oid).toBeTypeOf("string");
  });

  test.for<[string, Uint8Array, typeof Malformed | typeof Unsupported]>([
    ["ECDSA with NULL", der.sequence(der.oid(OID.ecdsaWithSha256), der.null()), Malformed],
    ["RSA without NULL", der.sequence(der.oid(OID.sha256WithRsa)), Malformed],
    ["Ed25519 with parameters", der.sequence(der.oid(OID.ed25519), der.integer(1)), Malformed],
    ["SHA-1 with RSA", der.sequence(der.oid("1.2.840.113549.1.1.5"), der.null()), Unsupported],
    ["RSA-PSS", der.sequence(der.oid(OID.rsaPss), der.sequence()), Unsupported],
  ])("is refused as %s: it would be a second spelling, or is too weak", ([, bytes, fault]) => {
    expect(() => parseSignatureAlgorithm(bytes, "a")).toThrow(fault);
  });

  test("must be one of the signer's key", async () => {
    const [ecdsa, rsa] = [ephemeralSigner("ecdsa-p256"), ephemeralSigner("rsa-2048")];
    const message = utf8("message");
    const signature = await rsa.sign(message);
    const named = signatureAlgorithmIdentifier("rsa-2048");
    expect(verifyNamedSignature(rsa.publicKey, named, message, signature, "m")).toBe("sha256");
    const wrong = signatureAlgorithmIdentifier("ecdsa-p256");
    expect(() => verifyNamedSignature(rsa.publicKey, wrong, message, signature, "m")).toThrow(Unverified);
    expect(() => verifyNamedSignature(ecdsa.publicKey, named, message, signature, "m")).toThrow(
      "not one of the signer's",
    );
  });
});
