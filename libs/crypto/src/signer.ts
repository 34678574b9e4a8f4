import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { defaultHash, type KeyAlgorithm } from "./algorithm.ts";
import { curveOf, type PublicKey, publicKeyFromKeyObject } from "./public-key.ts";
import { plain } from "./sha.ts";

/**
 * A private key that cannot be seen, only used: a file, a KMS, an HSM.
 *
 * `sign` MUST answer a signature over the message by the key's default scheme (ECDSA in DER over the default hash, RSA
 * PKCS#1 v1.5 over SHA-256, pure Ed25519), or reject; it MUST NOT answer one that `publicKey` does not verify.
 */
export interface Signer {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** Throws what the key policy throws. */
export function signerFromKeyObject(privateKey: KeyObject, field = "private key"): Signer {
  const publicKey = publicKeyFromKeyObject(privateKey, field);
  const { algorithm } = publicKey;
  const hash = algorithm === "ed25519" ? null : defaultHash(algorithm);
  if (algorithm.startsWith("rsa-")) return { publicKey, sign: (message) => signRsa(privateKey, message) };
  // Signed here and not on the thread pool: P-256 takes 50 µs, as long as the way to a thread and back.
  return { publicKey, sign: async (message) => plain(sign(hash, message, privateKey)) };
}

/** A key that is gone with the process: for tests, and for keys that are meant to be used once. */
export function ephemeralSigner(algorithm: KeyAlgorithm): Signer {
  return signerFromKeyObject(generatePrivateKey(algorithm));
}

export function generatePrivateKey(algorithm: KeyAlgorithm): KeyObject {
  const curve = curveOf(algorithm);
  if (curve !== undefined) return generateKeyPairSync("ec", { namedCurve: curve.name }).privateKey;
  if (algorithm === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  return generateKeyPairSync("rsa", { modulusLength: Number(algorithm.slice("rsa-".length)) }).privateKey;
}

/** RSA takes milliseconds: on the thread pool, so that other requests go on. */
function signRsa(key: KeyObject, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign("sha256", message, { key, padding: constants.RSA_PKCS1_PADDING }, (error, signature) => {
      if (error === null) resolve(plain(signature));
      else reject(error);
    });
  });
}
