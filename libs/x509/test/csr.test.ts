import { spawnSync } from "node:child_process";
import type { webcrypto } from "node:crypto";
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";
import { concatBytes } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { ephemeralSigner, type KeyAlgorithm } from "@chancery/crypto";
import { createIntermediateRequest, encodeDistinguishedName, parseCertificateRequest } from "../src/index.ts";

type Algorithm = (webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams | { name: string }) & { hash?: string };

const rsa = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };

async function request(algorithm: Algorithm, name = "CN=anyone"): Promise<{ bytes: Uint8Array; spki: Uint8Array }> {
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const csr = await peculiar.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: { ...algorithm },
    extensions: [new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.digitalSignature)],
  });
  const spki = await crypto.subtle.exportKey("spki", keys.publicKey);
  return { bytes: new Uint8Array(csr.rawData), spki: new Uint8Array(spki) };
}

const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

describe("a certificate request gives its key", () => {
  test.for<[string, Algorithm, string, string]>([
    ["P-256", p256, "ecdsa-p256", "sha256"],
    ["P-384", { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }, "ecdsa-p384", "sha384"],
    ["P-521", { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" }, "ecdsa-p521", "sha512"],
    ["P-256 over SHA-512", { name: "ECDSA", namedCurve: "P-256", hash: "SHA-512" }, "ecdsa-p256", "sha512"],
    ["RSA", { ...rsa, hash: "SHA-256" }, "rsa-2048", "sha256"],
    ["RSA over SHA-384", { ...rsa, hash: "SHA-384" }, "rsa-2048", "sha384"],
    ["Ed25519", { name: "Ed25519" }, "ed25519", "sha512"],
  ])("%s", async ([, algorithm, key, hash]) => {
    const { bytes, spki } = await request(algorithm);
    const parsed = parseCertificateRequest(bytes, "csr");
    expect(parsed.publicKey.spki).toEqual(spki);
    expect(parsed.publicKey.algorithm).toBe(key);
    expect(parsed.hash).toBe(hash);
  });

  test("whatever its subject is", async () => {
    const { bytes, spki } = await request(p256, "");
    expect(parseCertificateRequest(bytes, "csr").publicKey.spki).toEqual(spki);
  });

  test.skipIf(spawnSync("openssl", ["version"]).status !== 0)("when openssl wrote it (skipped without openssl)", () => {
    const args =
      "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -outform DER -subj /CN=x -batch";
    const { stdout } = spawnSync("openssl", [
      ...args.split(" ").filter((word) => word !== "-keyout" && word !== "-"),
      "-keyout",
      "/dev/null",
    ]);
    expect(parseCertificateRequest(stdout, "csr").publicKey.algorithm).toBe("ecdsa-p256");
  });
});

describe("a certificate request is refused", () => {
  test("when RSA-PSS signed it", async () => {
    const { bytes } = await request({ ...rsa, name: "RSA-PSS", hash: "SHA-256", saltLength: 32 } as Algorithm);
    expect(() => parseCertificateRequest(bytes, "csr")).toThrow(Unsupported);
    expect(() => parseCertificateRequest(bytes, "csr")).toThrow("RSA-PSS");
  });

  test("when its signature is another's", async () => {
    const [one, other] = [await request(p256), await request(p256)];
    const at = one.bytes.findIndex((_, index) => matches(one.bytes, one.spki, index));
    const forged = one.bytes.slice();
    forged.set(other.spki, at);
    expect(() => parseCertificateRequest(forged, "csr")).toThrow(Unverified);
    expect(() => parseCertificateRequest(forged, "csr")).toThrow("csr: signature does not verify");
  });

  test("when bytes follow, or are missing", async () => {
    const { bytes } = await request(p256);
    expect(() => parseCertificateRequest(concatBytes(bytes, Uint8Array.of(0)), "csr")).toThrow(Malformed);
    expect(() => parseCertificateRequest(bytes.subarray(0, -1), "csr")).toThrow(Malformed);
    expect(() => parseCertificateRequest(new Uint8Array(20_000), "csr")).toThrow("more than 16384 bytes");
  });

  test("when any one of its bytes is changed", async () => {
    const { bytes } = await request(p256);
    for (let at = 0; at < bytes.length; at += 5) {
      const changed = bytes.slice();
      changed[at] = changed[at]! ^ 1;
      expect(() => parseCertificateRequest(changed, "csr"), `byte ${at}`).toThrow();
    }
  });
});

function matches(haystack: Uint8Array, needle: Uint8Array, at: number): boolean {
  return needle.every((byte, index) => haystack[at + index] === byte);
}

describe("the request of an issuing authority", () => {
  test.for<KeyAlgorithm>(["ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"])(
    "for a key of %s asks others for what the profile needs",
    async (algorithm) => {
      const signer = ephemeralSigner(algorithm);
      const subject = { organization: "Example", commonName: "Example intermediate" };
      const bytes = await createIntermediateRequest(subject, signer);
      const parsed = parseCertificateRequest(bytes, "csr");
      expect(parsed.publicKey.spki).toEqual(signer.publicKey.spki);
      expect(parsed.subject).toEqual(encodeDistinguishedName(subject));

      const oracle = new peculiar.Pkcs10CertificateRequest(bytes.slice());
      expect(await oracle.verify()).toBe(true);
      expect(oracle.subject).toBe("O=Example, CN=Example intermediate");
      const asked = new Map(oracle.extensions.map((extension) => [extension.type, extension]));
      expect([...asked].map(([oid, { critical }]) => [oid, critical])).toEqual([
        ["2.5.29.15", true],
        ["2.5.29.37", false],
        ["2.5.29.19", true],
        ["2.5.29.14", false],
      ]);
      const { keyCertSign, cRLSign } = peculiar.KeyUsageFlags;
      expect((asked.get("2.5.29.15") as peculiar.KeyUsagesExtension).usages).toBe(keyCertSign | cRLSign);
      expect((asked.get("2.5.29.37") as peculiar.ExtendedKeyUsageExtension).usages).toEqual(["1.3.6.1.5.5.7.3.3"]);
      expect(asked.get("2.5.29.19")).toMatchObject({ ca: true, pathLength: 0 });
    },
  );

  test.skipIf(spawnSync("openssl", ["version"]).status !== 0)(
    "is read and verified by openssl (skipped without it)",
    async () => {
      const bytes = await createIntermediateRequest({ commonName: "Example" }, ephemeralSigner("ecdsa-p256"));
      const args = ["req", "-inform", "DER", "-noout", "-verify", "-text"];
      const { stdout, stderr, status } = spawnSync("openssl", args, { input: bytes, encoding: "utf8" });
      expect([status, stderr]).toEqual([0, expect.stringContaining("verify OK")]);
      expect(stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
      expect(stdout).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
      expect(stdout).toMatch(/Extended Key Usage: \s+Code Signing/);
    },
  );
});
