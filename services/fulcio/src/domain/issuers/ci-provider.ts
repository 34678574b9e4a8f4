import { Malformed, Misconfigured } from "@chancery/fault";
import type { FulcioExtensionName } from "@chancery/x509";
import { plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { printClaim } from "../printed-claim.ts";
import { renderTemplate, type Values } from "../template.ts";
import { canonicalUri } from "../uri.ts";

/** Any CI system, by the templates that the configuration gives for it. */
export const ciProvider: IssuerType = {
  name: "ci-provider",
  challengeClaim: "sub",

  configure({ key, ciProvider: provider, ciMetadata: metadata }) {
    if (provider === undefined) throw new Misconfigured(`${key}.ci-provider`, "a ci-provider issuer must name one");
    if (metadata === undefined)
      throw new Misconfigured(`${key}.ci-provider`, `the metadata of CI issuers has no ${provider}`);
    return (claims) => {
      const values = valuesOf(claims, metadata.defaults);
      const named = valuesOf(claims, metadata.defaults, true);
      const subject = plainText(claims.subject, "sub");
      const extensions: { [name in FulcioExtensionName]?: string } = {};
      for (const [name, template] of metadata.extensions) {
        extensions[name] = plainText(renderTemplate(template, values, true), name);
      }
      const san = renderTemplate(metadata.subjectAlternativeName, named, false);
      return {
        name: subject,
        san: { type: "uri", value: canonicalUri(san, "the certificate's name") },
        // Last, so that no template speaks for the token's issuer or subject.
        extensions: { ...extensions, issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

/**
 * A claim wins over the default of its name; numbers and booleans are written out, numbers without an exponent, lists and
 * objects as Go prints them. In a name null, lists and objects are refused: two tenants without a value, or with values
 * that are printed alike, must not become one identity.
 */
function valuesOf(claims: VerifiedClaims, defaults: ReadonlyMap<string, string>, isName = false): Values {
  return (name) => {
    const claim = claims.all[name];
    if (claim === undefined) return defaults.get(name);
    if (typeof claim === "string") return plainText(claim, name);
    if (isName && typeof claim === "object") {
      throw new Malformed(`${name} claim is ${claim === null ? "null" : "a list or an object"}`);
    }
    return plainText(printClaim(claim, name), name);
  };
}
