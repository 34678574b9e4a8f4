import type { Preset, Templates } from "./preset.ts";

/** docs.gitlab.com, "ID token authentication"; upstream's mapping. */
function gitlabTemplates(url: string): Templates {
  return {
    defaults: { environment: "" },
    extensions: {
      "build-signer-uri": "https://{{ .ci_config_ref_uri }}",
      "build-signer-digest": "ci_config_sha",
      "runner-environment": "runner_environment",
      "source-repository-uri": `${url}/{{ .project_path }}`,
      "source-repository-digest": "sha",
      "source-repository-ref": 'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
      "source-repository-identifier": "project_id",
      "source-repository-owner-uri": `${url}/{{ .namespace_path }}`,
      "source-repository-owner-identifier": "namespace_id",
      "build-config-uri": "https://{{ .ci_config_ref_uri }}",
      "build-config-digest": "ci_config_sha",
      "build-trigger": "pipeline_source",
      "run-invocation-uri": `${url}/{{ .project_path }}/-/jobs/{{ .job_id }}`,
      "source-repository-visibility-at-signing": "project_visibility",
      "deployment-environment": "environment",
    },
    subjectAlternativeName: "https://{{ .ci_config_ref_uri }}",
  };
}

/** buildkite.com/docs, "buildkite-agent oidc"; upstream's mapping. */
function buildkiteTemplates(url: string): Templates {
  const pipeline = `${url}/{{.organization_slug}}/{{.pipeline_slug}}`;
  return {
    extensions: {
      "run-invocation-uri": `${pipeline}/builds/{{.build_number}}#{{.job_id}}`,
      "runner-environment": "runner_environment",
      "source-repository-digest": "build_commit",
      "build-trigger": "build_source",
    },
    subjectAlternativeName: pipeline,
  };
}

const claim = (name: string) => `{{(index . "oidc.circleci.com/${name}")}}`;

/** circleci.com/docs, "OpenID Connect tokens"; upstream's mapping, two slashes and the quotation marks included. */
function circleciTemplates(): Templates {
  const [api, app] = ["https://circleci.com/api/v2", "https://app.circleci.com/"];
  const definition = `${api}/projects/${claim("project-id")}/pipeline-definitions/${claim("pipeline-definition-id")}`;
  return {
    extensions: {
      "build-config-uri": `${api}/pipeline/${claim("pipeline-id")}/config`,
      "build-signer-uri": definition,
      "run-invocation-uri": `${app}/workflow/${claim("workflow-id")}/job/${claim("job-id")}`,
      "runner-environment": '{{if eq (index . "oidc.circleci.com/ssh-rerun") "true"}}ssh-rerun{{ else }}""{{end}}',
      "source-repository-ref": claim("vcs-ref"),
      "source-repository-uri": claim("vcs-origin"),
    },
    subjectAlternativeName: definition,
  };
}

/** plugins.jenkins.io/oidc-provider, with its default claims: `sub` is the job's URL. */
function jenkinsTemplates(): Templates {
  return {
    extensions: {
      "build-signer-uri": "{{ .sub }}",
      "build-config-uri": "{{ .sub }}",
      "run-invocation-uri": "{{ .sub }}{{ .build_number }}/",
    },
    subjectAlternativeName: "{{ .sub }}",
  };
}

/**
 * learn.microsoft.com, "Oidctoken - Create", and a token shown in sigstore/fulcio#1803. Named by IDs: a project or a
 * pipeline can be renamed, and another take its name.
 */
function azureTemplates(url: string): Templates {
  const definition = `${url}/{{ .prj_id }}/_build?definitionId={{ .def_id }}`;
  return {
    defaults: { rpo_id: "", rpo_uri: "", rpo_ver: "", rpo_ref: "" },
    extensions: {
      "build-signer-uri": definition,
      "source-repository-uri": "rpo_uri",
      "source-repository-digest": "rpo_ver",
      "source-repository-ref": "rpo_ref",
      "source-repository-identifier": "rpo_id",
      "source-repository-owner-uri": `{{"${url}"}}`,
      "source-repository-owner-identifier": "org_id",
      "build-config-uri": definition,
      "run-invocation-uri": `${url}/{{ .prj_id }}/_build/results?buildId={{ .run_id }}`,
    },
    subjectAlternativeName: definition,
  };
}

const settings = { type: "ci-provider" };

export const PIPELINES: readonly Preset[] = [
  {
    name: "gitlab",
    description: "GitLab CI of gitlab.com",
    issuer: "https://gitlab.com",
    settings,
    instance: () => "https://gitlab.com",
    templates: gitlabTemplates,
  },
  {
    name: "gitlab-self-managed",
    description: "GitLab CI of a GitLab of one's own",
    issuer: "https://HOST",
    settings,
    instance: (issuer) => issuer,
    templates: gitlabTemplates,
  },
  {
    name: "buildkite",
    description: "Buildkite jobs",
    issuer: "https://agent.buildkite.com",
    settings,
    instance: () => "https://buildkite.com",
    templates: buildkiteTemplates,
  },
  {
    name: "circleci",
    description: "CircleCI jobs of one organization",
    issuer: "https://oidc.circleci.com/org/ORGANIZATION-ID",
    settings,
    instance: () => "https://app.circleci.com",
    templates: circleciTemplates,
  },
  {
    name: "jenkins",
    description: "Jenkins builds, by the plugin oidc-provider",
    issuer: "https://HOST/oidc",
    settings,
    // Its templates need none.
    instance: (issuer) => issuer,
    templates: jenkinsTemplates,
  },
  {
    name: "azure-devops",
    description: "Azure Pipelines of one organization; url is https://dev.azure.com/ORGANIZATION",
    issuer: "https://vstoken.dev.azure.com/ORGANIZATION-ID",
    settings,
    clientId: "api://AzureADTokenExchange",
    instance: () => undefined,
    templates: azureTemplates,
  },
];
