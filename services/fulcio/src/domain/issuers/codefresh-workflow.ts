import { Malformed } from "@chancery/fault";
import type { FulcioExtensions } from "@chancery/x509";
import { claimText, optionalClaimText, plainText } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { joinPath, parseUri } from "../uri.ts";

/** Where Codefresh is unless the token says otherwise: it also runs on its customers' premises. */
const PLATFORM = "https://g.codefresh.io";

/** Codefresh. Account and pipeline stand in the name with their IDs, because their names can be changed. */
export const codefreshWorkflow: IssuerType = {
  name: "codefresh-workflow",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const claim = (name: string) => claimText(claims, name);
      const optional = (name: string) => optionalClaimText(claims, name) ?? "";
      const subject = plainText(claims.subject, "sub");
      const platform = platformOf(optional("platform_url"));
      const build = joinPath(platform, "build", claim("workflow_id"));
      const pipeline = claim("pipeline_id");
      const pipelineName = `${claim("pipeline_name")}:${claim("account_id")}`;
      const extensions: FulcioExtensions = {
        issuer: claims.issuer,
        "build-signer-uri": build,
        "runner-environment": optional("runner_environment"),
        "source-repository-uri": optional("scm_repo_url"),
        "source-repository-ref": optional("scm_ref"),
        "build-config-uri": joinPath(platform, "api/pipelines", pipeline),
        "run-invocation-uri": build,
        "token-subject": subject,
      };
      const san = joinPath(platform, claim("account_name"), pipelineName, pipeline);
      return { name: subject, san: { type: "uri", value: san }, extensions };
    };
  },
};

function platformOf(claim: string): string {
  if (claim === "") return PLATFORM;
  const { scheme } = parseUri(claim, "platform_url claim");
  if (scheme !== "https" || /[?#%]/.test(claim)) throw new Malformed("platform_url claim is not a plain https URL");
  const [, origin = "", path = ""] = /^(https:\/\/[^/]+)\/?(.*?)\/?$/.exec(claim) ?? [];
  return path === "" ? origin : joinPath(origin, path);
}
