import { getCACertificates } from "node:tls";

/** What TLS to an issuer may chain to: the system's authorities and, if there are any, the issuer's own. */
export function trustedAuthorities(own: readonly string[]): string[] | undefined {
  return own.length === 0 ? undefined : [...getCACertificates("default"), ...own];
}
