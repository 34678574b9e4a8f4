import { issuerMatcher } from "@chancery/fulcio";

/** What `--federated-issuer` names: issuers, or patterns of them as the CA's configuration has them. */
export function federatedIssuers(named: readonly string[]): (issuer: string) => boolean {
  const matchers = named.map((url) => issuerMatcher(url));
  return (issuer) => matchers.some((isIt) => isIt(issuer));
}
