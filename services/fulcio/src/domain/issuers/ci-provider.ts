import { Malformed, Misconfigured } from "@chancery/fault";
import type { FulcioExtensionName } from "@chancery/x509";
import { plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { renderTemplate, type Values } from "../template.ts";
import { canonicalUri } from "../uri.ts";

/** Any CI system, by the templates that the configuration gives for it. */
export const ciProvider: IssuerType = {
  name: "ci-provider",
  challengeClaim: "sub",

  configure({ key, ciProvider: provider, ciMetadata: metadata }) {
    if (provider === undefined) throw new Misconfigured(`${key}.ci-provider`, "a ci-provider issuer must name one");
    if (metadata === undefined) throw new Misconfigured(`${key}.ci-provider`, `ci-issuer-metadata has no ${provider}`);
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

/** As Go prints a null: GitLab's `ci_config_sha` is one where the definition is another project's. */
const NULL = "<nil>";

/**
 * A claim wins over the default of its name; numbers and booleans are written out, numbers without an exponent.
 * In a name a null is refused: two tenants without a value must not become one identity.
 */
function valuesOf(claims: VerifiedClaims, defaults: ReadonlyMap<string, string>, isName = false): Values {
  return (name) => {
    const claim = claims.all[name];
    if (claim === undefined) return defaults.get(name);
    if (claim === null && isName) throw new Malformed(`${name} claim is null`);
    if (claim === null) return NULL;
    if (typeof claim === "number") return decimal(claim, name);
    return typeof claim === "boolean" ? String(claim) : plainText(claim, name);
  };
}

function decimal(value: number, name: string): string {
  // Beyond 2^53 the number read is not the number written, and may be another project's.
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new Malformed(`${name} claim is a number too large to be exact`);
  const text = String(value);
  if (text.includes("e")) throw new Malformed(`${name} claim is a number too small to be written plainly`);
  return text;
}
