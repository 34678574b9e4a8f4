import type { CiMetadata } from "./ci-metadata.ts";
import type { IssuancePolicy } from "./policy/issuance-policy.ts";

/** One issuer of the configuration, as read; `issuer-pool.ts` holds the rules. */
export interface IssuerSettings {
  /** Where it stands in the configuration, for complaints: `oidc-issuers.https://…`. */
  readonly key: string;
  /** The issuer's URL, or for a meta issuer the pattern, in which `*` stands for one part. */
  readonly url: string;
  readonly isPattern: boolean;
  /** The one audience that tokens must have been made for. */
  readonly clientId: string;
  readonly type: string;
  readonly ciProvider?: string | undefined;
  /** What `ciProvider` names. */
  readonly ciMetadata?: CiMetadata | undefined;
  readonly issuerClaim?: string | undefined;
  readonly subjectDomain?: string | undefined;
  readonly spiffeTrustDomain?: string | undefined;
  readonly challengeClaim?: string | undefined;
  readonly skipEmailVerification: boolean;
  /** PEM certificates trusted for this issuer's TLS, besides the system's. */
  readonly caCertificates?: string | undefined;
  /** Rules on claims; without them every verified token gets a certificate, as upstream. */
  readonly policy?: IssuancePolicy | undefined;
}

/** The issuer that one token names: an exact one, or what a pattern matched. */
export interface ConcreteIssuer {
  /** Byte for byte the token's `iss`. */
  readonly url: string;
  readonly settings: IssuerSettings;
}
