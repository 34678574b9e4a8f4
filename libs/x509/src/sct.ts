import { type PublicKey, spkiHash } from "@chancery/crypto";
import { decodeBase64, encodeBase64, equalBytes, type JsonValue, TlsReader, TlsWriter } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { assertDigitallySigned, verifyDigitallySigned } from "./digitally-signed.ts";

/** A log's promise to include a certificate. */
export interface SignedCertificateTimestamp {
  /** SHA-256 of the log's SubjectPublicKeyInfo. */
  readonly logId: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly extensions: Uint8Array;
  /** DigitallySigned: hash, signature algorithm, length, signature. */
  readonly signature: Uint8Array;
}

/** What an SCT is about: a precertificate's TBS without its poison, or a whole certificate. */
export type CertificateEntry =
  | { readonly type: "precertificate"; readonly issuerKeyHash: Uint8Array; readonly tbs: Uint8Array }
  | { readonly type: "certificate"; readonly der: Uint8Array };

const LOG_ID_BYTES = 32;
const V1 = 0;
const CERTIFICATE_TIMESTAMP = 0;
const X509_ENTRY = 0;
const PRECERT_ENTRY = 1;

/** A certificate carries one SCT a log; more than a handful is someone's attempt to make work. */
const MAX_SCTS = 16;

/**
 * struct {
 *   Version sct_version;          // v1(0)
 *   LogID id;                     // opaque key_id[32]
 *   uint64 timestamp;
 *   CtExtensions extensions;      // opaque<0..2^16-1>
 *   digitally-signed struct { … };
 * } SignedCertificateTimestamp;
 *
 * RFC 6962, Section 3.2.
 */
export function encodeSct(sct: SignedCertificateTimestamp): Uint8Array {
  return sctWriter(sct).finish();
}

function sctWriter(sct: SignedCertificateTimestamp): TlsWriter {
  return new TlsWriter()
    .uint8(V1)
    .bytes(sct.logId)
    .uint64(BigInt(sct.timestamp))
    .opaque16(sct.extensions)
    .bytes(sct.signature);
}

export function parseSct(bytes: Uint8Array, field: string): SignedCertificateTimestamp {
  const reader = new TlsReader(bytes, field);
  if (reader.uint8() !== V1) throw new Malformed(`${field}: SCT version is not 1`);
  const logId = reader.bytes(LOG_ID_BYTES);
  const timestamp = millis(reader.uint64(), field);
  const extensions = reader.opaque16();
  const signature = bytes.subarray(1 + LOG_ID_BYTES + 8 + 2 + extensions.length);
  assertDigitallySigned(signature, field);
  return { logId, timestamp, extensions, signature };
}

/**
 * opaque SerializedSCT<1..2^16-1>;
 * struct { SerializedSCT sct_list<1..2^16-1>; } SignedCertificateTimestampList;
 *
 * RFC 6962, Section 3.3. In a certificate the list stands in an OCTET STRING inside the extension's own.
 */
export function encodeSctList(scts: readonly SignedCertificateTimestamp[]): Uint8Array {
  if (scts.length === 0) throw new Malformed("SCT list: empty");
  const list = new TlsWriter();
  for (const sct of scts) list.opaque16(sctWriter(sct));
  return new TlsWriter().opaque16(list).finish();
}

export function parseSctList(bytes: Uint8Array, field: string): SignedCertificateTimestamp[] {
  const outer = new TlsReader(bytes, field);
  const list = new TlsReader(outer.opaque16(), field);
  outer.end();
  const scts: SignedCertificateTimestamp[] = [];
  while (!list.done()) {
    scts.push(parseSct(list.opaque16(), field));
    if (scts.length > MAX_SCTS) throw new Malformed(`${field}: more than ${MAX_SCTS} SCTs`);
  }
  if (scts.length === 0) throw new Malformed(`${field}: SCT list is empty`);
  return scts;
}

/**
 * digitally-signed struct {
 *   Version sct_version; SignatureType signature_type;  // certificate_timestamp(0)
 *   uint64 timestamp; LogEntryType entry_type;
 *   select (entry_type) { case x509_entry: ASN.1Cert; case precert_entry: PreCert; } signed_entry;
 *   CtExtensions extensions;
 * };
 * struct { opaque issuer_key_hash[32]; opaque TBSCertificate<1..2^24-1>; } PreCert;
 *
 * RFC 6962, Section 3.2.
 */
export function sctSignedData(timestamp: number, extensions: Uint8Array, entry: CertificateEntry): Uint8Array {
  return sctSignedDataWriter(timestamp, extensions, entry).finish();
}

/** The same before it is written: for whoever wants its length, or to compare. */
export function sctSignedDataWriter(timestamp: number, extensions: Uint8Array, entry: CertificateEntry): TlsWriter {
  const writer = new TlsWriter();
  writer.uint8(V1);
  writer.uint8(CERTIFICATE_TIMESTAMP);
  writer.uint64(BigInt(timestamp));
  if (entry.type === "precertificate") {
    writer.uint16(PRECERT_ENTRY);
    writer.bytes(entry.issuerKeyHash);
    writer.opaque24(entry.tbs);
  } else {
    writer.uint16(X509_ENTRY);
    writer.opaque24(entry.der);
  }
  return writer.opaque16(extensions);
}

export function precertSignedData(signed: {
  readonly timestamp: number;
  readonly issuerKeyHash: Uint8Array;
  readonly tbs: Uint8Array;
  readonly extensions: Uint8Array;
}): Uint8Array {
  const { issuerKeyHash, tbs } = signed;
  return sctSignedData(signed.timestamp, signed.extensions, { type: "precertificate", issuerKeyHash, tbs });
}

export function certSignedData(signed: {
  readonly timestamp: number;
  readonly certificate: Uint8Array;
  readonly extensions: Uint8Array;
}): Uint8Array {
  return sctSignedData(signed.timestamp, signed.extensions, { type: "certificate", der: signed.certificate });
}

/** Throws Unverified unless the log with this key promised to include this entry. */
export async function verifySct(
  sct: SignedCertificateTimestamp,
  logKey: PublicKey,
  entry: CertificateEntry,
): Promise<void> {
  if (!equalBytes(sct.logId, spkiHash(logKey))) throw new Unverified("SCT: log ID is not that of the log's key");
  await verifyDigitallySigned(logKey, sctSignedData(sct.timestamp, sct.extensions, entry), sct.signature, "SCT");
}

/** The answer to add-chain and add-pre-chain (RFC 6962, Section 4.1), which is also a detached SCT. */
export interface SctJson {
  readonly sct_version: 0;
  readonly id: string;
  readonly timestamp: number;
  readonly extensions: string;
  readonly signature: string;
}

export function sctToJson(sct: SignedCertificateTimestamp): SctJson {
  return {
    sct_version: 0,
    id: encodeBase64(sct.logId),
    timestamp: sct.timestamp,
    extensions: encodeBase64(sct.extensions),
    signature: encodeBase64(sct.signature),
  };
}

export function sctFromJson(json: JsonValue | SctJson, field: string): SignedCertificateTimestamp {
  if (json === null || typeof json !== "object" || Array.isArray(json)) throw new Malformed(`${field}: not an object`);
  const members = json as Readonly<Record<string, unknown>>;
  if (members["sct_version"] !== V1) throw new Malformed(`${field}: sct_version is not 0`);
  const timestamp = members["timestamp"];
  if (typeof timestamp !== "number" || !Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new Malformed(`${field}: timestamp is not a number of milliseconds`);
  }
  const bytes = (name: string) => {
    const text = members[name];
    if (typeof text !== "string") throw new Malformed(`${field}: ${name} is not a string`);
    return decodeBase64(text, `${field}: ${name}`);
  };
  const logId = bytes("id");
  if (logId.length !== LOG_ID_BYTES) throw new Malformed(`${field}: id has not ${LOG_ID_BYTES} bytes`);
  const signature = bytes("signature");
  assertDigitallySigned(signature, `${field}: signature`);
  return { logId, timestamp, extensions: bytes("extensions"), signature };
}

function millis(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed(`${field}: SCT timestamp is out of range`);
  return Number(value);
}
