import { sha256 } from "@chancery/crypto";
import { encodeHex, parsePem } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { readGzipMember } from "./gzip-member.ts";
import { type PackageInfo, parsePackageInfo } from "./pkginfo.ts";
import { readTar } from "./tar.ts";

/** An Alpine package as far as its signature goes. */
export interface ApkPackage {
  readonly signature: Uint8Array;
  /** The compressed control segment: what is signed. */
  readonly control: Uint8Array;
  readonly info: PackageInfo;
}

/** Upstream's default for what it reads into memory; the control segment may hold scripts too. */
const MAX_METADATA = 1024 * 1024;
const MAX_CONTROL = 2 * 1024 * 1024;
/** Nearly all of it is logged. Upstream takes a mebibyte, whose lines took half a second. */
const MAX_PKGINFO = 128 * 1024;

/**
 * Three gzip members one after another, each a tar archive: `.SIGN.RSA.<key>`, the control segment with `.PKGINFO`, and
 * the data, which the former names by its SHA-256 (`datahash`) and no one unpacks here.
 */
export function parseApk(bytes: Uint8Array, field: string): ApkPackage {
  const signatures = readGzipMember(bytes, 0, MAX_METADATA, field);
  const control = readGzipMember(bytes, signatures.end, MAX_CONTROL, field);
  const signature = readTar(signatures.content, field).find(({ name }) => name.startsWith(".SIGN"));
  if (signature === undefined) throw new Malformed(`${field}: has no signature`);
  const [pkginfo, another] = readTar(control.content, field).filter(({ name }) => name === ".PKGINFO");
  if (pkginfo === undefined || another !== undefined) throw new Malformed(`${field}: has not one .PKGINFO`);
  if (pkginfo.content.length > MAX_PKGINFO)
    throw new Malformed(`${field}: .PKGINFO is longer than ${MAX_PKGINFO} bytes`);
  const info = parsePackageInfo(pkginfo.content, field);
  if (encodeHex(sha256(bytes.subarray(control.end))) !== info["datahash"]?.toLowerCase()) {
    throw new Unverified(`${field}: the data are not those of .PKGINFO's datahash`);
  }
  return {
    signature: unwrapped(signature.content, field),
    control: bytes.subarray(signatures.end, control.end),
    info,
  };
}

/** Written bare by abuild-sign; upstream takes PEM too. */
function unwrapped(signature: Uint8Array, field: string): Uint8Array {
  const isPem = new TextDecoder("latin1").decode(signature.subarray(0, 11)) === "-----BEGIN ";
  return isPem ? (parsePem(signature, field, { max: 1 })[0]?.der ?? signature) : signature;
}
