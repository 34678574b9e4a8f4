import { describe, expect, test } from "vitest";
import { type Claims, ISSUER, principal, principalUnder, refusal } from "./principal-of.ts";

const GITHUB = {
  job_workflow_ref: "octo/shared/.github/workflows/build.yml@refs/tags/v1",
  sha: "aaaa",
  event_name: "push",
  repository: "octo/app",
  workflow: "Build & Test 🚀",
  ref: "refs/heads/main",
  job_workflow_sha: "bbbb",
  runner_environment: "github-hosted",
  repository_id: "1",
  repository_owner: "octo",
  repository_owner_id: "2",
  repository_visibility: "public",
  workflow_ref: "octo/app/.github/workflows/ci.yml@refs/heads/main",
  workflow_sha: "cccc",
  run_id: "3",
  run_attempt: "1",
};

describe("github-workflow", () => {
  const settings = "type: github-workflow";

  test("writes the sixteen claims where upstream writes them", () => {
    const subject = "repo:octo/app:ref:refs/heads/main";
    expect(principal(settings, GITHUB, subject)).toEqual({
      name: subject,
      san: { type: "uri", value: "https://github.com/octo/shared/.github/workflows/build.yml@refs/tags/v1" },
      extensions: {
        issuer: ISSUER,
        "github-workflow-trigger": "push",
        "github-workflow-sha": "aaaa",
        "github-workflow-name": "Build & Test 🚀",
        "github-workflow-repository": "octo/app",
        "github-workflow-ref": "refs/heads/main",
        "build-signer-uri": "https://github.com/octo/shared/.github/workflows/build.yml@refs/tags/v1",
        "build-signer-digest": "bbbb",
        "runner-environment": "github-hosted",
        "source-repository-uri": "https://github.com/octo/app",
        "source-repository-digest": "aaaa",
        "source-repository-ref": "refs/heads/main",
        "source-repository-identifier": "1",
        "source-repository-owner-uri": "https://github.com/octo",
        "source-repository-owner-identifier": "2",
        "build-config-uri": "https://github.com/octo/app/.github/workflows/ci.yml@refs/heads/main",
        "build-config-digest": "cccc",
        "build-trigger": "push",
        "run-invocation-uri": "https://github.com/octo/app/actions/runs/3/attempts/1",
        "source-repository-visibility-at-signing": "public",
        "token-subject": subject,
      },
    });
  });

  test.for(Object.keys(GITHUB))("refuses a token without %s, or with one that is no text", (name) => {
    expect(refusal(() => principal(settings, { ...GITHUB, [name]: undefined }))).toBe(
      `missing ${name} claim in ID token`,
    );
    expect(refusal(() => principal(settings, { ...GITHUB, [name]: "" }))).toBe(`missing ${name} claim in ID token`);
    expect(refusal(() => principal(settings, { ...GITHUB, [name]: 1 }))).toBe(`${name} claim is not a string`);
    expect(refusal(() => principal(settings, { ...GITHUB, [name]: "a\u0000b" }))).toMatch(/control characters/);
  });

  test.for([
    ["octo/app/x.yml@refs/heads/a b", "https://github.com/octo/app/x.yml@refs/heads/a%20b"],
    ["octo/app/x.yml@refs/heads/fix#1", "https://github.com/octo/app/x.yml@refs/heads/fix%231"],
    ["octo/app/x.yml@refs/heads/(a)!*'[b]", "https://github.com/octo/app/x.yml@refs/heads/(a)!*'[b]"],
    ["octo/app/x.yml@refs/heads/(a) b", "https://github.com/octo/app/x.yml@refs/heads/%28a%29%20b"],
    ["octo/app/x.yml@refs/heads/ü", "https://github.com/octo/app/x.yml@refs/heads/%C3%BC"],
    ["octo/app/x.yml@refs/heads/50%25", "https://github.com/octo/app/x.yml@refs/heads/50%25"],
  ])("percent-encodes %s as Go does", ([reference, expected]) => {
    expect(principal(settings, { ...GITHUB, job_workflow_ref: reference }).san.value).toBe(expected);
  });

  test.for([
    "../evil/app",
    "octo/../evil",
    "octo/./app",
    "octo/%2e%2E/evil",
    "octo//app",
    "/octo",
    "octo/",
    "a%zz",
    "octo/a%2F..%2F..%2Fevil ü",
  ])("refuses the path %s", (repository) => {
    expect(refusal(() => principal(settings, { ...GITHUB, repository }))).toMatch(/^a claim that names a path/);
  });

  test("refuses a ref by which one branch would be named as another, since the file's name is beyond ASCII", () => {
    const workflow = "octo/app/.github/workflows/veröffentlichen.yml";
    const main = { ...GITHUB, job_workflow_ref: `${workflow}@refs/heads/main` };
    expect(principal(settings, main).san.value).toMatch(/ver%C3%B6ffentlichen\.yml@refs\/heads\/main$/);
    const other = { ...GITHUB, job_workflow_ref: `${workflow}@refs/heads/m%61in` };
    expect(refusal(() => principal(settings, other))).toMatch(/percent-encoded in part/);
  });
});

const GITLAB = {
  project_path: "group/project",
  project_id: "1",
  pipeline_source: "push",
  pipeline_id: "2",
  ci_config_ref_uri: "gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main",
  ci_config_sha: "aaaa",
  namespace_path: "group",
  namespace_id: "3",
  job_id: "4",
  ref: "main",
  ref_type: "branch",
  sha: "bbbb",
  runner_environment: "gitlab-hosted",
  runner_id: 5,
  project_visibility: "public",
};

describe("gitlab-pipeline", () => {
  const settings = "type: gitlab-pipeline";

  test("writes its claims where upstream writes them", () => {
    const subject = "project_path:group/project:ref_type:branch:ref:main";
    const config = "https://gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main";
    expect(principal(settings, GITLAB, subject)).toEqual({
      name: subject,
      san: { type: "uri", value: config },
      extensions: {
        issuer: ISSUER,
        "build-signer-uri": config,
        "build-signer-digest": "aaaa",
        "runner-environment": "gitlab-hosted",
        "source-repository-uri": "https://gitlab.com/group/project",
        "source-repository-digest": "bbbb",
        "source-repository-ref": "refs/heads/main",
        "source-repository-identifier": "1",
        "source-repository-owner-uri": "https://gitlab.com/group",
        "source-repository-owner-identifier": "3",
        "build-config-uri": config,
        "build-config-digest": "aaaa",
        "build-trigger": "push",
        "run-invocation-uri": "https://gitlab.com/group/project/-/jobs/4",
        "source-repository-visibility-at-signing": "public",
        "token-subject": subject,
      },
    });
  });

  test.for([undefined, null, ""])("a tag is under refs/tags; digest and visibility may be %j", (missing) => {
    const claims = { ...GITLAB, ref_type: "tag", ref: "v1", ci_config_sha: missing, project_visibility: missing };
    const { extensions } = principal(settings, claims);
    expect(extensions["source-repository-ref"]).toBe("refs/tags/v1");
    expect(extensions).not.toHaveProperty("build-signer-digest");
    expect(extensions).not.toHaveProperty("source-repository-visibility-at-signing");
  });

  test.for(Object.keys(GITLAB).filter((name) => !/^(ci_config_sha|project_visibility|runner_id)$/.test(name)))(
    "refuses a token without %s",
    (name) => {
      expect(refusal(() => principal(settings, { ...GITLAB, [name]: undefined }))).toBe(
        `missing ${name} claim in ID token`,
      );
    },
  );

  test.for([undefined, 0, "5", 1.5, null, {}])("refuses the runner %j", (runner_id) => {
    expect(refusal(() => principal(settings, { ...GITLAB, runner_id }))).toMatch(/runner_id claim/);
  });

  test.for([
    "gitlab.com/a/../b",
    "user@gitlab.com/a",
    "gitlab.com\\evil/a",
    "",
    "/a",
    "gitlab.com/a\u0007",
    "gitlab.com/a//.gitlab-ci.yml@refs/heads/main#",
  ])("refuses the configuration %j", (ci_config_ref_uri) => {
    expect(refusal(() => principal(settings, { ...GITLAB, ci_config_ref_uri }))).not.toMatch(/accepted|not a fault/);
  });

  test("refuses another type of ref", () => {
    expect(refusal(() => principal(settings, { ...GITLAB, ref_type: "../x" }))).toMatch(/unexpected ref_type/);
  });
});

const config = (templates: string) => `
oidc-issuers: { "${ISSUER}": { client-id: sigstore, type: ci-provider, ci-provider: ci } }
ci-issuer-metadata:
  ci:
    default-template-values: { url: "https://ci.example.com", environment: "" }
    subject-alternative-name-template: "{{ .url }}/{{ .project }}@{{ .ref }}"
    extension-templates:
      ${templates}
`;
const ofCi = (claims: Claims, templates = "build-trigger: event") => principalUnder(config(templates), claims, "s");

describe("ci-provider", () => {
  const claims = { project: "a/b", ref: "main", event: "push" };

  test("renders its templates; issuer and subject come from the token whatever they say", () => {
    const templates = `build-trigger: event
      issuer: event
      subject: event
      deployment-environment: environment
      runner-environment: '{{if eq .flag "true"}}own{{else}}theirs{{end}}'
      run-invocation-uri: "{{ .url }}/{{ .id }}"`;
    expect(ofCi({ ...claims, flag: true, id: 1_000_000 }, templates)).toEqual({
      name: "s",
      san: { type: "uri", value: "https://ci.example.com/a/b@main" },
      extensions: {
        issuer: ISSUER,
        "token-subject": "s",
        "build-trigger": "push",
        "deployment-environment": "",
        "runner-environment": "own",
        "run-invocation-uri": "https://ci.example.com/1000000",
      },
    });
  });

  test("a claim wins over the default of its name", () => {
    expect(ofCi({ ...claims, url: "https://other.example.com" }).san.value).toBe("https://other.example.com/a/b@main");
  });

  // Go's net/url on the same texts: url.Parse and String.
  test.for([
    ["fix#1", "https://ci.example.com/a/b@fix#1"],
    ["fix#1#2", "https://ci.example.com/a/b@fix#1%232"],
    ["ü#1", "https://ci.example.com/a/b@%C3%BC#1"],
    ["fix#ü(1)'", "https://ci.example.com/a/b@fix#%C3%BC(1)%27"],
    ["fix#[1]'%20", "https://ci.example.com/a/b@fix#[1]'%20"],
    ["fix#a/b?c", "https://ci.example.com/a/b@fix#a/b?c"],
  ])("names the ref %s as Go writes it", ([ref, expected]) => {
    expect(ofCi({ ...claims, ref }).san.value).toBe(expected);
  });

  test.for(["ü%2F..%2Fmain", "m%61in/ü", "main#m%61in ü", "main#%zz"])(
    "refuses the ref %s, which has two readings",
    (ref) => {
      expect(refusal(() => ofCi({ ...claims, ref }))).toMatch(/percent-encoded in part/);
    },
  );

  test.for(["main#", "main?x#"])("refuses the ref %s: cosign would read the certificate as main's", (ref) => {
    expect(refusal(() => ofCi({ ...claims, ref }))).toMatch(/ends in an empty fragment/);
  });

  test.for([
    { ...claims, event: undefined },
    { ...claims, project: {} },
    { ...claims, project: ["a/b"] },
    { ...claims, event: 2 ** 60 },
    { ...claims, event: 1e-9 },
    { ...claims, event: "a\nb" },
    { ...claims, project: "" },
    { ...claims, project: undefined },
    { ...claims, project: "a/../../other" },
    { ...claims, url: "javascript:alert(1)" },
    { ...claims, url: "https://a@b" },
    { ...claims, url: "" },
  ])("refuses %j", (all) => {
    expect(refusal(() => ofCi(all))).not.toMatch(/accepted|not a fault/);
  });
});
