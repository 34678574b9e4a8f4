import { sha256Hex } from "@chancery/crypto";

/** Whoever made a signature: what a client names, in the one form that is logged and searched by. */
export interface SigningKey {
  /** The canonical form of the key's format. Two spellings of a key are one key in the log. */
  readonly canonical: Uint8Array;
  /** SHA-256 of it, hexadecimal, of a key that keeps it. */
  readonly digest?: string;
  /** Names that stand in or beside the key: alternative names of a certificate, e-mail addresses of a user ID. */
  readonly subjects: readonly string[];
}

/** SHA-256 of the canonical form: what `--public-key` is searched by. */
export function keyDigest(key: SigningKey): string {
  return key.digest ?? sha256Hex(key.canonical);
}

/**
 * A key's search texts.
 *
 * Upstream indexes the key of a dsse or intoto entry only as `sha256:<hex>`, and searches for `<hex>`: it never finds
 * one. Both forms are kept here, for either way of asking.
 */
export function keySearchTexts(key: SigningKey): string[] {
  const digest = keyDigest(key);
  return [digest, `sha256:${digest}`, ...key.subjects];
}
