/** RFC 3161, RFC 5652, RFC 5035 and the SHA-2 identifiers. */
export const OID = {
  signedData: "1.2.840.113549.1.7.2",
  timestampInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
} as const;

/** Sigstore's own arc for timestamp policies. */
export const DEFAULT_POLICY = "1.3.6.1.4.1.57264.2";

/** TSAPolicyId ::= OBJECT IDENTIFIER, dotted, as in configuration and JSON requests. */
export function isPolicy(text: string): boolean {
  return /^([01]\.[123]?\d|2\.(0|[1-9]\d{0,9}))(\.(0|[1-9]\d{0,9})){0,30}$/.test(text);
}
