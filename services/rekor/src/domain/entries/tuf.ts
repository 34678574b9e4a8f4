import { sha256 } from "@chancery/crypto";
import { canonicalJson, decodeBase64, encodeBase64, encodeHex, type JsonValue, utf8 } from "@chancery/encoding";
import { parseTufMetadata, parseTufRoot, verifyTufMetadata } from "../pki/tuf.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { SpecReader } from "./spec-reader.ts";

/**
 * Metadata of a TUF repository, and the root that it is verified by.
 *
 *     proposed  { metadata: { content }, root: { content } }, each an object or base64 of its text
 *     stored    the same in base64 of their canonical forms, and spec_version
 */
export const tuf: EntryKind = {
  kind: "tuf",
  apiVersions: ["0.0.1"],
  parse,
  // The stored form can be proposed: it proves itself again.
  isStored: () => false,
};

function parse({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const [metadataContent, rootContent] = ["metadata", "root"].map((name) => contentOf(reader.object(name)));
  // What a stored entry has is computed below; clients that send it are not believed.
  reader.ignore("spec_version");
  reader.end();

  const budget = new VerificationBudget();
  const root = parseTufRoot(rootContent ?? null, "spec.root.content", budget);
  const metadata = parseTufMetadata(metadataContent ?? null, "spec.metadata.content");
  verifyTufMetadata(metadata, root, "spec.metadata.content", budget);
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      metadata: { content: encodeBase64(metadata.canonical) },
      root: { content: encodeBase64(root.canonical) },
      spec_version: root.specVersion,
    },
  });
  const digest = encodeHex(sha256(metadata.canonical));
  return {
    body: utf8(body),
    // Role and version as upstream, for whoever asks for them; no one finds much by "1".
    searchTexts: [...keySearchTexts(root), digest, `sha256:${digest}`, metadata.role, String(metadata.version)],
    signers: [root],
  };
}

function contentOf(reader: SpecReader): Uint8Array | JsonValue {
  const value = reader.value("content");
  return typeof value === "string" ? decodeBase64(value, reader.at("content")) : value;
}
