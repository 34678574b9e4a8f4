import type { KeySet } from "@chancery/identity";
import type { CiMetadata } from "./ci-metadata.ts";
import type { IssuancePolicy } from "./policy/issuance-policy.ts";

/** Where an issuer's keys are. But for discovery, the issuer itself is never asked. */
export type KeyLocation =
  | { readonly type: "discovery" }
  | { readonly type: "uri"; readonly uri: string }
  /** Read again when it changes. */
  | { readonly type: "file"; readonly file: string }
  | { readonly type: "inline"; readonly keySet: KeySet };

/** What we authenticate with at an issuer that wants to know who asks. PEM, read for every request: it is renewed. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** How an issuer is reached. Absolute paths throughout. */
export interface IssuerConnection {
  /** By discovery if left out. */
  readonly keys?: KeyLocation | undefined;
  /** Milliseconds that keys outlive an issuer that cannot be asked; an hour if left out, of a file for ever. */
  readonly keepKeysFor?: number | undefined;
  /** PEM certificates trusted for this issuer's TLS, besides the system's. */
  readonly caCertificates?: string | undefined;
  /** The same in a file. */
  readonly caFile?: string | undefined;
  readonly clientCertificate?: ClientCertificate | undefined;
  /** A bearer token for discovery and keys: of a service account, where the API server tells nobody else. */
  readonly tokenFile?: string | undefined;
}

/** One issuer of the configuration, as read; `issuer-pool.ts` holds the rules. */
export interface IssuerSettings extends IssuerConnection {
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
  /** Rules on claims; without them every verified token gets a certificate, as upstream. */
  readonly policy?: IssuancePolicy | undefined;
}

/** The issuer that one token names: an exact one, or what a pattern matched. */
export interface ConcreteIssuer {
  /** Byte for byte the token's `iss`. */
  readonly url: string;
  readonly settings: IssuerSettings;
}
