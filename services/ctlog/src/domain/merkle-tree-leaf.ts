import { concatBytes, TlsWriter } from "@chancery/encoding";
import { type Certificate, type CertificateEntry, sctSignedDataWriter } from "@chancery/x509";

/**
 * Empty in every SCT of this log. static-ct-api would put the leaf's index there, and sigstore-python
 * before 4.2 refuses an SCT with any extension; the index is to be had from get-proof-by-hash.
 */
export const NO_EXTENSIONS: Uint8Array = new Uint8Array();

/**
 *     struct {
 *         Version version;                          // v1(0)
 *         MerkleLeafType leaf_type;                 // timestamped_entry(0)
 *         struct {
 *             uint64 timestamp;
 *             LogEntryType entry_type;
 *             select (entry_type) { case x509_entry: ASN.1Cert; case precert_entry: PreCert; } signed_entry;
 *             CtExtensions extensions;
 *         } TimestampedEntry;
 *     } MerkleTreeLeaf;
 *
 * RFC 6962, Section 3.4. What an SCT signs (Section 3.2) has the same fields of the same widths, and where
 * the leaf has timestamped_entry(0) it has certificate_timestamp(0): for one entry the two are the same bytes.
 */
export function merkleTreeLeaf(timestamp: number, entry: CertificateEntry): TlsWriter {
  return sctSignedDataWriter(timestamp, NO_EXTENSIONS, entry);
}

/**
 * What `extra_data` of get-entries holds for a certificate. RFC 6962, Section 4.6: "the certificate chain".
 *
 *     ASN.1Cert certificate_chain<0..2^24-1>;
 */
export function encodeCertificateChain(authorities: readonly Certificate[]): Uint8Array {
  const certificates = authorities.map(({ der }) => new TlsWriter().opaque24(der).finish());
  return new TlsWriter().opaque24(concatBytes(...certificates)).finish();
}

/**
 * And for a precertificate, without which no one could check what the issuer signed. RFC 6962, Section 3.1. The second is
 * from {@link encodeCertificateChain}.
 *
 *     struct {
 *         ASN.1Cert pre_certificate;
 *         ASN.1Cert precertificate_chain<0..2^24-1>;
 *     } PrecertChainEntry;
 */
export function encodePrecertificateChain(precertificate: Uint8Array, certificateChain: Uint8Array): Uint8Array {
  return new TlsWriter().opaque24(precertificate).bytes(certificateChain).finish();
}
