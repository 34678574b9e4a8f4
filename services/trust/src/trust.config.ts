import type { Signer } from "@chancery/crypto";
import type { TrustMaterial } from "./domain/trust-material.ts";

export interface TrustConfig {
  /** The public origin, without a trailing slash. */
  readonly url: string;
  /** Folder of the TUF repository: made when it is not there, found again after. */
  readonly directory: string;
  /** File that remembers the highest version given out. Its place should not be lost or restored together with the folder. */
  readonly floor: string;
}

export interface TrustLinks {
  readonly material: TrustMaterial;
  /** `root` is absent while its key is offline. */
  readonly keys: { readonly root?: Signer; readonly online: Signer };
  /** Epoch milliseconds. */
  readonly clock?: () => number;
}

export const TRUST_CONFIG = Symbol("trust config");
export const TRUST_MATERIAL = Symbol("trust material");
