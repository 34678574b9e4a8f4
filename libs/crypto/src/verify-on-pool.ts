import { verify } from "node:crypto";

/** node:crypto's verify() on libuv's thread pool. */
export function verifyOnPool(
  hash: string | null,
  message: Uint8Array,
  key: Parameters<typeof verify>[2],
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, message, key, signature, (error, valid) => {
      if (error === null) resolve(valid);
      else reject(error);
    });
  });
}
