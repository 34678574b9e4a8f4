const SHORT_KEY_BYTES = 16;

/**
 * What is stored of a search key. Half of a SHA-256 is 117 bytes an entry of rows and index less; by chance two
 * keys of 10^9 entries agree in it once in 10^19 logs, and a search only tells where to look.
 */
export function shortKey(key: Uint8Array): Uint8Array {
  return key.length > SHORT_KEY_BYTES ? key.subarray(0, SHORT_KEY_BYTES) : key;
}
