import { Malformed, Misconfigured } from "@chancery/fault";

/**
 * Upstream's rule for issuers that name subjects under a domain: the domain and the issuer's host are
 * equal, or share their last two labels. It keeps one tenant's issuer from vouching for another's
 * names. It knows no public suffixes: under co.uk everyone is one organization.
 */
export function assertSameOrganization(key: string, domain: string, issuerHost: string): void {
  if (domain === issuerHost) return;
  const [own, other] = [domain.split("."), issuerHost.split(".")];
  if (own.length < 2 || other.length < 2) throw new Misconfigured(key, "a host name of one label matches only itself");
  if (own.slice(-2).join(".") !== other.slice(-2).join(".")) {
    throw new Misconfigured(key, "its top-level and second-level domains are not those of the issuer's host");
  }
}

/** The host of an issuer's URL or pattern, without the port. */
export function hostOf(url: string): string {
  const host = /^https?:\/\/(\[[^\]]+\]|[^/:]+)/.exec(url)?.[1];
  if (host === undefined) throw new Malformed("issuer URL has no host");
  return host;
}
