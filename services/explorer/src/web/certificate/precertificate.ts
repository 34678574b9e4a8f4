import { der, DerReader, TlsReader, TlsWriter } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { digestOf } from "../proof/signature.ts";
import { type Certificate, SCT_LIST } from "./certificate.ts";

/** A certificate log's word that it had the precertificate. */
export interface SignedCertificateTimestamp {
  /** SHA-256 of the log's key. */
  readonly logId: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
  readonly extensions: Uint8Array;
  /** In the encoding that the key's algorithm signs in. */
  readonly signature: Uint8Array;
}

const MOST = 16;

/**
 *     opaque SerializedSCT<1..2^16-1>;                        RFC 6962, Section 3.3
 *     struct { SerializedSCT sct_list<1..2^16-1>; } SignedCertificateTimestampList;
 *     struct { Version v1(0); opaque id[32]; uint64 timestamp; CtExtensions extensions<0..2^16-1>;
 *              digitally-signed { hash, signature algorithm, opaque signature<0..2^16-1> } } SignedCertificateTimestamp;
 */
export function parseTimestampList(extension: Uint8Array): SignedCertificateTimestamp[] {
  const field = "the certificate's log timestamps";
  const value = new DerReader(extension, field);
  const outer = new TlsReader(value.octetString(), field);
  value.end();
  const list = new TlsReader(outer.opaque16(), field);
  outer.end();
  const found: SignedCertificateTimestamp[] = [];
  while (!list.done()) {
    if (found.length === MOST) throw new Malformed(`${field}: there are more than ${MOST}`);
    const one = new TlsReader(list.opaque16(), field);
    if (one.uint8() !== 0) throw new Malformed(`${field}: one is not of version 1`);
    const [logId, timestamp, extensions] = [one.bytes(32), one.uint64(), one.opaque16()];
    one.uint16();
    found.push({ logId, timestamp, extensions, signature: one.opaque16() });
    one.end();
  }
  return found;
}

/**
 * What a log signed for this certificate: its TBSCertificate without the timestamps, as the precertificate without its
 * poison was, and the key of who issued it.
 *
 *     digitally-signed struct { Version v1(0); SignatureType certificate_timestamp(0); uint64 timestamp;
 *       LogEntryType precert_entry(1); opaque issuer_key_hash[32]; TBSCertificate<1..2^24-1>; CtExtensions extensions; }
 *
 * RFC 6962, Section 3.2.
 */
export function timestampedBytes(
  { tbs }: Certificate,
  issuer: Certificate,
  { timestamp, extensions }: SignedCertificateTimestamp,
): Uint8Array {
  return new TlsWriter()
    .uint8(0)
    .uint8(0)
    .uint64(timestamp)
    .uint16(1)
    .bytes(digestOf("sha256", issuer.key.spki))
    .opaque24(withoutTimestamps(tbs))
    .opaque16(extensions)
    .finish();
}

/** Every part as it stands, byte for byte, but for the one extension and the lengths around it. */
function withoutTimestamps(tbs: Uint8Array): Uint8Array {
  const field = "the certificate";
  const fields = new DerReader(tbs, field).sequence();
  const parts: Uint8Array[] = [];
  while (!fields.done() && fields.tag() !== 0xa3) parts.push(fields.any());
  const list = fields.open(0xa3).sequence();
  const kept: Uint8Array[] = [];
  while (!list.done()) {
    const extension = list.any();
    if (new DerReader(extension, field).sequence().oid() !== SCT_LIST) kept.push(extension);
  }
  return der.sequence(...parts, der.explicit(3, der.sequence(...kept)));
}
