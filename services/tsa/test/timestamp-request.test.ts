import { concatBytes, der, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Fault, Malformed, Unsupported } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTimestampRequest, parseTimestampRequestJson } from "../src/index.ts";
import { query, SHA256 } from "./world.ts";

const digest = new Uint8Array(32).fill(0xd1);

describe("a timestamp query", () => {
  test("says what is to be stamped, and nothing more is needed", () => {
    const hashIdentifier = der.sequence(der.oid(SHA256), der.null());
    expect(parseTimestampRequest(query())).toEqual({ hash: "sha256", digest, hashIdentifier, wantsCertificate: false });
  });

  test("may leave the hash's parameters out, which is echoed as it came", () => {
    const hash = der.sequence(der.oid(SHA256));
    expect(parseTimestampRequest(query({ hash })).hashIdentifier).toEqual(hash);
  });

  test.for<[string, number, string]>([
    ["2.16.840.1.101.3.4.2.2", 48, "sha384"],
    ["2.16.840.1.101.3.4.2.3", 64, "sha512"],
  ])("may use %s", ([oid, bytes, name]) => {
    const request = parseTimestampRequest(query({ hash: der.sequence(der.oid(oid)), digest: new Uint8Array(bytes) }));
    expect(request.hash).toBe(name);
  });

  test("keeps policy, nonce and the wish for a certificate", () => {
    const parts = { policy: der.oid("1.2.3"), nonce: der.integer(0x1234n), certReq: der.boolean(true) };
    expect(parseTimestampRequest(query(parts))).toMatchObject({
      policy: "1.2.3",
      nonce: der.integer(0x1234n),
      wantsCertificate: true,
    });
    expect(parseTimestampRequest(query({ certReq: der.boolean(false) })).wantsCertificate).toBe(false);
  });

  test.for([0n, -1n, 1n, 127n, 128n, -129n, 2n ** 64n, 2n ** 511n - 1n])("keeps nonce %s bit for bit", (nonce) => {
    expect(parseTimestampRequest(query({ nonce: der.integer(nonce) })).nonce).toEqual(der.integer(nonce));
  });

  const md5 = der.sequence(der.oid("1.2.840.113549.2.5"), der.null());
  const sha1 = der.sequence(der.oid("1.3.14.3.2.26"), der.null());
  const extension = der.sequence(der.oid("1.2.3"), der.octetString(Uint8Array.of(5, 0)));
  test.for<[string, Uint8Array, typeof Malformed | typeof Unsupported, string]>([
    ["SHA-1", query({ hash: sha1, digest: new Uint8Array(20) }), Unsupported, "1.3.14.3.2.26 is not SHA-256"],
    ["MD5", query({ hash: md5, digest: new Uint8Array(16) }), Unsupported, "is not SHA-256"],
    ["a digest that is too short", query({ digest: new Uint8Array(31) }), Malformed, "has 32 bytes, not 31"],
    ["a digest that is too long", query({ digest: new Uint8Array(33) }), Malformed, "has 32 bytes, not 33"],
    ["parameters of the hash", query({ hash: der.sequence(der.oid(SHA256), der.integer(1)) }), Malformed, "parameters"],
    ["version 2", query({ version: der.integer(2) }), Malformed, "version"],
    ["version 0", query({ version: der.integer(0) }), Malformed, "version"],
    ["an extension", query({ extensions: der.explicit(0, extension) }), Unsupported, "extensions"],
    ["a nonce of 65 bytes", query({ nonce: der.integer(2n ** 512n) }), Malformed, "nonce is longer than 64 bytes"],
    ["a nonce of 200,000 digits", query({ nonce: der.integer(10n ** 200_000n) }), Malformed, "nonce is longer"],
    ["a padded nonce", query({ nonce: der.tlv(2, Uint8Array.of(0, 1)) }), Malformed, "INTEGER"],
    ["bytes after it", concatBytes(query(), Uint8Array.of(0)), Malformed, "trailing"],
    ["a second certReq", query({ certReq: concatBytes(der.boolean(true), der.boolean(true)) }), Malformed, "trailing"],
    ["an indefinite length", Uint8Array.of(0x30, 0x80, 0, 0), Malformed, "length"],
    ["nothing", new Uint8Array(), Malformed, "timestamp request"],
  ])("is refused with %s", ([, bytes, fault, reason]) => {
    expect(() => parseTimestampRequest(bytes)).toThrow(fault);
    expect(() => parseTimestampRequest(bytes)).toThrow(reason);
  });

  test("of hostile bytes throws nothing but faults", () => {
    const flipped = fc.tuple(fc.nat(query().length - 1), fc.nat(255)).map(([at, byte]) => query().with(at, byte));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), flipped), (bytes) => {
        try {
          expect(parseTimestampRequest(bytes).digest).toHaveLength(32);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
    );
  });
});

describe("a timestamp request in JSON", () => {
  const json = (changes: object = {}) =>
    utf8(JSON.stringify({ artifactHash: encodeBase64(digest), hashAlgorithm: "sha256", ...changes }));

  test("is what sigstore-js sends", () => {
    const hashIdentifier = der.sequence(der.oid(SHA256));
    expect(parseTimestampRequestJson(json())).toEqual({
      hash: "sha256",
      digest,
      hashIdentifier,
      wantsCertificate: false,
    });
  });

  test("may ask for certificate and policy", () => {
    const parsed = parseTimestampRequestJson(json({ certificates: true, tsaPolicyOID: "1.3.6.1.4.1.57264.2" }));
    expect(parsed).toMatchObject({ wantsCertificate: true, policy: "1.3.6.1.4.1.57264.2" });
    expect(parseTimestampRequestJson(json({ tsaPolicyOID: "" }))).not.toHaveProperty("policy");
  });

  test.for(["0", "-1", "9007199254740993", "18446744073709551615", "123456789012345678901234567890"])(
    "keeps nonce %s bit for bit, where a double would round it",
    (digits) => {
      const text = `{"artifactHash":"${encodeBase64(digest)}","hashAlgorithm":"sha256","nonce":${digits}}`;
      expect(encodeHex(parseTimestampRequestJson(utf8(text)).nonce!)).toBe(encodeHex(der.integer(BigInt(digits))));
    },
  );

  test.for<[string, Uint8Array, string]>([
    ["SHA-1", json({ hashAlgorithm: "sha1" }), "hashAlgorithm"],
    ["no hash algorithm", json({ hashAlgorithm: undefined }), "hashAlgorithm"],
    ["no digest", json({ artifactHash: undefined }), "artifactHash is not a string"],
    ["a digest that is not base64", json({ artifactHash: "!" }), "artifactHash"],
    ["a digest of another length", json({ hashAlgorithm: "sha512" }), "64 bytes, not 32"],
    ["certificates as text", json({ certificates: "true" }), "certificates"],
    ["a nonce as text", json({ nonce: "5" }), "nonce is not an integer"],
    ["a nonce with a fraction", json({ nonce: 1.5 }), "nonce is not an integer"],
    ["a nonce with an exponent", json({ nonce: 1e30 }), "nonce is not an integer"],
    [
      "a nonce of 65 bytes",
      utf8(`{"artifactHash":"${encodeBase64(digest)}","hashAlgorithm":"sha256","nonce":1${"0".repeat(160)}}`),
      "nonce",
    ],
    ["a policy that is no OID", json({ tsaPolicyOID: "1.2.x" }), "tsaPolicyOID"],
    ["an unknown member", json({ policy: "1.2.3" }), '"policy" is not known'],
    ["a member twice", utf8(`{"hashAlgorithm":"sha256","hashAlgorithm":"sha256","artifactHash":""}`), "hashAlgorithm"],
    ["more than 1 KiB", json({ tsaPolicyOID: "1".repeat(1024) }), "1024"],
    ["an array", utf8("[]"), "not an object"],
    ["nothing", new Uint8Array(), "timestamp request"],
  ])("is refused with %s", ([, bytes, reason]) => {
    expect(() => parseTimestampRequestJson(bytes)).toThrow(Fault);
    expect(() => parseTimestampRequestJson(bytes)).toThrow(reason);
  });
});
