import type { JsonObject } from "@chancery/encoding";
import type { Placed } from "../pki/signature-format.ts";
import { type ArtifactHash, checkedArtifactHash } from "./artifact-hash.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/** What is proposed of a package whose kind is `{ package: { content }, publicKey: { content } }`. */
export interface SignedPackage {
  readonly key: Placed;
  readonly content: Placed;
  readonly hash: ArtifactHash;
}

/** Clients that send the member `computed` too are not believed: the kind reads it from the content. */
export async function readSignedPackage(spec: JsonObject, computed: string): Promise<SignedPackage> {
  const reader = new SpecReader(spec, "spec");
  const key = reader.object("publicKey").placed("content");
  const offered = reader.object("package");
  const content = offered.placed("content");
  const hash = await checkedArtifactHash(content.bytes, offered.optionalObject("hash"));
  offered.ignore(computed);
  reader.end();
  return { key, content, hash };
}

/** The content is what is not logged. */
export function isStoredPackage(spec: JsonObject): boolean {
  return isObject(spec["package"]) && (spec["package"]["content"] ?? undefined) === undefined;
}
