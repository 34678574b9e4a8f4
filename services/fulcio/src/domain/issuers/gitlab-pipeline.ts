import { Malformed } from "@chancery/fault";
import { claimText, optionalClaimText, plainText, type VerifiedClaims } from "../claims.ts";
import type { IssuerType } from "../issuer-type.ts";
import { canonicalUri, joinPath } from "../uri.ts";

const ORIGIN = "https://gitlab.com";

/** GitLab CI of gitlab.com; a GitLab of one's own is a ci-provider. */
export const gitlabPipeline: IssuerType = {
  name: "gitlab-pipeline",
  challengeClaim: "sub",

  configure() {
    return (claims) => {
      const claim = (name: string) => claimText(claims, name);
      const subject = plainText(claims.subject, "sub");
      assertRunner(claims);
      claim("pipeline_id");
      const project = claim("project_path");
      // `gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main`: a URI without its scheme, and with a `//` inside.
      const config = canonicalUri(`https://${claim("ci_config_ref_uri")}`, "ci_config_ref_uri claim");
      return {
        name: subject,
        san: { type: "uri", value: config },
        extensions: {
          issuer: claims.issuer,
          "build-signer-uri": config,
          ...present("build-signer-digest", optionalClaimText(claims, "ci_config_sha")),
          "runner-environment": claim("runner_environment"),
          "source-repository-uri": joinPath(ORIGIN, project),
          "source-repository-digest": claim("sha"),
          "source-repository-ref": `${refPrefix(claim("ref_type"))}${claim("ref")}`,
          "source-repository-identifier": claim("project_id"),
          "source-repository-owner-uri": joinPath(ORIGIN, claim("namespace_path")),
          "source-repository-owner-identifier": claim("namespace_id"),
          "build-config-uri": config,
          ...present("build-config-digest", optionalClaimText(claims, "ci_config_sha")),
          "build-trigger": claim("pipeline_source"),
          "run-invocation-uri": joinPath(ORIGIN, project, "-/jobs", claim("job_id")),
          ...present("source-repository-visibility-at-signing", optionalClaimText(claims, "project_visibility")),
          "token-subject": subject,
        },
      };
    };
  },
};

function refPrefix(type: string): string {
  if (type === "branch") return "refs/heads/";
  if (type === "tag") return "refs/tags/";
  throw new Malformed("unexpected ref_type claim in ID token");
}

function assertRunner(claims: VerifiedClaims): void {
  const runner = claims.all["runner_id"];
  if (runner === undefined || runner === 0) throw new Malformed("missing runner_id claim in ID token");
  if (!Number.isSafeInteger(runner)) throw new Malformed("runner_id claim is not an integer");
}

function present<Name extends string>(name: Name, value: string | undefined): Partial<Record<Name, string>> {
  return value === undefined ? {} : ({ [name]: value } as Record<Name, string>);
}
