import { type Signer, spkiHash } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { TreeHeadSigner } from "@chancery/log";
import { isKeyName, signTreeHead, verifyTreeHead } from "@chancery/tlog";

export interface CtTreeHeadSignerOptions {
  /** "The submission prefix of the log as a schema-less URL with no trailing slashes." c2sp.org/static-ct-api. */
  readonly origin: string;
  readonly signer: Signer;
}

/**
 * Signs tree heads as an RFC 6962 log does, in the note form of c2sp.org/static-ct-api, which holds all that
 * get-sth answers: one signature is both.
 */
export function ctTreeHeadSigner({ origin, signer }: CtTreeHeadSignerOptions): TreeHeadSigner {
  if (!isKeyName(origin) || origin.endsWith("/")) {
    throw new Misconfigured("ctlog.origin", "is empty, has a space or '+', or ends in '/'");
  }
  checkCtKey(signer);
  return {
    origin,
    keyId: spkiHash(signer.publicKey),
    sign: (head, time) => signTreeHead(head, BigInt(time), origin, signer),
    verify: (note) => verifyTreeHead(note, origin, signer.publicKey),
  };
}

/** RFC 6962, Section 2.1.4, allows RSA too; of what is left, ECDSA on P-256 is what every Sigstore client verifies. */
export function checkCtKey(signer: Signer): void {
  if (signer.publicKey.algorithm !== "ecdsa-p256") {
    throw new Misconfigured("ctlog.signer", `is ${signer.publicKey.algorithm}, a CT log's key must be ecdsa-p256`);
  }
}
