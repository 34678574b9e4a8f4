import { Malformed, Misconfigured } from "@chancery/fault";
import type { IssuerType } from "../issuer-type.ts";

/** Workloads of one SPIFFE trust domain. */
export const spiffe: IssuerType = {
  name: "spiffe",
  challengeClaim: "sub",

  configure({ key, isPattern, spiffeTrustDomain }) {
    // Many issuers would speak for one trust domain; upstream refuses it for the same reason.
    if (isPattern) throw new Misconfigured(`${key}.type`, "SPIFFE meta issuers are not supported");
    if (spiffeTrustDomain === undefined) {
      throw new Misconfigured(`${key}.spiffe-trust-domain`, "a spiffe issuer must have one");
    }
    const trustDomain = parseTrustDomain(spiffeTrustDomain);
    if (trustDomain === undefined) throw new Misconfigured(`${key}.spiffe-trust-domain`, "is not a trust domain");
    return (claims) => {
      const id = claims.subject;
      const [, domain] = SPIFFE_ID.exec(id) ?? [];
      if (domain === undefined || id.length > MAX_ID_CHARACTERS) throw new Malformed("invalid spiffe ID provided");
      if (domain !== trustDomain) {
        throw new Malformed("spiffe ID trust domain doesn't match configured trust domain");
      }
      return {
        name: id,
        san: { type: "uri", value: id },
        extensions: { issuer: claims.issuer, "token-subject": id },
      };
    };
  },
};

/** SPIFFE-ID, Section 2.3. */
const MAX_ID_CHARACTERS = 2048;

// SPIFFE-ID, Sections 2.1 and 2.2: lower-case trust domain, no port or userinfo; segments of letters, digits, dots,
// dashes and underscores, none empty, none `.` or `..`, no trailing slash.
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;

/** Upstream takes the bare name and any ID under it. */
function parseTrustDomain(text: string): string | undefined {
  return SPIFFE_ID.exec(text.includes("://") ? text : `spiffe://${text}`)?.[1];
}
