import { Malformed } from "@chancery/fault";
import { claimText, plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { joinPath } from "../uri.ts";

const ORIGIN = "https://buildkite.com";

/** Buildkite, in upstream's older form: the pipeline and nothing about the build. The newer one is a ci-provider. */
export const buildkiteJob: IssuerType = {
  name: "buildkite-job",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const subject = plainText(claims.subject, "sub");
      return {
        name: subject,
        san: { type: "uri", value: joinPath(ORIGIN, slug(claims, "organization_slug"), slug(claims, "pipeline_slug")) },
        extensions: { issuer: claims.issuer, "token-subject": subject },
      };
    };
  },
};

/** One path segment; with a `/` or a `?` in it, an organization could name another's pipeline. */
function slug(claims: VerifiedClaims, name: string): string {
  const text = claimText(claims, name);
  if (/[/?#%]/.test(text)) throw new Malformed(`${name} claim is not a slug`);
  return text;
}
