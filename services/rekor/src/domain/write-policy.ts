import type { KeyAlgorithm } from "@chancery/crypto";
import { Misconfigured, Unsupported } from "@chancery/fault";
import type { AdmissionRules } from "./admission.ts";
import { ENTRY_KIND_NAMES } from "./entries/entry-kind-names.ts";

/** What may be written; reading is never restricted by it, so that what was once logged stays readable. */
export interface WritePolicy {
  /** Upstream's `--enabled_entry_types`: all unless told. */
  readonly entryKinds?: readonly string[];
  /** Upstream's `--client-signing-algorithms`, which v1 asks for hashedrekord alone and v2 for every entry: all unless told. */
  readonly keyAlgorithms?: readonly KeyAlgorithm[];
  /** The longest payload that is kept beside an entry of a kind that stores its hash; 0 for none. */
  readonly attestationBytes?: number;
  readonly admission?: AdmissionRules | undefined;
}

/** Upstream's limit: what is larger is logged, and only its hash is kept. */
export const DEFAULT_ATTESTATION_BYTES = 100 * 1024;

/** By upstream's names, Sigstore's algorithm registry. */
const KEY_ALGORITHMS: Readonly<Record<string, KeyAlgorithm>> = {
  "ecdsa-sha2-256-nistp256": "ecdsa-p256",
  "ecdsa-sha2-384-nistp384": "ecdsa-p384",
  "ecdsa-sha2-512-nistp521": "ecdsa-p521",
  "rsa-sign-pkcs1-2048-sha256": "rsa-2048",
  "rsa-sign-pkcs1-3072-sha256": "rsa-3072",
  "rsa-sign-pkcs1-4096-sha256": "rsa-4096",
  "ed25519-ph": "ed25519",
};

export function assertKindEnabled(kind: string, { entryKinds }: WritePolicy): void {
  if (entryKinds === undefined || entryKinds.includes(kind)) return;
  throw new Unsupported(`kind: entry kind '${kind}' is not enabled for submission on this server`);
}

/** `field` is where the key stands. */
export function assertKeyAllowed(
  algorithm: KeyAlgorithm | undefined,
  { keyAlgorithms }: Pick<WritePolicy, "keyAlgorithms">,
  field: string,
): void {
  if (algorithm === undefined || keyAlgorithms === undefined || keyAlgorithms.includes(algorithm)) return;
  throw new Unsupported(`${field}: entry algorithm ${algorithm} not allowed`);
}

/** Misconfigured for a name that is unknown here; `key` is what the list stands under. */
export function parseKeyAlgorithms(names: readonly string[], key: string): readonly KeyAlgorithm[] {
  return parseNames(names, Object.keys(KEY_ALGORITHMS), key).flatMap((name) => KEY_ALGORITHMS[name] ?? []);
}

export function parseEntryKinds(names: readonly string[], key: string): readonly string[] {
  return parseNames(names, ENTRY_KIND_NAMES, key);
}

export function parseNames<Name extends string>(names: readonly string[], known: readonly Name[], key: string): Name[] {
  if (names.length === 0) throw new Misconfigured(key, "is empty: nothing could be written");
  return names.map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new Misconfigured(key, `${name} is not known; known are ${known.join(", ")}`);
    return found;
  });
}
