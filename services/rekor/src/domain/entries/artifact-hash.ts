import { setImmediate } from "node:timers/promises";
import { sha256 } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { SpecReader } from "./spec-reader.ts";

/** A digest as entries carry it. */
export interface ArtifactHash {
  readonly algorithm: "sha256";
  readonly value: string;
}

export function artifactHash(artifact: Uint8Array): ArtifactHash {
  return { algorithm: "sha256", value: encodeHex(sha256(artifact)) };
}

/** Decoding, hashing and verifying seven megabytes takes some 20 ms each: others get their turn in between. */
const LARGE = 256 * 1024;

/** The hash of what was sent whole. One that the client sends beside it MUST be the same. */
export async function checkedArtifactHash(
  artifact: Uint8Array,
  claimed: SpecReader | undefined,
): Promise<ArtifactHash> {
  if (artifact.length > LARGE) await setImmediate();
  const hash = artifactHash(artifact);
  if (artifact.length > LARGE) await setImmediate();
  if (claimed === undefined) return hash;
  claimed.oneOf("algorithm", ["sha256"]);
  if (claimed.text("value") !== hash.value) {
    throw new Malformed(`${claimed.at("value")}: not the SHA-256 of the content`);
  }
  return hash;
}

export function hashText({ algorithm, value }: ArtifactHash): string {
  return `${algorithm}:${value}`;
}
