import { HASH_LENGTH, type HashAlgorithm, type KeyAlgorithm, verifyDigestAside } from "@chancery/crypto";
import { canonicalJson, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import type { ParsedEntry } from "../entries/entry-kind.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { type ReadVerifier, readVerifier, type RequestVerifier } from "./request-verifier.ts";

/** dev.sigstore.rekor.v2.HashedRekordRequestV002: a signature over something of which the log sees only the digest. */
export interface HashedRekordRequest {
  readonly digest: Uint8Array;
  readonly signature: { readonly content: Uint8Array; readonly verifier: RequestVerifier };
}

/** What is logged, and by what it will be found. */
export type V2Leaf = Pick<ParsedEntry, "body" | "searchTexts" | "statement" | "signers" | "told"> & {
  readonly keyAlgorithm: KeyAlgorithm;
};

export const KIND = "hashedrekord";
export const API_VERSION = "0.0.2";

const HASH_NAMES: Readonly<Record<HashAlgorithm, string>> = {
  sha256: "SHA2_256",
  sha384: "SHA2_384",
  sha512: "SHA2_512",
};

export async function parseHashedRekord({ digest, signature }: HashedRekordRequest): Promise<V2Leaf> {
  const field = "hashedRekordRequestV002";
  const read = readVerifier(signature.verifier, `${field}.signature.verifier`);
  requireDigestScheme(read, signature.verifier, `${field}.signature.verifier`);
  const { hash } = read.scheme;
  if (digest.length !== HASH_LENGTH[hash]) {
    throw new Malformed(`${field}.digest: has ${digest.length} bytes, ${hash} has ${HASH_LENGTH[hash]}`);
  }
  if (!(await verifyDigestAside(read.verifier.publicKey, hash, digest, signature.content))) {
    throw new Unverified(`${field}.signature.content: does not verify over the digest with this key`);
  }
  return leafOf(digest, signature, read);
}

/** Pure Ed25519 signs messages, and here only a digest is known. */
export function requireDigestScheme({ scheme }: ReadVerifier, { keyDetails }: RequestVerifier, field: string): void {
  if (scheme.algorithm !== "ed25519" || scheme.prehashed) return;
  throw new Unsupported(`${field}.keyDetails: ${keyDetails} signs no digest, PKIX_ED25519_PH does`);
}

/**
 * The leaf of a signature that was verified:
 *
 *     { apiVersion: "0.0.2", kind: "hashedrekord", spec: { hashedRekordV002: {
 *         data: { algorithm, digest },
 *         signature: { content, verifier: { keyDetails, publicKey | x509Certificate: { rawBytes } } } } } }
 *
 * Nothing is normalised: clients make the same bytes of what their bundles hold, and compare hashes.
 */
export function leafOf(
  digest: Uint8Array,
  { content, verifier: { form, rawBytes, keyDetails } }: HashedRekordRequest["signature"],
  read: ReadVerifier,
): V2Leaf {
  const { hash } = read.scheme;
  const body = canonicalJson({
    apiVersion: API_VERSION,
    kind: KIND,
    spec: {
      hashedRekordV002: {
        data: { algorithm: HASH_NAMES[hash], digest: encodeBase64(digest) },
        signature: {
          content: encodeBase64(content),
          verifier: { [form]: { rawBytes: encodeBase64(rawBytes) }, keyDetails },
        },
      },
    },
  });
  const told = { kind: KIND, apiVersion: API_VERSION, digests: [`${hash}:${encodeHex(digest)}`] };
  return {
    body: utf8(body),
    searchTexts: [...keySearchTexts(read.verifier), ...told.digests],
    signers: [read.verifier],
    keyAlgorithm: read.verifier.publicKey.algorithm,
    told: { ...told, verifiers: [read.verifier] },
  };
}
