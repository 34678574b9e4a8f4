import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { concatBytes, der, encodePem } from "@chancery/encoding";
import type { CanaryKey } from "./canary-key.ts";

/**
 * CertificationRequest ::= SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature BIT STRING }, RFC 2986, with
 * nothing in it but the key: the CA takes nothing else of it.
 */
export function encodeCertificateRequest(key: KeyObject, { hash, signature: algorithm }: CanaryKey): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const noAttributes = Uint8Array.of(0xa0, 0);
  const info = der.sequence(der.integer(0), der.sequence(), spki, noAttributes);
  const signature = der.bitString(sign(hash, info, key));
  const request = der.sequence(info, der.sequence(der.oid(algorithm)), signature);
  return encodePem("CERTIFICATE REQUEST", concatBytes(request));
}
