import type { SubjectAlternativeName } from "@chancery/x509";
import type { EntryFacts } from "./entry-facts.ts";

/** All names in the certificates of an entry's signers. */
export function sansOf({ signers }: EntryFacts): SubjectAlternativeName[] {
  return signers.flatMap(({ certificate }) => certificate?.sans ?? []);
}

/**
 * Whether a name's host is of the domain: the domain of an e-mail address, the host of a URI, or a DNS name. What is
 * longer than any host is of none, as it is not found by one.
 */
export function isOfDomain({ type, value }: SubjectAlternativeName, domain: string): boolean {
  const host = hostOf(type, value.toLowerCase());
  if (host === undefined || host === "" || host.length > MAX_DOMAIN_LENGTH) return false;
  return host === domain || (!isAddress(host) && host.endsWith(`.${domain}`));
}

/** Such domains that names are found by, lower case: all but top-level ones, by which nobody is told apart. */
export function domainsOf({ type, value }: SubjectAlternativeName): string[] {
  const host = hostOf(type, value.toLowerCase());
  if (host === undefined || host === "" || host.length > MAX_DOMAIN_LENGTH) return [];
  if (isAddress(host)) return [host];
  const domains: string[] = [];
  let labels = 1;
  for (let dot = host.lastIndexOf("."); dot >= 0; dot = dot === 0 ? -1 : host.lastIndexOf(".", dot - 1)) {
    // So many labels stand behind the dot.
    if (labels > 1 && labels <= MAX_LABELS) domains.push(host.slice(dot + 1));
    labels++;
  }
  domains.push(host);
  return domains;
}

/** Whether every name of the domain is found by it. */
export function isFoundByDomain(domain: string): boolean {
  const labels = domain.split(".").length;
  return labels > 1 && labels <= MAX_LABELS && domain.length <= MAX_DOMAIN_LENGTH;
}

/** RFC 1035, Section 2.3.4. */
export const MAX_DOMAIN_LENGTH = 253;
/** A certificate of 64 kB has room for a name of 30,000 labels, each of which would be a key. */
const MAX_LABELS = 16;

/** An address of digits and dots has no domain above it. */
function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host);
}

function hostOf(type: SubjectAlternativeName["type"], value: string): string | undefined {
  switch (type) {
    case "email":
      return value.slice(value.lastIndexOf("@") + 1);
    case "uri":
      return URL.parse(value)?.hostname.replace(/\.$/, "");
    case "dns":
      return value.replace(/^\*\./, "").replace(/\.$/, "");
    case "username":
      return value.includes("!") ? value.slice(value.lastIndexOf("!") + 1) : undefined;
    default:
      return undefined;
  }
}
