import { sha256 } from "@chancery/crypto";
import { encodePem, utf8 } from "@chancery/encoding";
import { keyDigest } from "./pki/signing-key.ts";

/**
 * The lookup key of a search text, for writing and for reading alike: one function, so that what is logged is found.
 *
 * A hash and not the text: SANs have no useful bound, and 32 bytes leave no truncation to collide.
 * Letter case carries no meaning in anything that is searched by (digests, e-mail addresses, SANs), as upstream.
 */
export function searchKey(text: string): Uint8Array {
  return sha256(utf8(text.toLowerCase()));
}

/** One key for each different text. */
export function searchKeys(texts: readonly string[]): Uint8Array[] {
  return [...new Set(texts.map((text) => text.toLowerCase()))].map(searchKey);
}

/** What entries signed with a certificate's key are found by, in either log: they name the certificate. */
export function certificateSearchKey(certificate: Uint8Array): Uint8Array {
  return searchKey(keyDigest({ canonical: utf8(encodePem("CERTIFICATE", certificate)), subjects: [] }));
}
