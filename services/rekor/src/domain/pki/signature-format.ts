import type { VerificationBudget } from "../verification-budget.ts";
import type { SigningKey } from "./signing-key.ts";

/** Bytes of a client's, and where in the proposal they stand. */
export interface Placed {
  readonly bytes: Uint8Array;
  readonly field: string;
}

/** A detached signature as a client offers it. */
export interface OfferedSignature {
  readonly artifact: Uint8Array;
  readonly signature: Placed;
  readonly key: Placed;
}

/** A signature that holds, in the forms that are logged. */
export interface VerifiedSignature {
  readonly key: SigningKey;
  readonly signature: Uint8Array;
}

/** A way to write keys and detached signatures, as upstream's `pki` packages have them. */
export interface SignatureFormat {
  /** As `signature.format` of an entry and `publicKey.format` of a search name it. */
  readonly name: string;
  parseKey(key: Placed): SigningKey | Promise<SigningKey>;
  /** MUST throw a Fault that names the field unless the signature is the key's, over the artifact. */
  verify(offered: OfferedSignature, budget: VerificationBudget): VerifiedSignature | Promise<VerifiedSignature>;
}
