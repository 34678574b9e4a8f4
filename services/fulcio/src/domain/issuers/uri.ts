import { type Fault, Malformed, Misconfigured } from "@chancery/fault";
import { plainText } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { assertSameOrganization, hostOf } from "../subject-domain.ts";
import { parseUri, type UriParts } from "../uri.ts";
import { isEmailAddress } from "./email.ts";

/** Subjects that are URIs under a domain of the issuer's organization. */
export const uri: IssuerType = {
  name: "uri",
  challengeClaim: "sub",

  configure({ key, url, subjectDomain }) {
    const domain = parseSubjectDomain(`${key}.subject-domain`, subjectDomain);
    if (!url.startsWith(`${domain.scheme}://`)) {
      throw new Misconfigured(`${key}.subject-domain`, "its scheme is not that of the issuer");
    }
    assertSameOrganization(`${key}.subject-domain`, domain.host, hostOf(url));
    return (claims) => {
      const subject = plainText(claims.subject, "sub");
      if (isEmailAddress(subject)) throw new Malformed("uri subject should not be an email address");
      const { scheme, host } = parseUri(subject, "sub claim");
      if (scheme !== domain.scheme) throw new Malformed("subject URI scheme must match expected domain URI scheme");
      if (host !== domain.host) throw new Malformed("subject hostname must match expected domain");
      return {
        name: subject,
        san: { type: "uri", value: subject },
        extensions: { issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

function parseSubjectDomain(key: string, domain: string | undefined): UriParts {
  if (domain === undefined) throw new Misconfigured(key, "a uri issuer must have one");
  try {
    return parseUri(domain, "it");
  } catch (cause) {
    throw new Misconfigured(key, `must contain scheme and host: ${(cause as Fault).message}`, { cause });
  }
}
