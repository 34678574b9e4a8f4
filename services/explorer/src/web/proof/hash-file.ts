import { sha256 } from "@noble/hashes/sha2.js";

/**
 * SHA-256 of a file of any size, chunk by chunk: WebCrypto would want all of it in memory at once. `told` hears how
 * many bytes have been hashed.
 */
export async function hashFile(file: Blob, told: (bytes: number) => void): Promise<string> {
  const hash = sha256.create();
  let bytes = 0;
  for await (const chunk of file.stream() as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
    told(bytes);
  }
  return hash.digest().toHex();
}
