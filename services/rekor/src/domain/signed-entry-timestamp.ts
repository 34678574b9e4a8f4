import type { Signer } from "@chancery/crypto";
import { canonicalJson, utf8 } from "@chancery/encoding";

/** What the log promises with its signature: this body, at this place, at this time, in the log of this key. */
export interface EntryPromise {
  /** Base64 of the canonical body. */
  readonly body: string;
  /** Seconds since 1970. */
  readonly integratedTime: number;
  /** SHA-256 of the log's SPKI, hexadecimal. */
  readonly logId: string;
  readonly logIndex: number;
}

/**
 * The SET: a signature over RFC 8785 JSON of exactly these four members. Made only for entries below a published
 * tree head, so it never promises what the tree could still lose.
 */
export function signEntryTimestamp(signer: Signer, promise: EntryPromise): Promise<Uint8Array> {
  const { body, integratedTime, logId, logIndex } = promise;
  return signer.sign(utf8(canonicalJson({ body, integratedTime, logID: logId, logIndex })));
}
