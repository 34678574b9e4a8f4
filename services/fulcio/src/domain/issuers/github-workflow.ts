import { claimText, plainText } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { joinPath } from "../uri.ts";

const ORIGIN = "https://github.com";

/** GitHub Actions. Each of the sixteen claims MUST be in the token. */
export const githubWorkflow: IssuerType = {
  name: "github-workflow",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const claim = (name: string) => claimText(claims, name);
      const subject = plainText(claims.subject, "sub");
      const repository = claim("repository");
      const buildSigner = joinPath(ORIGIN, claim("job_workflow_ref"));
      const run = [claim("run_id"), "attempts", claim("run_attempt")];
      return {
        name: subject,
        san: { type: "uri", value: buildSigner },
        extensions: {
          issuer: claims.issuer,
          "github-workflow-trigger": claim("event_name"),
          "github-workflow-sha": claim("sha"),
          "github-workflow-name": claim("workflow"),
          "github-workflow-repository": repository,
          "github-workflow-ref": claim("ref"),
          "build-signer-uri": buildSigner,
          "build-signer-digest": claim("job_workflow_sha"),
          "runner-environment": claim("runner_environment"),
          "source-repository-uri": joinPath(ORIGIN, repository),
          "source-repository-digest": claim("sha"),
          "source-repository-ref": claim("ref"),
          "source-repository-identifier": claim("repository_id"),
          "source-repository-owner-uri": joinPath(ORIGIN, claim("repository_owner")),
          "source-repository-owner-identifier": claim("repository_owner_id"),
          "build-config-uri": joinPath(ORIGIN, claim("workflow_ref")),
          "build-config-digest": claim("workflow_sha"),
          "build-trigger": claim("event_name"),
          "run-invocation-uri": joinPath(ORIGIN, repository, "actions/runs", ...run),
          "source-repository-visibility-at-signing": claim("repository_visibility"),
          "token-subject": subject,
        },
      };
    };
  },
};
