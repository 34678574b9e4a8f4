import type { IssuerSettings } from "../domain/issuer-settings.ts";
import { issuerType } from "../domain/issuers/index.ts";

/** One issuer as `GET /api/v2/configuration` shows it to clients; unset fields are written, as protojson does. */
interface OidcIssuer {
  readonly issuerUrl?: string;
  readonly wildcardIssuerUrl?: string;
  readonly audience: string;
  readonly challengeClaim: string;
  readonly spiffeTrustDomain: string;
  readonly issuerType: string;
  readonly subjectDomain: string;
  readonly skipEmailVerification: boolean;
}

export class IssuerList {
  readonly issuers: readonly OidcIssuer[];

  constructor(settings: readonly IssuerSettings[]) {
    this.issuers = settings.map(toOidcIssuer);
  }
}

function toOidcIssuer(settings: IssuerSettings): OidcIssuer {
  return {
    ...(settings.isPattern ? { wildcardIssuerUrl: settings.url } : { issuerUrl: settings.url }),
    audience: settings.clientId,
    challengeClaim: settings.challengeClaim ?? issuerType(settings).challengeClaim,
    spiffeTrustDomain: settings.spiffeTrustDomain ?? "",
    issuerType: settings.type,
    subjectDomain: settings.subjectDomain ?? "",
    skipEmailVerification: settings.skipEmailVerification,
  };
}
