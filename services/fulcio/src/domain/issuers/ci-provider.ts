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
      const subject = plainText(claims.subject, "sub");
      const extensions: { [name in FulcioExtensionName]?: string } = {};
      for (const [name, template] of metadata.extensions) {
        extensions[name] = plainText(renderTemplate(template, values, true), name);
      }
      const san = renderTemplate(metadata.subjectAlternativeName, values, false);
      return {
        name: subject,
        san: { type: "uri", value: canonicalUri(san, "the certificate's name") },
        // Last, so that no template speaks for the token's issuer or subject.
        extensions: { ...extensions, issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

/** A claim wins over the default of its name; numbers and booleans are written out, numbers without an exponent. */
function valuesOf(claims: VerifiedClaims, defaults: ReadonlyMap<string, string>): Values {
  return (name) => {
    const claim = claims.all[name];
    if (claim === undefined || claim === null) return defaults.get(name);
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
