export * from "./algorithm.ts";
export { THREAD_ENDED, type ThreadEnded } from "./batch-thread.ts";
export { createKeyFile, type KeyFileLock, loadKeyFile } from "./file-signer.ts";
export { readPassphraseFile } from "./private-file.ts";
export { parsePublicKey, parsePublicKeyPem, type PublicKey, publicKeyFromKeyObject, spkiHash } from "./public-key.ts";
export {
  HASH_LENGTH,
  hash,
  type HashAlgorithm,
  sha1,
  sha256,
  sha256Hex,
  sha256Into,
  sha256OfText,
  sha384,
  sha512,
} from "./sha.ts";
export { ephemeralSigner, type Signer, signerFromKeyObject } from "./signer.ts";
export { verifyDigest, verifyDigestAside } from "./verify-digest.ts";
export {
  verifyMessageAside,
  verifySignature,
  verifySignatureAside,
  verifySignatureOnPool,
  verifySignatureP1363,
} from "./verify.ts";
export { verifyOnPool } from "./verify-on-pool.ts";
