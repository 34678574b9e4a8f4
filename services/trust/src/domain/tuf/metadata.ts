import { sha256, sha512, type Signer } from "@chancery/crypto";
import { encodeHex, parseJson, utf8 } from "@chancery/encoding";
import { canonicalize } from "@tufjs/canonical-json";
import {
  type Key,
  MetaFile,
  Metadata,
  MetadataKind,
  type Root,
  Signature,
  type Snapshot,
  type Targets,
  type Timestamp,
} from "@tufjs/models";

export type RoleName = "root" | "targets" | "snapshot" | "timestamp";

export interface SignedBy {
  readonly root: Root;
  readonly targets: Targets;
  readonly snapshot: Snapshot;
  readonly timestamp: Timestamp;
}

/** One role's metadata, and the file it stands in byte for byte: hashes are of the file. */
export interface SignedFile<R extends RoleName> {
  readonly metadata: Metadata<SignedBy[R]>;
  readonly bytes: Uint8Array;
}

export interface TufSigner {
  readonly key: Key;
  readonly signer: Signer;
}

/** Longer than any metadata we write by far; what is longer was not written by us. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Signs the canonical form (TUF 1.0.33, 4.2); the file itself is laid out for people. */
export async function signMetadata<R extends RoleName>(
  signed: SignedBy[R],
  signers: readonly TufSigner[],
): Promise<SignedFile<R>> {
  const content = utf8(canonicalize(signed.toJSON()));
  const metadata = new Metadata<SignedBy[R]>(signed);
  for (const { key, signer } of signers) {
    const sig = encodeHex(await signer.sign(content));
    metadata.signatures[key.keyID] = new Signature({ keyID: key.keyID, sig });
  }
  return { metadata, bytes: utf8(`${JSON.stringify(metadata.toJSON(), null, 1)}\n`) };
}

/** Shape only; the caller verifies. */
export function parseMetadata<R extends RoleName>(role: R, bytes: Uint8Array, file: string): SignedFile<R> {
  const json = parseJson(bytes, file, { maxBytes: MAX_BYTES });
  // The overloads of fromJSON take literal kinds only, and its JSON type is mutable.
  const fromJson = Metadata.fromJSON.bind(Metadata) as (kind: MetadataKind, json: unknown) => Metadata<SignedBy[R]>;
  return { metadata: fromJson(KINDS[role], json), bytes };
}

/** How one role names the exact file of another: a version alone would let a mirror mix and match. */
export function metaFile(file: SignedFile<"snapshot" | "targets">): MetaFile {
  return new MetaFile({
    version: file.metadata.signed.version,
    length: file.bytes.length,
    hashes: contentHashes(file.bytes),
  });
}

export function contentHashes(bytes: Uint8Array): { sha256: string; sha512: string } {
  return { sha256: encodeHex(sha256(bytes)), sha512: encodeHex(sha512(bytes)) };
}

const KINDS: Readonly<Record<RoleName, MetadataKind>> = {
  root: MetadataKind.Root,
  targets: MetadataKind.Targets,
  snapshot: MetadataKind.Snapshot,
  timestamp: MetadataKind.Timestamp,
};
