import { type Preset, type Templates, without } from "./preset.ts";

/*
 * GitHub Actions and its relatives. The claims are those of the documents named; the mapping is upstream's for
 * GitHub (fulcio: config/identity/config.yaml), carried over.
 */

/** docs.github.com, "OpenID Connect reference". */
function githubTemplates(url: string): Templates {
  return {
    defaults: { environment: "" },
    extensions: {
      "github-workflow-trigger": "event_name",
      "github-workflow-sha": "sha",
      "github-workflow-name": "workflow",
      "github-workflow-repository": "repository",
      "github-workflow-ref": "ref",
      "build-signer-uri": `${url}/{{ .job_workflow_ref }}`,
      "build-signer-digest": "job_workflow_sha",
      "runner-environment": "runner_environment",
      "source-repository-uri": `${url}/{{ .repository }}`,
      "source-repository-digest": "sha",
      "source-repository-ref": "ref",
      "source-repository-identifier": "repository_id",
      "source-repository-owner-uri": `${url}/{{ .repository_owner }}`,
      "source-repository-owner-identifier": "repository_owner_id",
      "build-config-uri": `${url}/{{ .workflow_ref }}`,
      "build-config-digest": "workflow_sha",
      "build-trigger": "event_name",
      "run-invocation-uri": `${url}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}`,
      "source-repository-visibility-at-signing": "repository_visibility",
      "deployment-environment": "environment",
    },
    subjectAlternativeName: `${url}/{{ .job_workflow_ref }}`,
  };
}

/**
 * forgejo.org/docs, "Actions | Security OpenID Connect". No reusable workflows of others, so the workflow is the
 * signer. Tokens of older versions have no IDs.
 */
function forgejoTemplates(url: string): Templates {
  return {
    defaults: { repository_id: "", repository_owner_id: "" },
    extensions: {
      "build-signer-uri": `${url}/{{ .workflow_ref }}`,
      "source-repository-uri": `${url}/{{ .repository }}`,
      "source-repository-digest": "sha",
      "source-repository-ref": "ref",
      "source-repository-identifier": "repository_id",
      "source-repository-owner-uri": `${url}/{{ .repository_owner }}`,
      "source-repository-owner-identifier": "repository_owner_id",
      "build-config-uri": `${url}/{{ .workflow_ref }}`,
      "build-trigger": "event_name",
      // The page of a run is under its number, not under its ID.
      "run-invocation-uri": `${url}/{{ .repository }}/actions/runs/{{ .run_number }}`,
    },
    subjectAlternativeName: `${url}/{{ .workflow_ref }}`,
  };
}

/** go-gitea/gitea, services/actions/oidc.go. `job_workflow_ref` is there for jobs of reusable workflows only. */
function giteaTemplates(url: string): Templates {
  const signer = `${url}/{{if .job_workflow_ref}}{{ .job_workflow_ref }}{{else}}{{ .workflow_ref }}{{end}}`;
  return {
    defaults: { job_workflow_ref: "", job_workflow_sha: "", workflow_sha: "", ref: "" },
    extensions: {
      "build-signer-uri": signer,
      "build-signer-digest": "{{if .job_workflow_sha}}{{ .job_workflow_sha }}{{else}}{{ .workflow_sha }}{{end}}",
      "runner-environment": "runner_environment",
      "source-repository-uri": `${url}/{{ .repository }}`,
      "source-repository-digest": "sha",
      "source-repository-ref": "ref",
      "source-repository-identifier": "repository_id",
      "source-repository-owner-uri": `${url}/{{ .repository_owner }}`,
      "source-repository-owner-identifier": "repository_owner_id",
      "build-config-uri": `${url}/{{ .workflow_ref }}`,
      "build-config-digest": "workflow_sha",
      "build-trigger": "event_name",
      "run-invocation-uri": `${url}/{{ .repository }}/actions/runs/{{ .run_number }}`,
      "source-repository-visibility-at-signing": "repository_visibility",
    },
    subjectAlternativeName: signer,
  };
}

/** A server's own address, or that of a tenant of ghe.com. */
function enterpriseInstance(issuer: string): string | undefined {
  const tenant = /^https:\/\/token\.actions\.([a-z0-9-]+\.ghe\.com)$/.exec(issuer)?.[1];
  return tenant === undefined ? without("/_services/token")(issuer) : `https://${tenant}`;
}

const settings = { type: "ci-provider" };

export const ACTIONS: readonly Preset[] = [
  {
    name: "github",
    description: "GitHub Actions of github.com",
    issuer: "https://token.actions.githubusercontent.com",
    settings,
    instance: () => "https://github.com",
    templates: githubTemplates,
  },
  {
    name: "github-enterprise",
    description: "GitHub Actions of a GitHub Enterprise Server or of ghe.com",
    issuer: "https://HOST/_services/token",
    settings,
    instance: enterpriseInstance,
    templates: githubTemplates,
  },
  {
    name: "forgejo",
    description: "Forgejo Actions",
    issuer: "https://HOST/api/actions",
    settings,
    instance: without("/api/actions"),
    templates: forgejoTemplates,
  },
  {
    name: "gitea",
    description: "Gitea Actions",
    issuer: "https://HOST/api/actions/oidc",
    settings,
    instance: without("/api/actions/oidc"),
    templates: giteaTemplates,
  },
];
