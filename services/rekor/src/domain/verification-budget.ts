import { certificatePublicKey, type Certificate } from "@chancery/x509";
import type { KeyAlgorithm, PublicKey } from "@chancery/crypto";
import { TooLarge } from "@chancery/fault";

/** One verification, in tenths of a millisecond. OpenSSL has fast code for P-256 and none for the larger curves. */
const COST: Readonly<Record<KeyAlgorithm, number>> = {
  "ecdsa-p256": 1,
  "ecdsa-p384": 8,
  "ecdsa-p521": 30,
  "rsa-2048": 1,
  "rsa-3072": 1,
  "rsa-4096": 1,
  ed25519: 1,
};

/** Ten signatures by ten P-256 keys, each below a chain of ten, fit twice; of P-521 three by three with their issuers. */
const ONE_ENTRY = 400;

/**
 * What verifying one entry may cost. Counting signatures and keys is not enough: ten by ten P-521 in 6 kB took the
 * process, which serves everyone else too, half a second.
 */
export class VerificationBudget {
  #left = ONE_ENTRY;

  spend(key: PublicKey, field: string): void {
    this.#left -= COST[key.algorithm];
    if (this.#left < 0) throw new TooLarge(`${field}: too many signatures by keys of this size in one entry`);
  }

  spendForIssuer(issuer: Certificate, field: string): void {
    this.spend(certificatePublicKey(issuer), field);
  }
}
