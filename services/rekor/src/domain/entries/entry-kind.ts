import type { KeyAlgorithm } from "@chancery/crypto";
import type { JsonObject } from "@chancery/encoding";
import type { SigningKey } from "../pki/signing-key.ts";
import type { StatementFacts } from "../search/entry-facts.ts";
import type { Verifier } from "../verifier.ts";

/** What a client proposes: the name of a kind, its version, and that kind's own object. */
export interface ProposedEntry {
  readonly kind: string;
  readonly apiVersion: string;
  readonly spec: JsonObject;
}

/** A proposal whose kind's every rule holds: shape, key policy, signatures. */
export interface ParsedEntry {
  /** The Merkle leaf: RFC 8785, byte for byte what upstream stores, so that its leaf hash is the same UUID. */
  readonly body: Uint8Array;
  /** What the entry is found by, as a searcher would write it. A pure function of the proposal. */
  readonly searchTexts: readonly string[];
  /** Whoever made the signatures, each of which was verified. */
  readonly signers: readonly SigningKey[];
  /** The key's algorithm, of a kind for which the installation may restrict it. */
  readonly keyAlgorithm?: KeyAlgorithm;
  /** The signed payload of a kind whose body holds only its hash. */
  readonly attestation?: Uint8Array;
  /** What an attestation says of itself, of a kind whose body does not hold it. */
  readonly statement?: StatementFacts | undefined;
  readonly told?: ToldParts;
}

/**
 * What the body would be read for when it is described, told by a kind whose proposals are many. It MUST be the very same:
 * facts are a pure function of what is stored.
 */
export interface ToldParts {
  readonly kind: string;
  readonly apiVersion: string;
  /** Lower case, each once. */
  readonly digests: readonly string[];
  readonly verifiers: readonly Verifier[];
}

/** One kind of entry, in all the versions of it that may be logged. */
export interface EntryKind {
  readonly kind: string;
  readonly apiVersions: readonly string[];
  /** MUST throw a Fault that names the member for anything it does not accept, and MUST verify every signature. */
  parse(proposed: ProposedEntry): ParsedEntry | Promise<ParsedEntry>;
  /**
   * Whether the object is one out of the log and not a proposal. Such a one can be looked up and never
   * logged: what is signed is no longer in it.
   */
  isStored(spec: JsonObject): boolean;
}

/** Bounds what one request may make us verify: signatures times verifiers. */
export const MAX_SIGNATURES = 10;
export const MAX_VERIFIERS = 10;
