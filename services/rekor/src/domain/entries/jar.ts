import { sha256 } from "@chancery/crypto";
import { canonicalJson, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { readSignedJar } from "../package/jar.ts";
import { verifyPkcs7 } from "../pki/pkcs7.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { checkedArtifactHash, hashText } from "./artifact-hash.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/**
 * A signed Java archive.
 *
 *     proposed  { archive: { content } }
 *     stored    { archive: { hash }, signature: { content, publicKey: { content } } }
 */
export const jar: EntryKind = {
  kind: "jar",
  apiVersions: ["0.0.1"],
  parse,
  isStored: (spec) => isObject(spec["archive"]) && (spec["archive"]["content"] ?? undefined) === undefined,
};

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const reader = new SpecReader(spec, "spec");
  const archive = reader.object("archive");
  const { bytes, field } = archive.placed("content");
  const hash = await checkedArtifactHash(bytes, archive.optionalObject("hash"));
  // Clients that send it too are not believed: it is taken out of the archive.
  reader.ignore("signature");
  reader.end();

  const { signatureFile, signatureBlock } = await readSignedJar(bytes, field);
  const block = { bytes: signatureBlock, field };
  const { signer, signers, firstCertificate, signature } = verifyPkcs7(signatureFile, block, new VerificationBudget());
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      archive: { hash: { ...hash } },
      signature: { content: encodeBase64(signature), publicKey: { content: encodeBase64(firstCertificate) } },
    },
  });
  const signatureDigest = encodeHex(sha256(signature));
  return {
    body: utf8(body),
    searchTexts: [...keySearchTexts(signer), signatureDigest, `sha256:${signatureDigest}`, hashText(hash)],
    signers,
  };
}
