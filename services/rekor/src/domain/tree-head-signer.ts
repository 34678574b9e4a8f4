import { type Signer, spkiHash } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { TreeHeadSigner } from "@chancery/log";
import { signCheckpoint, verifyCheckpoint } from "@chancery/tlog";
import { isTreeId } from "./entry-id.ts";

/** What a Rekor log is called in everything it signs. */
export interface RekorIdentity {
  readonly hostname: string;
  readonly treeId: bigint;
}

/**
 * Signs tree heads as Rekor v1 does:
 *
 *     <hostname> - <tree ID, decimal>
 *     <size>
 *     <root, base64>
 *
 *     — <hostname> <base64 of SHA-256(SPKI)[:4] and the signature>
 *
 * Only this line: Rekor's own verifier rejects a note with any signature that is not by its key. The signer's name
 * is the host alone, without the tree.
 */
export function rekorTreeHeadSigner(options: RekorIdentity & { readonly signer: Signer }): TreeHeadSigner {
  const { hostname, treeId, signer } = options;
  checkIdentity(options);
  if (signer.publicKey.algorithm !== "ecdsa-p256") {
    // sigstore-go verifies the SET of a v1 log with ECDSA and SHA-256 only, cosign 2 wants ECDSA.
    throw new Misconfigured("rekor.signer", `is ${signer.publicKey.algorithm}, clients of the v1 API need ecdsa-p256`);
  }
  const origin = `${hostname} - ${treeId}`;
  return {
    origin,
    keyId: spkiHash(signer.publicKey),
    sign: (head) => signCheckpoint({ origin, ...head, extensions: [] }, hostname, signer, "ecdsa"),
    verify: (note) => verifyCheckpoint(note, origin, signer.publicKey, hostname),
  };
}

/** c2sp.org/signed-note: a key name has no white space and no plus. */
export function checkIdentity({ hostname, treeId }: RekorIdentity): void {
  if (!/^[\x21-\x2a\x2c-\x7e]+$/.test(hostname)) {
    throw new Misconfigured("rekor.hostname", "is empty, or has white space, a plus or anything beyond ASCII");
  }
  if (!isTreeId(treeId)) throw new Misconfigured("rekor.treeId", "is not between 1 and 2^63 - 1");
}
