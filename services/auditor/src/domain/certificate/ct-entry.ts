import { type KeyObject, verify } from "node:crypto";
import { DerReader, TlsReader, TlsWriter } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { sha256 } from "../merkle.ts";
import { type Certificate, extensionOf, readCertificate, tbsWithout } from "./certificate.ts";
import { POISON, SCT_LIST } from "./fulcio-profile.ts";

/** A leaf of a CT log with what is kept beside it, RFC 6962, Sections 3.4 and 4.6. */
export interface CtEntry {
  readonly timestamp: bigint;
  /** Of a precertificate. */
  readonly issuerKeyHash: Uint8Array | undefined;
  /** Of a precertificate: its TBS without the poison. */
  readonly tbs: Uint8Array | undefined;
  /** The precertificate, or the certificate itself. */
  readonly certificate: Certificate;
  readonly chain: readonly Uint8Array[];
}

/** MerkleTreeLeaf { v1(0), timestamped_entry(0), uint64 timestamp, uint16 entry_type, … , CtExtensions } */
export function readCtEntry(leaf: Uint8Array, extra: Uint8Array): CtEntry {
  const reader = new TlsReader(leaf, "leaf_input");
  if (reader.uint16() !== 0) throw new Malformed("leaf_input: not a timestamped entry of version 1");
  const timestamp = reader.uint64();
  const type = reader.uint16();
  const beside = new TlsReader(extra, "extra_data");
  if (type === 0) {
    const certificate = readCertificate(reader.opaque24());
    reader.opaque16();
    reader.end();
    return { timestamp, issuerKeyHash: undefined, tbs: undefined, certificate, chain: readChain(beside) };
  }
  if (type !== 1) throw new Malformed(`leaf_input: entry type ${type}`);
  const [issuerKeyHash, tbs] = [reader.bytes(32), reader.opaque24()];
  reader.opaque16();
  reader.end();
  const certificate = readCertificate(beside.opaque24());
  return { timestamp, issuerKeyHash, tbs, certificate, chain: readChain(beside) };
}

function readChain(beside: TlsReader): Uint8Array[] {
  const list = new TlsReader(beside.opaque24(), "extra_data");
  beside.end();
  const chain: Uint8Array[] = [];
  while (!list.done()) chain.push(list.opaque24());
  return chain;
}

/** That what the leaf commits to is the precertificate beside it, byte for byte but for the poison. */
export function precertificateMatches({ tbs, certificate }: CtEntry): boolean {
  return tbs !== undefined && Buffer.compare(tbsWithout(certificate, POISON), tbs) === 0;
}

/** That a certificate is the one of this leaf, byte for byte but for its SCTs. */
export function certificateMatches(certificate: Certificate, { tbs }: Pick<CtEntry, "tbs">): boolean {
  return tbs !== undefined && Buffer.compare(tbsWithout(certificate, SCT_LIST), tbs) === 0;
}

/** What stands beside a leaf is under no hash of the tree: that it is one of the chains of the CA that issued it. */
export function isChainOf(
  { chain }: CtEntry,
  issuer: Certificate,
  chains: readonly (readonly Certificate[])[],
): boolean {
  return chains.some(
    (own) =>
      isSame(issuer.spki, own[0]?.spki) &&
      own.length === chain.length &&
      own.every(({ der }, at) => isSame(der, chain[at])),
  );
}

function isSame(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(one, other) === 0;
}

export interface EmbeddedSct {
  readonly logId: Uint8Array;
  readonly timestamp: bigint;
  readonly extensions: Uint8Array;
  readonly signature: Uint8Array;
}

/** In the extension an OCTET STRING holds the list: uint16 length, of each SCT again uint16 length. RFC 6962, Section 3.3. */
export function embeddedScts(certificate: Certificate): EmbeddedSct[] {
  const extension = extensionOf(certificate, SCT_LIST);
  if (extension === undefined) return [];
  const outer = new TlsReader(new DerReader(extension.value, "SCT list").octetString(), "SCT list");
  const list = new TlsReader(outer.opaque16(), "SCT list");
  outer.end();
  const scts: EmbeddedSct[] = [];
  while (!list.done()) {
    const sct = new TlsReader(list.opaque16(), "SCT");
    if (sct.uint8() !== 0) throw new Malformed("SCT: not of version 1");
    const [logId, timestamp, extensions] = [sct.bytes(32), sct.uint64(), sct.opaque16()];
    // HashAlgorithm sha256(4), SignatureAlgorithm ecdsa(3).
    if (sct.uint16() !== 0x0403) throw new Malformed("SCT: not signed by ECDSA with SHA-256");
    const signature = sct.opaque16();
    sct.end();
    scts.push({ logId, timestamp, extensions, signature });
  }
  return scts;
}

/** RFC 6962, Section 3.2. */
export function isSctOf(sct: EmbeddedSct, key: KeyObject, issuerSpki: Uint8Array, certificate: Certificate): boolean {
  const signed = new TlsWriter()
    .uint8(0)
    .uint8(0)
    .uint64(sct.timestamp)
    .uint16(1)
    .bytes(sha256(issuerSpki))
    .opaque24(tbsWithout(certificate, SCT_LIST))
    .opaque16(sct.extensions)
    .finish();
  return verify("sha256", signed, key, sct.signature);
}
