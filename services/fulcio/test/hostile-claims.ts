import type { FakeIssuer } from "./fake-issuer.ts";
import type { Forgeries } from "./hostile-tokens.ts";

/** An issuer of each type, and claims that it lets pass. */
export interface Typed {
  readonly email: FakeIssuer;
  readonly username: FakeIssuer;
  readonly uri: FakeIssuer;
  readonly spiffe: FakeIssuer;
  readonly kubernetes: FakeIssuer;
  readonly github: FakeIssuer;
  readonly ci: FakeIssuer;
}

type Claims = Readonly<Record<string, unknown>>;

const GITHUB = {
  job_workflow_ref: "octo/app/.github/workflows/x.yml@refs/heads/main",
  sha: "aaaa",
  event_name: "push",
  repository: "octo/app",
  workflow: "Build",
  ref: "refs/heads/main",
  job_workflow_sha: "bbbb",
  runner_environment: "github-hosted",
  repository_id: "1",
  repository_owner: "octo",
  repository_owner_id: "2",
  repository_visibility: "public",
  workflow_ref: "octo/app/.github/workflows/x.yml@refs/heads/main",
  workflow_sha: "cccc",
  run_id: "3",
  run_attempt: "1",
};

export const GOOD_CLAIMS: { readonly [type in keyof Typed]: Claims & { readonly sub?: string } } = {
  email: {},
  username: { sub: "dev" },
  uri: { sub: "http://127.0.0.1/dev" },
  spiffe: { sub: "spiffe://example.com/ns/a/sa/b" },
  kubernetes: { "kubernetes.io": { namespace: "ci", serviceaccount: { name: "signer" } } },
  github: GITHUB,
  ci: { origin: "https://ci.example.com", project: "a/b", ref: "main" },
};

/** The configuration under which they pass. */
export function configurationOf(typed: Typed): { readonly issuers: string; readonly metadata: string } {
  const settings: { readonly [type in keyof Typed]: string } = {
    email: "type: email",
    username: "type: username, subject-domain: 127.0.0.1",
    uri: 'type: uri, subject-domain: "http://127.0.0.1"',
    spiffe: "type: spiffe, spiffe-trust-domain: example.com",
    kubernetes: "type: kubernetes",
    github: "type: github-workflow",
    ci: "type: ci-provider, ci-provider: ci",
  };
  const issuers = (Object.keys(settings) as (keyof Typed)[]).map(
    (type) => `  "${typed[type].url}": { client-id: sigstore, ${settings[type]} }`,
  );
  const metadata = `ci-issuer-metadata:
  ci:
    extension-templates: { build-trigger: ref }
    subject-alternative-name-template: "{{ .origin }}/{{ .project }}@{{ .ref }}"`;
  return { issuers: issuers.join("\n"), metadata };
}

const CLAIMS: { readonly [type in keyof Typed]: Readonly<Record<string, Claims>> } = {
  // A10
  email: {
    "that is not verified": { email_verified: false },
    "that nobody speaks of as verified": { email_verified: undefined },
    "verified: the text false": { email_verified: "false" },
    "verified: 1": { email_verified: 1 },
    "verified: the text TRUE": { email_verified: "TRUE" },
    "verified: a list": { email_verified: [true] },
    "verified: null": { email_verified: null },
    "of a list": { email: ["dev@example.com"] },
    "of an object": { email: { a: "dev@example.com" } },
    "of a number": { email: 1 },
    "that is empty": { email: "" },
    "with two @": { email: "a@b@example.com" },
    "without @": { email: "dev" },
    "with a line break": { email: "dev@example.com\r\nBcc: x@example.com" },
    "with a tab": { email: "dev@example.com\t" },
    "with a space": { email: "dev @example.com" },
    "in quotation marks": { email: '"dev"@example.com' },
    "with a display name": { email: "Dev <dev@example.com>" },
    "with a comment": { email: "dev(comment)@example.com" },
    "with a Cyrillic letter": { email: "d\u0435v@example.com" },
    "with a Cyrillic domain": { email: "dev@ex\u0430mple.com" },
    "with a right-to-left mark": { email: "dev@example.com\u202e" },
    "with a zero-width space": { email: "dev\u200b@example.com" },
    "at an address literal": { email: "dev@[127.0.0.1]" },
    "at a single label": { email: "dev@localhost" },
    "at an empty label": { email: "dev@example..com" },
    "of 300 letters": { email: `${"a".repeat(60)}@${"b.".repeat(120)}com` },
    "with 65 letters before the @": { email: `${"a".repeat(65)}@example.com` },
    "a list of two": { email: "dev@example.com,root@example.com" },
  },
  // A11
  username: {
    "with a !": { sub: "dev!other.example" },
    "that is an address": { sub: "dev@example.com" },
    "with an @": { sub: "dev@x" },
    "with a NUL": { sub: "dev\u0000root" },
    "with a line break": { sub: "dev\nroot" },
    "of 5,000 letters": { sub: "d".repeat(5_000) },
    "that is no text": { sub: ["dev"] },
  },
  uri: {
    "of another host": { sub: "http://127.0.0.2/dev" },
    "of another scheme": { sub: "https://127.0.0.1/dev" },
    "behind a user": { sub: "http://127.0.0.1@evil.example/dev" },
    "with a backslash": { sub: "http://127.0.0.1\\@evil.example/dev" },
    "of a longer host": { sub: "http://127.0.0.1.evil.example/dev" },
    "that is an address": { sub: "dev@127.0.0.1" },
    "without a scheme": { sub: "//127.0.0.1/dev" },
    "with a line break": { sub: "http://127.0.0.1/dev\n" },
    "with a NUL": { sub: "http://127.0.0.1/\u0000" },
    "beyond ASCII": { sub: "http://127.0.0.1/d\u00e9v" },
    "with a broken escape": { sub: "http://127.0.0.1/%zz" },
    "that others read as another's": { sub: "http://127.0.0.1/dev#" },
    javascript: { sub: "javascript:alert(1)" },
  },
  spiffe: {
    "of another trust domain": { sub: "spiffe://example.org/a" },
    "of a trust domain below": { sub: "spiffe://a.example.com/a" },
    "of a trust domain above": { sub: "spiffe://example.com.evil.example/a" },
    "in upper case": { sub: "spiffe://EXAMPLE.com/a" },
    "with a port": { sub: "spiffe://example.com:80/a" },
    "with a user": { sub: "spiffe://a@example.com/a" },
    "with a query": { sub: "spiffe://example.com/a?b" },
    "with dot segments": { sub: "spiffe://example.com/a/../b" },
    "with an empty segment": { sub: "spiffe://example.com/a//b" },
    "with an escape": { sub: "spiffe://example.com/%61" },
    "of another scheme": { sub: "https://example.com/a" },
  },
  kubernetes: {
    "without its claim": { "kubernetes.io": undefined },
    "that climbs": { "kubernetes.io": { namespace: "ci/../kube-system", serviceaccount: { name: "a" } } },
    "without an account": { "kubernetes.io": { namespace: "ci" } },
    "of an account that is a list": { "kubernetes.io": { namespace: "ci", serviceaccount: ["signer"] } },
    "of an account with a slash": { "kubernetes.io": { namespace: "ci", serviceaccount: { name: "a/b" } } },
    "in upper case": { "kubernetes.io": { namespace: "CI", serviceaccount: { name: "signer" } } },
    "with its claim as a text": { "kubernetes.io": '{"namespace":"ci"}' },
  },
  github: {
    "without a workflow": { job_workflow_ref: undefined },
    "of an empty workflow": { job_workflow_ref: "" },
    "of a workflow that climbs": { job_workflow_ref: "../evil/app/x.yml@refs/heads/main" },
    "of a workflow that climbs in escapes": { job_workflow_ref: "octo/%2e%2e/evil" },
    "of a workflow that climbs when it is encoded": { job_workflow_ref: "octo/app%2F..%2F..%2Fevil/ü.yml@main" },
    "of a workflow of another branch's name": { job_workflow_ref: "octo/app/ü.yml@refs/heads/m%61in" },
    "of a workflow that is a list": { job_workflow_ref: ["octo/app"] },
    "of a repository that is an object": { repository: { name: "octo/app" } },
    "of an ID that is a number": { repository_id: 1 },
    "of an owner with a NUL": { repository_owner: "octo\u0000evil" },
    "of a workflow's name with a line break": { workflow: "Build\nSubject: x" },
  },
  ci: {
    "without a project": { project: undefined },
    "of no project": { project: "" },
    "of a null project": { project: null },
    "of a project that climbs": { project: "a/../../evil/x" },
    "of a project that is a list": { project: ["a/b"] },
    "of a project that is an object": { project: { toString: "a/b" } },
    "of a project with a line break": { project: "a/b\nc" },
    "of a project whose number is not exact": { project: 2 ** 60 },
    "of an origin behind a user": { origin: "https://ci.example.com@evil.example" },
    "of an origin with a backslash": { origin: "https://evil.example\\.ci.example.com" },
    "of an origin that runs": { origin: "javascript:alert(1)//" },
    "of an origin that is a template": { origin: "{{ .iss }}" },
    "of an origin that is no URI": { origin: "ci.example.com" },
    "of a ref that is a map": { ref: { name: "main" } },
    "of a ref that others read as another": { ref: "main#" },
    "of a ref with a lone surrogate": { ref: "\ud800" },
    "of a ref of 5,000 letters": { ref: "r".repeat(5_000) },
  },
};

/** Verified, in time and for us, but claiming what no certificate may say. */
export function hostileClaims(typed: Typed): Forgeries {
  const forgeries: Record<string, () => string> = {};
  for (const type of Object.keys(CLAIMS) as (keyof Typed)[]) {
    for (const [what, claims] of Object.entries(CLAIMS[type])) {
      forgeries[`an identity of type ${type} ${what}`] = () => typed[type].token({ ...GOOD_CLAIMS[type], ...claims });
    }
  }
  return forgeries;
}
