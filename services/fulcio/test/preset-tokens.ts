import type { JsonValue } from "@chancery/encoding";

export interface PresetToken {
  readonly preset: string;
  readonly issuer: string;
  /** What the issuer's entry has besides `preset`. */
  readonly entry: Readonly<Record<string, string>>;
  /** As the issuer's documentation shows it, or as one was seen in public; names and numbers are changed. */
  readonly claims: Readonly<Record<string, JsonValue>> & { readonly sub: string };
}

const times = { iat: 1_790_000_000, nbf: 1_790_000_000, exp: 1_790_000_300 };
const entry = { "client-id": "sigstore" };

/** docs.github.com, "OpenID Connect reference". All values are strings. */
const github = {
  ...times,
  jti: "6fbebfe3-9eb4-4028-a592-5422768b53bc",
  sub: "repo:octo-org/octo-repo:environment:prod",
  environment: "prod",
  aud: "sigstore",
  ref: "refs/heads/main",
  ref_protected: "true",
  ref_type: "branch",
  sha: "796a6cfb48152b077701fced55d480bf1d90e1e2",
  repository: "octo-org/octo-repo",
  repository_owner: "octo-org",
  repository_id: "74",
  repository_owner_id: "65",
  repository_visibility: "private",
  actor: "octocat",
  actor_id: "12",
  run_id: "1959414638",
  run_number: "10",
  run_attempt: "2",
  runner_environment: "github-hosted",
  workflow: "Example workflow",
  workflow_ref: "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
  workflow_sha: "1e2796a6cfb48152b077701fced55d480bf1d90e",
  job_workflow_ref: "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
  job_workflow_sha: "f90e1e2796a6cfb48152b077701fced55d480bf1",
  head_ref: "",
  base_ref: "",
  event_name: "workflow_dispatch",
};

/** docs.gitlab.com, "ID token authentication". IDs are strings but for the runner's. */
const gitlab = {
  ...times,
  jti: "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
  sub: "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1",
  aud: "sigstore",
  namespace_id: "72",
  namespace_path: "my-group",
  project_id: "20",
  project_path: "my-group/my-project",
  user_id: "1",
  user_login: "sample-user",
  user_email: "sample-user@example.com",
  user_access_level: "developer",
  user_identities: [{ provider: "github", extern_uid: "2435223452345" }],
  pipeline_id: "574",
  pipeline_source: "push",
  job_id: "302",
  job_namespace_id: "72",
  job_project_id: "20",
  ref: "feature-branch-1",
  ref_type: "branch",
  ref_path: "refs/heads/feature-branch-1",
  ref_protected: "false",
  groups_direct: ["my-group"],
  environment: "test-environment2",
  environment_protected: "false",
  deployment_tier: "testing",
  environment_action: "start",
  runner_id: 1,
  runner_environment: "self-hosted",
  sha: "714a629c0b401fdce83e847fc9589983fc6f46bc",
  project_visibility: "public",
  ci_config_ref_uri: "gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
  ci_config_sha: "714a629c0b401fdce83e847fc9589983fc6f46bc",
};

/** forgejo.org/docs, "Actions | Security OpenID Connect". */
const forgejo = {
  ...times,
  actor: "user1",
  aud: "sigstore",
  event_name: "push",
  ref: "refs/heads/main",
  ref_protected: "false",
  ref_type: "branch",
  repository: "user1/testing",
  repository_owner: "user1",
  run_attempt: "1",
  run_id: "431",
  run_number: "43",
  sha: "76cb2978acb72029ac23277a6192eea1707c6a2c",
  sub: "repo:user1/testing:ref:refs/heads/main",
  workflow: "test.yml",
  workflow_ref: "user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
};

/** go-gitea/gitea, services/actions/oidc.go: a list for the audience, IDs as strings, the subject by IDs. */
const gitea = {
  ...times,
  jti: "0f7de5a0-32a9-4c2f-9f3c-0a8c0f6a9d11",
  sub: "repo:7/19:ref:refs/heads/main",
  aud: ["sigstore"],
  actor: "dev",
  actor_id: "3",
  repository: "acme/app",
  repository_id: "19",
  repository_owner: "acme",
  repository_owner_id: "7",
  run_id: "1204",
  run_number: "88",
  run_attempt: "1",
  workflow: "release",
  workflow_repository: "acme/app",
  workflow_repository_id: "19",
  workflow_ref: "acme/app/.gitea/workflows/release.yaml@refs/heads/main",
  workflow_sha: "5be1f0b1c9f1d2b3a4958677685746352413021f",
  repository_visibility: "private",
  event_name: "push",
  ref: "refs/heads/main",
  ref_type: "branch",
  sha: "5be1f0b1c9f1d2b3a4958677685746352413021f",
  job_id: "sign",
  runner_environment: "self-hosted",
};

/** buildkite.com/docs, "buildkite-agent oidc": the build's number is one. */
const buildkite = {
  ...times,
  sub: "organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:build",
  aud: "sigstore",
  organization_id: "0184990a-477b-4fa8-9968-496074483k77",
  organization_slug: "acme-inc",
  pipeline_id: "0184990a-4782-42b5-afc1-16715b10b8ff",
  pipeline_slug: "super-duper-app",
  build_number: 1,
  build_branch: "main",
  build_tag: null,
  build_commit: "9f3182061f1e2cca4702c368cbc039b7dc9d4485",
  build_source: "ui",
  step_key: "build",
  job_id: "0184990a-477b-4fa8-9968-496074483cee",
  agent_id: "0184990a-4782-42b5-afc1-16715b10b8ff",
  runner_environment: "buildkite-hosted",
};

/** circleci.com/docs, "OpenID Connect tokens". */
const circleci = {
  ...times,
  aud: "sigstore",
  sub: "org/15d9afb0-7f1a-4b3e-9d27-6a64b1a3a0aa/project/c8f6a2e0-1b1c-4c44-9f59-7d1c36d4f1bb/user/3ab3d6ab-7b9e-4aa7-8b3a-5a9b1f0a92cc",
  "oidc.circleci.com/project-id": "c8f6a2e0-1b1c-4c44-9f59-7d1c36d4f1bb",
  "oidc.circleci.com/context-ids": ["0d5a7c5f-1c43-4c55-8a85-90a1b1b7e6dd"],
  "oidc.circleci.com/org-id": "15d9afb0-7f1a-4b3e-9d27-6a64b1a3a0aa",
  "oidc.circleci.com/pipeline-definition-id": "6b9a2c11-9b8d-4f8f-8f07-4ad7ba9b58ee",
  "oidc.circleci.com/pipeline-id": "93a6d1a9-4b3b-4f5e-8a5d-0a4c7a6f30ff",
  "oidc.circleci.com/workflow-id": "b2a3b8d1-7a55-4f93-8a3e-1f64d0b5c011",
  "oidc.circleci.com/job-id": "f2b7c3a9-0c9e-4f0e-9c2d-2f75e1c6d122",
  "oidc.circleci.com/ssh-rerun": false,
  "oidc.circleci.com/vcs-origin": "github.com/acme/app",
  "oidc.circleci.com/vcs-ref": "refs/heads/main",
};

/** jenkinsci/oidc-provider-plugin with its default claim templates; no `nbf`. */
const jenkins = {
  iat: times.iat,
  exp: times.exp,
  aud: "sigstore",
  sub: "https://jenkins.example.com/job/team/job/app/job/main/",
  build_number: 42,
};

/** A token shown in sigstore/fulcio#1803. */
const azure = {
  ...times,
  jti: "5a3a5f52-1de8-4f0f-9d6d-4b64d2f3a001",
  sub: "p://acme/payments/payments-release",
  aud: "api://AzureADTokenExchange",
  org_id: "f1f3c2a4-8f5a-4f7c-9d5e-77a3a1a0b002",
  prj_id: "0b6f8e2d-52b3-4f41-9a9c-6f1d3c2e4003",
  def_id: "17",
  rpo_id: "c3d2b1a0-1234-4a5b-8c6d-9e8f7a6b5004",
  rpo_uri: "https://dev.azure.com/acme/payments/_git/payments",
  rpo_ver: "4f2d1c0b9a8f7e6d5c4b3a291807f6e5d4c3b2a1",
  rpo_ref: "refs/heads/main",
  run_id: "2217",
};

/** kubernetes.io/docs, "Managing Service Accounts": a projected token. */
const kubernetes = {
  ...times,
  aud: ["sigstore"],
  jti: "aed34954-b33a-4142-b1ec-389d6bbb4936",
  sub: "system:serviceaccount:ci:signer",
  "kubernetes.io": {
    namespace: "ci",
    node: { name: "worker-1", uid: "58456cb0-dd00-45ed-b797-5578fdceaced" },
    pod: { name: "build-7xk2p", uid: "778a530c-b3f4-47c0-9cd5-ab018fb64f33" },
    serviceaccount: { name: "signer", uid: "a087d5a0-e1dd-43ec-93ac-f13d89cd13af" },
    warnafter: 1_790_000_200,
  },
};

/** Keycloak: an ID token of the authorization code flow. */
const keycloak = {
  iat: times.iat,
  exp: times.exp,
  auth_time: times.iat,
  jti: "onrtac:5e0c0c0e-8a1f-4b9e-a1de-2f5a34a5d005",
  aud: "sigstore",
  sub: "f4b7e1a2-6c5d-4e3f-8a9b-0c1d2e3f4006",
  typ: "ID",
  azp: "sigstore",
  sid: "0c2f6d4b-9e8a-4c7d-b5f3-1a2b3c4d5007",
  at_hash: "x4Hk2mQ0pYw1zR8sT6uV9g",
  acr: "1",
  email_verified: true,
  name: "Dev Eloper",
  preferred_username: "dev",
  given_name: "Dev",
  family_name: "Eloper",
  email: "dev@example.com",
};

/** dexidp.io/docs, with the scope `federated:id`. */
const dex = {
  iat: times.iat,
  exp: times.exp,
  aud: "sigstore",
  sub: "CgcyMzQyNzQ5EgZnaXRodWI",
  at_hash: "ZbTNFcTNbWz-fLHwT6bYmQ",
  c_hash: "5wbTNFcTNbWz-fLHwT6bYm",
  email: "dev@example.com",
  email_verified: true,
  federated_claims: { connector_id: "https://github.com/login/oauth", user_id: "2342749" },
};

/** learn.microsoft.com, "ID token claims reference", version 2.0, with the optional claim `email`. */
const entra = {
  ...times,
  aud: "8f1a9b0c-2d3e-4f50-a617-28394a5b6008",
  sub: "Nr3vBq0n9eXk0yU6b4JmYw5dQ2sT7pLc1aHfGzKxRt9",
  aio: "AXQAi/8UAAAA",
  email: "dev@example.com",
  name: "Dev Eloper",
  oid: "6d3c9b2a-1f0e-4d8c-b7a6-95847362a009",
  preferred_username: "dev@example.com",
  rh: "0.ARoA",
  tid: "9122040d-6c67-4c5b-b112-36a304b66dad",
  uti: "bG9uZw",
  ver: "2.0",
};

/** developers.google.com, "OpenID Connect": what an ID token contains. */
const google = {
  iat: times.iat,
  exp: times.exp,
  azp: "1234987819200.apps.googleusercontent.com",
  aud: "sigstore",
  sub: "10769150350006150715113082367",
  at_hash: "HK6E_P6Dh8Y93mRNtsDB1Q",
  hd: "example.com",
  email: "dev@example.com",
  email_verified: true,
  nonce: "0394852-3190485-2490358",
};

const SPIFFE_ID = "spiffe://prod.example.com/ns/build/sa/signer";

export const PRESET_TOKENS: readonly PresetToken[] = [
  { preset: "github", issuer: "https://token.actions.githubusercontent.com", entry, claims: github },
  {
    preset: "github-enterprise",
    issuer: "https://ghe.example.com/_services/token",
    entry,
    claims: { ...github, enterprise: "acme" },
  },
  { preset: "github-enterprise", issuer: "https://token.actions.acme.ghe.com", entry, claims: github },
  { preset: "forgejo", issuer: "https://codeberg.example.org/api/actions", entry, claims: forgejo },
  {
    preset: "forgejo",
    issuer: "https://git.example.com/forge/api/actions",
    entry,
    claims: { ...forgejo, actor_id: "5", repository_id: "456789", repository_owner_id: "123456" },
  },
  { preset: "gitea", issuer: "https://gitea.example.com/api/actions/oidc", entry, claims: gitea },
  {
    preset: "gitea",
    issuer: "https://gitea.example.com/api/actions/oidc",
    entry,
    claims: {
      ...gitea,
      job_workflow_repository: "platform/flows",
      job_workflow_repository_id: "2",
      job_workflow_ref: "platform/flows/.gitea/workflows/sign.yaml@refs/tags/v3",
      job_workflow_sha: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    },
  },
  { preset: "gitlab", issuer: "https://gitlab.com", entry, claims: gitlab },
  {
    preset: "gitlab-self-managed",
    issuer: "https://gitlab.example.com",
    entry,
    claims: {
      ...gitlab,
      ci_config_ref_uri: "gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/tags/v1.0",
      ref_type: "tag",
      ref: "v1.0",
    },
  },
  { preset: "buildkite", issuer: "https://agent.buildkite.com", entry, claims: buildkite },
  {
    preset: "circleci",
    issuer: "https://oidc.circleci.com/org/15d9afb0-7f1a-4b3e-9d27-6a64b1a3a0aa",
    entry,
    claims: circleci,
  },
  { preset: "jenkins", issuer: "https://jenkins.example.com/oidc", entry, claims: jenkins },
  {
    preset: "azure-devops",
    issuer: "https://vstoken.dev.azure.com/f1f3c2a4-8f5a-4f7c-9d5e-77a3a1a0b002",
    entry: { url: "https://dev.azure.com/acme" },
    claims: azure,
  },
  { preset: "kubernetes", issuer: "https://kubernetes.default.svc", entry, claims: kubernetes },
  {
    preset: "spiffe",
    issuer: "https://oidc-discovery.example.com",
    entry: { ...entry, "spiffe-trust-domain": "prod.example.com" },
    claims: { sub: SPIFFE_ID, aud: ["sigstore"], iat: times.iat, exp: times.exp },
  },
  { preset: "keycloak", issuer: "https://sso.example.com/realms/people", entry, claims: keycloak },
  { preset: "dex", issuer: "https://dex.example.com", entry, claims: dex },
  {
    preset: "dex",
    issuer: "https://dex.example.com",
    entry: { ...entry, "issuer-claim": "$.federated_claims.connector_id" },
    claims: dex,
  },
  {
    preset: "entra-id",
    issuer: "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    entry: { "client-id": "8f1a9b0c-2d3e-4f50-a617-28394a5b6008" },
    claims: entra,
  },
  { preset: "google", issuer: "https://accounts.google.com", entry, claims: google },
];

export function presetConfiguration({ preset, issuer, entry: keys }: PresetToken): string {
  return JSON.stringify({ "oidc-issuers": { [issuer]: { preset, ...keys } } });
}
