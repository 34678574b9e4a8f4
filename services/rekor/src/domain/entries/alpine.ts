import { verify } from "node:crypto";
import { canonicalJson, encodeBase64, utf8 } from "@chancery/encoding";
import { Unsupported, Unverified } from "@chancery/fault";
import { parseApk } from "../package/apk.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { parseVerifier } from "../verifier.ts";
import { hashText } from "./artifact-hash.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { isStoredPackage, readSignedPackage } from "./signed-package.ts";

/**
 * A signed Alpine package.
 *
 *     proposed  { package: { content }, publicKey: { content } }
 *     stored    { package: { hash, pkginfo }, publicKey }
 */
export const alpine: EntryKind = {
  kind: "alpine",
  apiVersions: ["0.0.1"],
  parse,
  isStored: isStoredPackage,
};

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const { key, content, hash } = await readSignedPackage(spec, "pkginfo");
  const budget = new VerificationBudget();
  const verifier = parseVerifier(key.bytes, key.field, budget);
  const apk = parseApk(content.bytes, content.field);
  const { publicKey } = verifier;
  if (publicKey.algorithm === "ed25519") throw new Unsupported(`${key.field}: Ed25519 signs no Alpine packages`);
  budget.spend(publicKey, key.field);
  // SHA-1 is the format: apk-tools 2 and upstream know no other. What it covers names the data by SHA-256.
  if (!verify("sha1", apk.control, publicKey.keyObject, apk.signature)) {
    throw new Unverified(`${content.field}: signature does not verify with this key`);
  }
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      package: { hash: { ...hash }, pkginfo: { ...apk.info } },
      publicKey: { content: encodeBase64(verifier.canonical) },
    },
  });
  return { body: utf8(body), searchTexts: [...keySearchTexts(verifier), hashText(hash)], signers: [verifier] };
}
