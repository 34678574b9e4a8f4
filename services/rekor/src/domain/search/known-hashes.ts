import { sha256OfText } from "@chancery/crypto";

const MOST = 4_096;
const LONGEST = 512;

/**
 * SHA-256 of texts that come again and again: issuers, hosts, repositories, names. Made anew, with the text's encoding, they
 * were a third of what an entry's search keys took.
 */
export class KnownHashes {
  readonly #hashes = new Map<string, Uint8Array>();

  of(text: string): Uint8Array {
    const known = this.#hashes.get(text);
    if (known !== undefined) return known;
    const hash = sha256OfText(text);
    if (text.length > LONGEST) return hash;
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size < MOST) break;
      this.#hashes.delete(oldest);
    }
    this.#hashes.set(text, hash);
    return hash;
  }
}
