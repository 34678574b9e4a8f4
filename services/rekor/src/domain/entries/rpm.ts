import { canonicalJson, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import {
  checkRpmDigests,
  parseRpm,
  rpmBytes,
  type RpmHeader,
  rpmNumber,
  type RpmPackage,
  RpmTagNumber,
  rpmText,
} from "../package/rpm.ts";
import { verifyPackagePgp } from "../pki/pgp.ts";
import { parsePgpKeyRing, type PgpKeyRing } from "../pki/pgp-key-ring.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { hashText } from "./artifact-hash.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { isStoredPackage, readSignedPackage } from "./signed-package.ts";

/**
 * A signed RPM package.
 *
 *     proposed  { package: { content }, publicKey: { content } }
 *     stored    { package: { hash, headers: { Name, Epoch, Version, Release, Architecture, RPMSIGTAG_MD5? } }, publicKey }
 */
export const rpm: EntryKind = {
  kind: "rpm",
  apiVersions: ["0.0.1"],
  parse,
  isStored: isStoredPackage,
};

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const { key, content, hash } = await readSignedPackage(spec, "headers");
  const budget = new VerificationBudget();
  const ring = await parsePgpKeyRing(key, budget);
  const parsed = parseRpm(content.bytes, content.field);
  checkRpmDigests(parsed, content.field);
  await verifySignatures(parsed, ring, content.field, budget);
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      package: { hash: { ...hash }, headers: headersOf(parsed) },
      publicKey: { content: encodeBase64(ring.canonical) },
    },
  });
  return { body: utf8(body), searchTexts: [...keySearchTexts(ring), hashText(hash)], signers: [ring] };
}

/** Every signature inside MUST hold, over the header or over header and payload. */
async function verifySignatures(
  { signatureHeader, headerBytes, headerAndPayload }: RpmPackage,
  ring: PgpKeyRing,
  field: string,
  budget: VerificationBudget,
): Promise<void> {
  const signatures = [
    [RpmTagNumber.SIGNATURE_RSA, headerBytes],
    [RpmTagNumber.SIGNATURE_DSA, headerBytes],
    [RpmTagNumber.SIGNATURE_PGP, headerAndPayload],
    [RpmTagNumber.SIGNATURE_GPG, headerAndPayload],
  ] as const;
  let verified = 0;
  for (const [tag, artifact] of signatures) {
    const bytes = rpmBytes(signatureHeader, tag);
    if (bytes === undefined) continue;
    await verifyPackagePgp(artifact, { bytes, field }, ring, budget);
    verified++;
  }
  if (verified === 0) throw new Unverified(`${field}: no OpenPGP signature in the package`);
}

function headersOf({ header, signatureHeader }: RpmPackage): Record<string, string> {
  const md5 = rpmBytes(signatureHeader, RpmTagNumber.SIGNATURE_MD5);
  return {
    Name: textOf(header, RpmTagNumber.NAME, "name"),
    Epoch: String(rpmNumber(header, RpmTagNumber.EPOCH) ?? 0n),
    Version: textOf(header, RpmTagNumber.VERSION, "version"),
    Release: textOf(header, RpmTagNumber.RELEASE, "release"),
    Architecture: textOf(header, RpmTagNumber.ARCH, "architecture"),
    ...(md5 !== undefined && md5.length > 0 && { RPMSIGTAG_MD5: encodeHex(md5) }),
  };
}

function textOf(header: RpmHeader, tag: number, name: string): string {
  const text = rpmText(header, tag);
  if (text === undefined) throw new Malformed(`${header.field}: the package has no ${name}`);
  return text;
}
