import type { FulcioExtensions, SubjectAlternativeName } from "@chancery/x509";

/** Who a verified token speaks for, as the certificate will say it. */
export interface Principal {
  /** What the client signs to prove that it holds the key: `email` or `sub`, whatever the SAN becomes. */
  readonly name: string;
  readonly san: SubjectAlternativeName;
  readonly extensions: FulcioExtensions;
}

/** The claim of the token that the name is, for who signed another. */
export function challengeClaim({ name, extensions }: Principal): "email" | "sub" {
  return name === extensions["token-subject"] ? "sub" : "email";
}
