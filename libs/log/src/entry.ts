import type { InclusionProof, TreeHead } from "@chancery/tlog";
import type { SearchName } from "./search-key.ts";
import type { SearchKeys } from "./search-keys.ts";

/** What a personality (Rekor, CT) hands to the log. */
export interface NewEntry {
  /** 32 bytes. Two entries of one identity are one leaf (Rekor: the leaf hash; CT: hash of the certificate). */
  readonly identity: Uint8Array;
  /** The Merkle leaf's bytes once its place is known. MUST be pure. Rekor ignores the place; CT writes the time. */
  readonly leaf: (place: Place) => Uint8Array;
  /** How long it will be, of one that is made for its place; of any other it is seen. */
  readonly leafLength?: number;
  /** What `storedLeaf` makes of the leaf, of one that is the same wherever it comes to stand: made and checked by whoever verified it. */
  readonly stored?: Uint8Array;
  /** Kept beside the leaf, not hashed (CT: the chain; Rekor: an attestation, or nothing). */
  readonly extra: Uint8Array;
  /** By what it is found, already hashed and normalised. */
  readonly searchKeys: SearchKeys;
  /** Names that its entries can be asked for by how they begin. Their keys MUST stand among `searchKeys`. */
  readonly names?: readonly SearchName[];
}

export interface Place {
  readonly index: bigint;
  /** Milliseconds since 1970; never decreases along the log, whatever the clock does. */
  readonly time: number;
}

export interface LoggedEntry extends Place {
  readonly identity: Uint8Array;
  readonly leaf: Uint8Array;
  readonly extra: Uint8Array;
}

/** The answer to an append: committed, published, and its proof already verified. */
export interface Appended {
  readonly entry: LoggedEntry;
  /** Another call logged it, before this one or at the same moment. */
  readonly duplicate: boolean;
  readonly proof: InclusionProof;
  readonly checkpoint: PublishedCheckpoint;
}

export interface PublishedCheckpoint {
  readonly head: TreeHead;
  /** When it was signed: not before the youngest entry in the tree, nor before any checkpoint signed earlier. */
  readonly time: number;
  /** What the signer returned. */
  readonly note: Uint8Array;
}

/** Of a larger tree, or of the same one signed later. */
export function isNewer(checkpoint: PublishedCheckpoint, than: PublishedCheckpoint): boolean {
  const [size, other] = [checkpoint.head.size, than.head.size];
  return size > other || (size === other && checkpoint.time > than.time);
}

/**
 * Signs tree heads in a personality's own form. It signs what it is given, so the log keeps it where
 * only `AnchoredSigner` can reach it.
 */
export interface TreeHeadSigner {
  readonly origin: string;
  readonly keyId: Uint8Array;
  sign(head: TreeHead, time: number): Promise<Uint8Array>;
  /** What a note says, and the time in milliseconds where its signature covers one. Unverified if another signed it. */
  verify(note: Uint8Array): TreeHead & { readonly timestamp?: bigint };
}
