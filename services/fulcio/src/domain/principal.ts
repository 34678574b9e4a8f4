import type { FulcioExtensions, SubjectAlternativeName } from "@chancery/x509";

/** Who a verified token speaks for, as the certificate will say it. */
export interface Principal {
  /** What the client signs to prove that it holds the key: `email` or `sub`, whatever the SAN becomes. */
  readonly name: string;
  readonly san: SubjectAlternativeName;
  readonly extensions: FulcioExtensions;
}
