import type { SubjectAlternativeName } from "@chancery/x509";
import type { EntryFacts } from "./entry-facts.ts";

/** All names in the certificates of an entry's signers. */
export function sansOf({ signers }: EntryFacts): SubjectAlternativeName[] {
  return signers.flatMap(({ certificate }) => certificate?.sans ?? []);
}

/** The domain of an e-mail address, the host of a URI, a DNS name, and each domain above it; lower case. */
export function domainsOf({ type, value }: SubjectAlternativeName): string[] {
  const host = hostOf(type, value.toLowerCase());
  if (host === undefined || host === "" || host.length > MAX_DOMAIN_LENGTH) return [];
  const labels = host.split(".");
  // An address of digits and dots has no domain above it.
  if (labels.length > MAX_LABELS || /^[0-9.]+$/.test(host)) return [host];
  // A top-level domain alone tells nobody apart; a bare host name is all that there is of a name.
  const last = Math.max(1, labels.length - 1);
  return Array.from({ length: last }, (_, at) => labels.slice(at).join("."));
}

/** RFC 1035, Section 2.3.4. */
export const MAX_DOMAIN_LENGTH = 253;
/** A certificate of 64 kB has room for a name of 30,000 labels, each of which would be a key. */
const MAX_LABELS = 16;

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
