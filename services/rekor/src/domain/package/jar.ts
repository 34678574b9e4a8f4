import { createHash, hash as digest } from "node:crypto";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { type JarManifest, type JarSection, parseJarManifest } from "./jar-manifest.ts";
import { openZip, readMember, type ZipMember } from "./zip.ts";

/** A JAR with one signer, whose signature file is true of the whole manifest, and the manifest of every file it names. */
export interface SignedJar {
  /** `META-INF/<signer>.SF`: what is signed. */
  readonly signatureFile: Uint8Array;
  /** `META-INF/<signer>.RSA` or the like: CMS, DER. */
  readonly signatureBlock: Uint8Array;
}

/** Upstream's default for each file that it reads into memory. */
const MAX_METADATA = 1024 * 1024;
/** A body of 10 MiB that unpacks to more is no program. */
const LIMITS = { members: 10_000, bytes: 32 * 1024 * 1024 };

/** JAR File Specification, "Signed JAR File". */
export async function readSignedJar(bytes: Uint8Array, field: string): Promise<SignedJar> {
  const { members } = await openZip(bytes, LIMITS, field);
  const metadata = await readMetadata(members, field);
  const manifest = metadata.manifests[0];
  const [signatureFile, anotherFile] = metadata.signatureFiles;
  const [signatureBlock, anotherBlock] = metadata.signatureBlocks;
  if (manifest === undefined) throw new Malformed(`${field}: has no META-INF/MANIFEST.MF`);
  if (signatureFile === undefined) throw new Unverified(`${field}: is not signed`);
  if (anotherFile !== undefined || anotherBlock !== undefined)
    throw new Unsupported(`${field}: has several signatures`);
  if (signatureBlock?.base !== signatureFile.base) {
    throw new Malformed(`${field}: a signature file without the signature that belongs to it`);
  }
  verifySignatureFile(signatureFile.content, manifest.content, field);
  await verifyManifest(parseJarManifest(manifest.content, field), members, field);
  return { signatureFile: signatureFile.content, signatureBlock: signatureBlock.content };
}

interface Metadata {
  readonly base: string;
  readonly content: Uint8Array;
}

/** Files directly in META-INF, whose names are in any letter case, by what their extensions say they are. */
async function readMetadata(members: readonly ZipMember[], field: string) {
  const found = { manifests: [] as Metadata[], signatureFiles: [] as Metadata[], signatureBlocks: [] as Metadata[] };
  for (const member of members) {
    const [, name, base, extension] = /^META-INF\/(([^/]+)\.([^/.]*))$/.exec(member.name.toUpperCase()) ?? [];
    if (name === undefined || base === undefined) continue;
    const kind = kindOf(name, extension ?? "");
    if (kind === undefined) continue;
    found[kind].push({ base, content: await readMember(member, MAX_METADATA, field) });
  }
  if (found.manifests.length > 1) throw new Malformed(`${field}: two manifests`);
  return found;
}

/** SIG-anything is a signature block, whatever its extension: upstream takes it for one when it looks for the signature. */
function kindOf(name: string, extension: string): "manifests" | "signatureFiles" | "signatureBlocks" | undefined {
  if (name === "MANIFEST.MF") return "manifests";
  if (name.startsWith("SIG-") || ["RSA", "DSA", "EC"].includes(extension)) return "signatureBlocks";
  return extension === "SF" ? "signatureFiles" : undefined;
}

/**
 * The signature file's digest of the manifest as a whole, or else of its main section and of each that it names. Where a
 * part has no digest upstream refuses, and so do we.
 */
function verifySignatureFile(signatureFile: Uint8Array, manifest: Uint8Array, field: string): void {
  const signed = parseJarManifest(signatureFile, field);
  const whole = digestsOf(signed.main, "-digest-manifest", field);
  if (whole.length > 0) return check(whole, manifest, "the manifest", field);
  const parsed = parseJarManifest(manifest, field);
  checkSection(digestsOf(signed.main, "-digest-manifest-main-attributes", field), parsed.main, field);
  for (const [name, section] of signed.files) {
    const about = parsed.files.get(name);
    if (about === undefined)
      throw new Unverified(`${field}: the manifest has not the signed section of ${shown(name)}`);
    checkSection(digestsOf(section, "-digest", field), about, field);
  }
}

function checkSection(digests: readonly Digest[], section: JarSection, field: string): void {
  if (digests.length === 0) throw new Malformed(`${field}: a section without a digest`);
  check(digests, section.bytes, "a section of the manifest", field);
}

async function verifyManifest({ files }: JarManifest, members: readonly ZipMember[], field: string): Promise<void> {
  const byName = new Map(members.map((member) => [member.name, member]));
  for (const [name, section] of files) {
    // "Magic" files are digested in ways of their own; upstream passes over them.
    if ((section.attributes.get("magic") ?? "") !== "") continue;
    const member = byName.get(name);
    if (member === undefined) throw new Malformed(`${field}: ${shown(name)} is in the manifest and not in the archive`);
    const digests = digestsOf(section, "-digest", field);
    if (digests.length === 0) throw new Malformed(`${field}: ${shown(name)} has no digest in the manifest`);
    const hashes = digests.map(({ algorithm }) => createHash(algorithm));
    for await (const piece of member.read()) for (const hash of hashes) hash.update(piece);
    const calculated = hashes.map((hash) => hash.digest("base64"));
    if (!digests.every(({ value }, place) => value === calculated[place])) throw notEqual(shown(name), field);
  }
}

interface Digest {
  readonly algorithm: string;
  /** Base64. */
  readonly value: string;
}

/** Names of MessageDigest in the JDK, without hyphens. One that is broken is checked, and counts for nothing without one that is not. */
const STRONG: Readonly<Record<string, string>> = { sha256: "sha256", sha384: "sha384", sha512: "sha512" };
const WEAK: Readonly<Record<string, string>> = { sha224: "sha224", sha1: "sha1", md5: "md5" };

function digestsOf({ attributes }: JarSection, suffix: string, field: string): Digest[] {
  const named = [...attributes].filter(([attribute]) => attribute.endsWith(suffix));
  const digests = named.map(([attribute, value]) => {
    const name = attribute.slice(0, -suffix.length).replaceAll("-", "");
    const algorithm = Object.hasOwn(STRONG, name) ? STRONG[name] : Object.hasOwn(WEAK, name) ? WEAK[name] : undefined;
    if (algorithm === undefined) throw new Unsupported(`${field}: the digest ${shown(attribute)} is not accepted`);
    return { algorithm, value, strong: Object.hasOwn(STRONG, name) };
  });
  if (digests.length > 0 && !digests.some(({ strong }) => strong)) {
    throw new Unsupported(`${field}: digests in SHA-1 or MD5 alone are not accepted`);
  }
  return digests;
}

function check(digests: readonly Digest[], bytes: Uint8Array, what: string, field: string): void {
  for (const { algorithm, value } of digests) {
    if (value !== digest(algorithm, bytes, "base64")) throw notEqual(what, field);
  }
}

function notEqual(what: string, field: string): Unverified {
  return new Unverified(`${field}: ${what} is not the one that was signed`);
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
