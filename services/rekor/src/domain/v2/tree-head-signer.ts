import type { Signer } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { TreeHeadSigner } from "@chancery/log";
import { noteKeyId, noteKeyRule, signCheckpoint, verifyCheckpoint } from "@chancery/tlog";

export interface RekorV2Identity {
  /** A bare host name: clients derive the signer's name from the host of the log's URL in their trusted root. */
  readonly origin: string;
}

/**
 * Signs tree heads as c2sp.org/tlog-checkpoint has it, under the origin itself. An Ed25519 key can be followed by
 * witnesses' cosignatures; an ECDSA key is read by clients that insist on one kind of key for every log.
 */
export function rekorV2TreeHeadSigner({
  origin,
  signer,
}: RekorV2Identity & { readonly signer: Signer }): TreeHeadSigner {
  checkOrigin(origin);
  if (noteKeyRule(signer.publicKey) === "rsa") {
    throw new Misconfigured("rekor-v2.signer", "is an RSA key; the log signs with Ed25519 or ECDSA");
  }
  return {
    origin,
    keyId: v2LogId(origin, signer),
    sign: (head) => signCheckpoint({ origin, ...head, extensions: [] }, origin, signer),
    verify: (note) => verifyCheckpoint(note, origin, signer.publicKey),
  };
}

/** All 32 bytes of the C2SP key ID, of which the checkpoint's signature line has four. */
export function v2LogId(origin: string, { publicKey }: Signer): Uint8Array {
  return noteKeyId(noteKeyRule(publicKey), origin, publicKey);
}

/** The origin of the log at a URL, as clients find it: of an address in brackets, what is between them. */
export function rekorV2Origin(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function checkOrigin(origin: string): void {
  if (!/^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-f:.]+)$/.test(origin)) {
    throw new Misconfigured("rekor-v2.origin", "is not a bare host name: no port, no path, no scheme");
  }
}
