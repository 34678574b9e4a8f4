import { sha256, verifySignature } from "@chancery/crypto";
import { canonicalJson, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { parseVerifier, verifierSearchTexts } from "../verifier.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/**
 * A signature over an artifact that is sent whole and not kept.
 *
 *     { data: { content, hash? }, signature: { format, content, publicKey: { content } } }
 */
export const rekord: EntryKind = {
  kind: "rekord",
  apiVersions: ["0.0.1"],
  parse,
  isStored: (spec) => isObject(spec["data"]) && (spec["data"]["content"] ?? undefined) === undefined,
};

const FORMATS = ["pgp", "minisign", "x509", "ssh"] as const;

function parse({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const signature = reader.object("signature");
  const format = signature.oneOf("format", FORMATS);
  const content = signature.bytes("content");
  const key = signature.object("publicKey");
  const pem = key.bytes("content");
  const data = reader.object("data");
  const artifact = data.bytes("content");
  const value = encodeHex(sha256(artifact));
  checkClaimedHash(data.optionalObject("hash"), value);
  reader.end();

  if (format !== "x509") throw new Unsupported(`${signature.at("format")}: ${format} is not accepted, only x509`);
  const verifier = parseVerifier(pem, key.at("content"));
  // Upstream hashes with SHA-256 for every key of this kind; Ed25519 is the plain one.
  if (!verifySignature(verifier.publicKey, artifact, content, "sha256")) {
    throw new Unverified(`${signature.at("content")}: signature does not verify over the data with this key`);
  }
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      data: { hash: { algorithm: "sha256", value } },
      signature: { content: encodeBase64(content), format, publicKey: { content: encodeBase64(verifier.pem) } },
    },
  });
  return { body: utf8(body), searchTexts: [...verifierSearchTexts(verifier), `sha256:${value}`] };
}

function checkClaimedHash(claimed: SpecReader | undefined, value: string): void {
  if (claimed === undefined) return;
  claimed.oneOf("algorithm", ["sha256"]);
  if (claimed.text("value") !== value) throw new Malformed(`${claimed.at("value")}: not the SHA-256 of the data`);
}
