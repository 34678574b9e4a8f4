import type { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";

export const P256 = { name: "ECDSA", namedCurve: "P-256" };

export const rsa = (modulusLength: number, hash: string, name = "RSASSA-PKCS1-v1_5") => ({
  name,
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash,
});

export interface TestRequest {
  readonly pem: string;
  readonly der: Uint8Array;
  readonly spki: Uint8Array;
}

/** A request that asks for far more than a key. */
export async function createRequest(algorithm: object = P256, hash = "SHA-256"): Promise<TestRequest> {
  const { subtle } = cryptoProvider.get();
  const keys = await subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=root, O=Evil",
    keys,
    signingAlgorithm: { ...algorithm, hash } as webcrypto.EcdsaParams,
    extensions: [
      new BasicConstraintsExtension(true, 9, true),
      new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.8"], true),
      new SubjectAlternativeNameExtension([{ type: "email", value: "root@example.com" }]),
    ],
  });
  return {
    pem: request.toString("pem"),
    der: new Uint8Array(request.rawData),
    spki: new Uint8Array(await subtle.exportKey("spki", keys.publicKey)),
  };
}

export const pemOf = (der: Uint8Array, label = "CERTIFICATE REQUEST") =>
  `-----BEGIN ${label}-----\n${(
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  ).join("\n")}\n-----END ${label}-----\n`;
