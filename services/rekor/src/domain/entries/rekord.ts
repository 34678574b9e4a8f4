import { canonicalJson, encodeBase64, utf8 } from "@chancery/encoding";
import { Unsupported } from "@chancery/fault";
import { signatureFormat } from "../pki/signature-formats.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { checkedArtifactHash, hashText } from "./artifact-hash.ts";
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

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const reader = new SpecReader(spec, "spec");
  const signature = reader.object("signature");
  const name = signature.oneOf("format", FORMATS);
  const content = signature.placed("content");
  const key = signature.object("publicKey").placed("content");
  const data = reader.object("data");
  const artifact = data.bytes("content");
  const hash = await checkedArtifactHash(artifact, data.optionalObject("hash"));
  reader.end();

  const format = signatureFormat(name);
  if (format === undefined) throw new Unsupported(`${signature.at("format")}: ${name} is not accepted`);
  const verified = await format.verify({ artifact, signature: content, key }, new VerificationBudget());
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      data: { hash: { ...hash } },
      signature: {
        content: encodeBase64(verified.signature),
        format: name,
        publicKey: { content: encodeBase64(verified.key.canonical) },
      },
    },
  });
  return { body: utf8(body), searchTexts: [...keySearchTexts(verified.key), hashText(hash)], signers: [verified.key] };
}
