import type { Signer } from "@chancery/crypto";

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
  return signer.sign(Buffer.from(promiseText(promise), "latin1"));
}

/** Base64, hexadecimal digits and integers have nothing to escape, and the members stand in their order. */
export function promiseText({ body, integratedTime, logId, logIndex }: EntryPromise): string {
  return `{"body":"${body}","integratedTime":${integratedTime},"logID":"${logId}","logIndex":${logIndex}}`;
}
