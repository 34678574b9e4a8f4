import { P256 } from "./curve.ts";
import { type SignedDigest, verifyEcdsaDigests } from "./ecdsa-digest.ts";

interface Waiting extends SignedDigest {
  readonly resolve: (valid: boolean) => void;
}

/**
 * Verifies P-256 signatures over digests where it stands, for a thread that is given the work of many at once: all that is
 * asked for before the next microtask together, so that they share their inversions. Whoever asks bounds how many.
 */
export class DigestBatch {
  #waiting: Waiting[] = [];

  verify(signed: SignedDigest): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    if (this.#waiting.length === 0) queueMicrotask(() => this.#verify());
    this.#waiting.push({ ...signed, resolve });
    return promise;
  }

  #verify(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const answers = verifyEcdsaDigests(P256, batch);
    for (const [at, { resolve }] of batch.entries()) resolve(answers[at] === true);
  }
}
