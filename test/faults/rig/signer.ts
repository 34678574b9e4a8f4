import { sha256, type Signer } from "../../../libs/crypto/src/index.ts";
import type { TreeHeadSigner } from "../../../libs/log/src/index.ts";
import { signCheckpoint, verifyCheckpoint } from "../../../libs/tlog/src/index.ts";

export const ORIGIN = "faults.example";

/** Tells of every signature before it leaves the key: none may ever be of another history. */
export function tellingSigner(
  key: Signer,
  tell: (size: bigint, root: Uint8Array, time: number) => void,
  origin = ORIGIN,
): TreeHeadSigner {
  return {
    origin,
    keyId: sha256(key.publicKey.spki),
    sign: async (head, time) => {
      tell(head.size, head.root, time);
      return await signCheckpoint({ origin, ...head, extensions: [] }, origin, key);
    },
    verify: (note) => verifyCheckpoint(note, origin, key.publicKey),
  };
}
