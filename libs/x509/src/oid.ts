/** Every object identifier Chancery's certificates use, once. */
export const OID = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",

  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAlternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",

  /** PKCS #9, RFC 2985, Section 5.4.2. */
  extensionRequest: "1.2.840.113549.1.9.14",

  anyExtendedKeyUsage: "2.5.29.37.0",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  timeStamping: "1.3.6.1.5.5.7.3.8",

  /** RFC 6962, Section 3.1. */
  precertificatePoison: "1.3.6.1.4.1.11129.2.4.3",
  /** RFC 6962, Section 3.3. */
  sctList: "1.3.6.1.4.1.11129.2.4.2",

  /** The otherName type of a user name in a Fulcio certificate. */
  fulcioUsername: "1.3.6.1.4.1.57264.1.7",

  rsaEncryption: "1.2.840.113549.1.1.1",
  rsaPss: "1.2.840.113549.1.1.10",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  sha384WithRsa: "1.2.840.113549.1.1.12",
  sha512WithRsa: "1.2.840.113549.1.1.13",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  ecdsaWithSha512: "1.2.840.10045.4.3.4",
  ed25519: "1.3.101.112",
} as const;
