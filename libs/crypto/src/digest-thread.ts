import { BatchThread, programBeside } from "./batch-thread.ts";
import { P256 } from "./curve.ts";
import { MAX_SIGNATURE_BYTES, type SignedDigest, verifyEcdsaDigest } from "./ecdsa-digest.ts";
import { packDigests } from "./packed-digests.ts";

const PROGRAM = programBeside(import.meta, "verify-digests");

/** A thread that verifies P-256 signatures over digests; many in one message share their inversions. */
export class DigestThread {
  readonly #thread: BatchThread<SignedDigest>;

  constructor(program = PROGRAM) {
    this.#thread = new BatchThread({ program, pack: packDigests, here: (signed) => verifyEcdsaDigest(P256, signed) });
  }

  verify(signed: SignedDigest): Promise<boolean> {
    if (signed.signature.length > MAX_SIGNATURE_BYTES) return Promise.resolve(false);
    return this.#thread.verify(signed);
  }
}
