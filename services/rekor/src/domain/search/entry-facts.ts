import type { CertificateFacts } from "./certificate-facts.ts";

/** What can be told of an entry from what is stored of it, and nothing else: what it is shown as and found by. */
export interface EntryFacts {
  readonly kind: string;
  readonly apiVersion: string;
  /** `algorithm:hex` of the artifact, payload and envelope, as far as the log was shown them. */
  readonly digests: readonly string[];
  readonly signers: readonly SignerFacts[];
  readonly statement: StatementFacts | undefined;
  /** By what else v1's `index/retrieve` finds it: names in an OpenPGP key, a role of TUF. */
  readonly otherTexts: readonly string[];
}

export interface SignerFacts {
  /** As `publicKey.format` of an entry names it. */
  readonly format: string;
  /** SHA-256, hexadecimal, of the SubjectPublicKeyInfo; of the logged key where its format knows none. */
  readonly keyFingerprint: string;
  /** SHA-256, hexadecimal, of the key in the form that is logged: what v1 searches by. */
  readonly loggedDigest: string;
  readonly algorithm: string | undefined;
  readonly certificate: CertificateFacts | undefined;
}

/** Of an in-toto statement, of which no entry keeps more than a hash. */
export interface StatementFacts {
  readonly predicateType: string | undefined;
  readonly subjects: readonly StatementSubject[];
  /** `algorithm:digest` of the materials of a provenance predicate. */
  readonly materials: readonly string[];
  /** The same of what SLSA v1 calls dependencies, of the build and of its builder. */
  readonly dependencies: readonly string[];
}

export interface StatementSubject {
  readonly name: string | undefined;
  /** `algorithm:digest` */
  readonly digests: readonly string[];
}
