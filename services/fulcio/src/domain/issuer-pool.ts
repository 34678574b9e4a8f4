import { Misconfigured, Unverified } from "@chancery/fault";
import { type ConcreteIssuer, type IssuerSettings } from "./issuer-settings.ts";
import type { ToPrincipal } from "./issuer-type.ts";
import { issuerType } from "./issuers/index.ts";
import { assertIssuerPattern, assertIssuerUrl, patternExpression } from "./issuer-url.ts";

/** An issuer that a token named and the configuration knows. */
export interface MatchedIssuer extends ConcreteIssuer {
  readonly toPrincipal: ToPrincipal;
}

/** Every issuer that may vouch for anyone. What it does not match is never asked anything. */
export class IssuerPool {
  readonly #exact = new Map<string, MatchedIssuer>();
  readonly #patterns: {
    readonly expression: RegExp;
    readonly settings: IssuerSettings;
    readonly toPrincipal: ToPrincipal;
  }[] = [];

  /** Misconfigured, with the key, unless every issuer can do its work. */
  constructor(issuers: readonly IssuerSettings[]) {
    if (issuers.length === 0)
      throw new Misconfigured("oidc-issuers", "no issuer is configured: nobody could get a certificate");
    for (const settings of issuers) this.#add(settings);
  }

  #add(settings: IssuerSettings): void {
    const { key, url, isPattern } = settings;
    if (settings.clientId === "") throw new Misconfigured(`${key}.client-id`, "is missing: tokens need an audience");
    if (isPattern) assertIssuerPattern(key, url);
    else assertIssuerUrl(key, url);
    if (settings.issuerClaim !== undefined && settings.type !== "email") {
      throw new Misconfigured(`${key}.issuer-claim`, "only email issuers can use it");
    }
    const toPrincipal = issuerType(settings).configure(settings);
    if (isPattern) this.#patterns.push({ expression: patternExpression(url), settings, toPrincipal });
    else this.#exact.set(url, { url, settings, toPrincipal });
  }

  /** Byte for byte, then the patterns in the order of the configuration. */
  match(issuer: string): MatchedIssuer {
    const exact = this.#exact.get(issuer);
    if (exact !== undefined) return exact;
    const pattern = this.#patterns.find(({ expression }) => expression.test(issuer));
    if (pattern === undefined) throw new Unverified("the token's issuer is not configured");
    return { url: issuer, settings: pattern.settings, toPrincipal: pattern.toPrincipal };
  }
}
