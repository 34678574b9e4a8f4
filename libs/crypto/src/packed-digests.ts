import { concatBytes } from "@chancery/encoding";
import { P256 } from "./curve.ts";
import type { SignedDigest } from "./ecdsa-digest.ts";

/**
 * P-256 signatures over digests on their way to a thread, as one piece of memory that changes hands. Of each: the lengths
 * of digest and signature, an octet each, the point (64 octets), the digest, the signature.
 */
export function packDigests(all: readonly SignedDigest[]): Uint8Array<ArrayBuffer> {
  return concatBytes(
    ...all.flatMap(({ spki, digest, signature }) => [
      Uint8Array.of(digest.length, signature.length),
      spki.subarray(P256.spkiPrefix.length),
      digest,
      signature,
    ]),
  );
}

export function unpackDigests(packed: Uint8Array): SignedDigest[] {
  const all: SignedDigest[] = [];
  let at = 0;
  const take = (length: number) => packed.subarray(at, (at += length));
  while (at < packed.length) {
    const [digestLength = 0, signatureLength = 0] = take(2);
    const spki = concatBytes(P256.spkiPrefix, take(2 * P256.width));
    all.push({ spki, digest: take(digestLength), signature: take(signatureLength) });
  }
  return all;
}
