import { Malformed, Misconfigured } from "@chancery/fault";
import { plainText } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { assertSameOrganization, hostOf } from "../subject-domain.ts";

/** People or machines with names of the issuer's own. The certificate says `sub!subject-domain`; the client signs `sub`. */
export const username: IssuerType = {
  name: "username",
  challengeClaim: "sub",

  configure({ key, url, subjectDomain }) {
    if (subjectDomain === undefined)
      throw new Misconfigured(`${key}.subject-domain`, "a username issuer must have one");
    if (subjectDomain.includes(":")) {
      throw new Misconfigured(`${key}.subject-domain`, "for usernames it is a domain, without a scheme");
    }
    if (!/^[A-Za-z0-9._-]+$/.test(subjectDomain)) throw new Misconfigured(`${key}.subject-domain`, "is not a domain");
    assertSameOrganization(`${key}.subject-domain`, subjectDomain, hostOf(url));
    return (claims) => {
      const name = plainText(claims.subject, "sub");
      if (name.includes("!")) throw new Malformed("username cannot contain ! character");
      // An address would be read as an email identity that nobody verified.
      if (name.includes("@")) throw new Malformed("username should not be an email address");
      return {
        name,
        san: { type: "username", value: `${name}!${subjectDomain}` },
        extensions: { issuer: claims.issuer, "token-subject": name },
      };
    };
  },
};
