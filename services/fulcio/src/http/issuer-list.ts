import type { CurrentIssuers } from "../domain/current-issuers.ts";
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
  readonly #current: CurrentIssuers;
  #of: readonly IssuerSettings[] = [];
  #issuers: readonly OidcIssuer[] = [];

  constructor(current: CurrentIssuers) {
    this.#current = current;
  }

  get issuers(): readonly OidcIssuer[] {
    const { settings } = this.#current;
    if (settings !== this.#of) [this.#of, this.#issuers] = [settings, settings.map(toOidcIssuer)];
    return this.#issuers;
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
