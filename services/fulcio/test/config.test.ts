import { describe, expect, test } from "vitest";
import { encodePem } from "@chancery/encoding";
import { parseFulcioConfig } from "../src/index.ts";
import { createTestAuthority } from "./fulcio-under-test.ts";

/** fulcio: pkg/certificate/extensions.go, in both spellings. */
const EXTENSIONS = [
  ["issuer", "Issuer"],
  ["github-workflow-trigger", "GithubWorkflowTrigger"],
  ["github-workflow-sha", "GithubWorkflowSHA"],
  ["github-workflow-name", "GithubWorkflowName"],
  ["github-workflow-repository", "GithubWorkflowRepository"],
  ["github-workflow-ref", "GithubWorkflowRef"],
  ["build-signer-uri", "BuildSignerURI"],
  ["build-signer-digest", "BuildSignerDigest"],
  ["runner-environment", "RunnerEnvironment"],
  ["source-repository-uri", "SourceRepositoryURI"],
  ["source-repository-digest", "SourceRepositoryDigest"],
  ["source-repository-ref", "SourceRepositoryRef"],
  ["source-repository-identifier", "SourceRepositoryIdentifier"],
  ["source-repository-owner-uri", "SourceRepositoryOwnerURI"],
  ["source-repository-owner-identifier", "SourceRepositoryOwnerIdentifier"],
  ["build-config-uri", "BuildConfigURI"],
  ["build-config-digest", "BuildConfigDigest"],
  ["build-trigger", "BuildTrigger"],
  ["run-invocation-uri", "RunInvocationURI"],
  ["source-repository-visibility-at-signing", "SourceRepositoryVisibilityAtSigning"],
  ["deployment-environment", "DeploymentEnvironment"],
  ["subject", "Subject"],
] as const;

const yaml = (issuer: string, url = "https://issuer.example.com") =>
  `oidc-issuers:\n  ${url}:\n    client-id: sigstore\n${issuer.replaceAll(/^/gm, "    ")}\n`;

describe("upstream's configuration", () => {
  test("YAML with anchors as map keys, `define` and every documented key", () => {
    const { issuers } = parseFulcioConfig(`
define:
  - &github-type "github-workflow"
oidc-issuers:
  https://accounts.example.com:
    issuer-url: https://accounts.example.com
    client-id: sigstore
    type: email
    issuer-claim: $.federated_claims.connector_id
    challenge-claim: email
    skip-email-verification: true
    contact: "someone@example.com"
    description: "the people"
    environment: staging
  https://token.example.com:
    issuer-url: https://token.example.com
    client-id: 123
    type: ci-provider
    ci-provider: *github-type
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*:
    client-id: sigstore
    type: kubernetes
ci-issuer-metadata:
  *github-type:
    default-template-values:
      url: "https://github.com"
      environment:
    extension-templates:
      build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"
      deployment-environment: "environment"
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
`);
    expect(issuers.map(({ url, clientId, type, isPattern }) => [url, clientId, type, isPattern])).toEqual([
      ["https://accounts.example.com", "sigstore", "email", false],
      ["https://token.example.com", "123", "ci-provider", false],
      ["https://oidc.eks.*.amazonaws.com/id/*", "sigstore", "kubernetes", true],
    ]);
    expect(issuers[0]!.skipEmailVerification).toBe(true);
    expect(issuers[1]!.ciMetadata?.defaults.get("environment")).toBe("");
  });

  test.for(["", "~", "null", "NULL", '""'])("a value of %s is an empty text", (nothing) => {
    const { issuers } = parseFulcioConfig(`
oidc-issuers: { "https://a.example.com": { client-id: a, type: ci-provider, ci-provider: x } }
ci-issuer-metadata:
  x:
    default-template-values:
      environment: ${nothing}
    subject-alternative-name-template: "{{ .url }}"
`);
    expect(issuers[0]!.ciMetadata?.defaults.get("environment")).toBe("");
  });

  test("legacy JSON", () => {
    const { issuers } = parseFulcioConfig(
      JSON.stringify({
        OIDCIssuers: {
          "https://accounts.example.com": {
            IssuerURL: "https://accounts.example.com",
            ClientID: "sigstore",
            Type: "email",
            IssuerClaim: "$.federated_claims.connector_id",
            SkipEmailVerification: true,
          },
          "https://spiffe.example.com": { ClientID: "s", Type: "spiffe", SPIFFETrustDomain: "example.com" },
        },
        MetaIssuers: { "https://*.example.com/*": { ClientID: "sigstore", Type: "kubernetes" } },
      }),
    );
    expect(issuers.map(({ type }) => type)).toEqual(["email", "spiffe", "kubernetes"]);
    expect(issuers[0]!.skipEmailVerification).toBe(true);
  });

  test("legacy JSON means what the same means in YAML, key by key", async () => {
    const pem = encodePem("CERTIFICATE", (await createTestAuthority()).chain[1].der);
    const yamlFile = parseFulcioConfig(`
oidc-issuers:
  https://people.example.com:
    issuer-url: https://people.example.com
    client-id: sigstore
    type: email
    issuer-claim: $.federated_claims.connector_id
    challenge-claim: email
    skip-email-verification: true
    description: the people
    contact: someone@example.com
    environment: staging
    ca-cert: ${JSON.stringify(pem)}
  https://names.example.com: { client-id: sigstore, type: username, subject-domain: example.com }
  https://spiffe.example.com: { client-id: sigstore, type: spiffe, spiffe-trust-domain: example.com }
  https://ci.example.com: { client-id: sigstore, type: ci-provider, ci-provider: ci }
meta-issuers:
  https://oidc.eks.*.amazonaws.com/id/*: { client-id: sigstore, type: kubernetes }
ci-issuer-metadata:
  ci:
    default-template-values: { url: "https://ci.example.com", environment: "" }
    extension-templates:
${EXTENSIONS.map(([kebab]) => `      ${kebab}: "{{ .url }}/${kebab}"`).join("\n")}
    subject-alternative-name-template: "{{ .url }}/{{ .job }}"
`);
    const legacy = {
      OIDCIssuers: {
        "https://people.example.com": {
          IssuerURL: "https://people.example.com",
          ClientID: "sigstore",
          Type: "email",
          IssuerClaim: "$.federated_claims.connector_id",
          ChallengeClaim: "email",
          SkipEmailVerification: true,
          Description: "the people",
          Contact: "someone@example.com",
          Environment: "staging",
          CACert: pem,
        },
        "https://names.example.com": { ClientID: "sigstore", Type: "username", SubjectDomain: "example.com" },
        "https://spiffe.example.com": { ClientID: "sigstore", Type: "spiffe", SPIFFETrustDomain: "example.com" },
        "https://ci.example.com": { ClientID: "sigstore", Type: "ci-provider", CIProvider: "ci" },
      },
      MetaIssuers: { "https://oidc.eks.*.amazonaws.com/id/*": { ClientID: "sigstore", Type: "kubernetes" } },
      CIIssuerMetadata: {
        ci: {
          DefaultTemplateValues: { url: "https://ci.example.com", environment: "" },
          ExtensionTemplates: Object.fromEntries(
            EXTENSIONS.map(([kebab, camel]) => [camel, `{{ .url }}/${kebab}`]),
          ) as object,
          SubjectAlternativeNameTemplate: "{{ .url }}/{{ .job }}",
        },
      },
    };
    const { issuers } = parseFulcioConfig(JSON.stringify(legacy));
    const issuersAt = issuers.map(({ key, ...settings }) => [key.replace(/^OIDCI|^MetaI/, ""), settings]);
    expect(issuersAt).toEqual(
      yamlFile.issuers.map(({ key, ...settings }) => [key.replace(/^oidc-i|^meta-i/, ""), settings]),
    );
    const ci = yamlFile.issuers.find(({ type }) => type === "ci-provider");
    // All but the two that a template cannot set.
    expect(ci?.ciMetadata?.extensions.size).toBe(EXTENSIONS.length - 2);
  });

  test("legacy JSON in any case, as Go decodes it", () => {
    const issuer = { issuerUrl: "https://ci.example.com", ClientId: "sigstore", type: "ci-provider", CiProvider: "ci" };
    const { issuers } = parseFulcioConfig(
      JSON.stringify({
        oidcIssuers: { "https://ci.example.com": issuer },
        ciIssuerMetadata: { ci: { SubjectAlternativeNameTemplate: "https://{{.a}}" } },
      }),
    );
    expect(issuers[0]).toMatchObject({ clientId: "sigstore", ciProvider: "ci" });
  });
});

const email = yaml("type: email");
const refused: [what: string, config: string, key: string, reason: RegExp][] = [
  ["an unknown key of the file", `${email}issuers: {}`, "issuers", /not a key that is known/],
  [
    "a misspelt key of an issuer",
    yaml("type: email\nskip-email-verificaton: true"),
    "skip-email-verificaton",
    /not a key/,
  ],
  [
    "a key in two spellings",
    '{ "OIDCIssuers": { "https://a.example": { "ClientID": "a", "client-id": "b" } } }',
    "client-id",
    /twice/,
  ],
  ["a repeated key", "oidc-issuers: {}\noidc-issuers: {}", "configuration", /unique/],
  ["no issuers", "oidc-issuers: {}", "oidc-issuers", /no issuer/],
  ["nothing", "", "oidc-issuers", /no issuer/],
  ["a list", "[]", "configuration", /not a map/],
  ["no YAML", "a: [", "configuration", /./],
  ["no type", yaml("contact: x"), "type", /is missing/],
  ["an unknown type", yaml("type: emial"), "type", /emial is not one of email/],
  ["an unknown type of CI", yaml("type: drone-job"), "type", /drone-job is not one of/],
  ["no audience", "oidc-issuers: { 'https://a.example': { type: email } }", "client-id", /missing/],
  ["another issuer-url", yaml("type: email\nissuer-url: https://other.example.com"), "issuer-url", /not the URL/],
  ["another scheme", yaml("type: email", "ftp://issuer.example.com"), "ftp://issuer.example.com", /not an issuer URL/],
  [
    "an address with a zone",
    yaml("type: email", "https://[fe80::1%25eth0]"),
    "https://[fe80::1%25eth0]",
    /not an issuer/,
  ],
  ["no address", yaml("type: email", "https://[::1::2]"), "https://[::1::2]", /not an issuer URL/],
  ["a URL with a user", yaml("type: email", "https://a@b.example.com"), "https://a@b.example.com", /not an issuer URL/],
  [
    "a URL with a query",
    yaml("type: email", "https://b.example.com?x"),
    "https://b.example.com?x",
    /not an issuer URL/,
  ],
  ["neither true nor false", yaml("type: email\nskip-email-verification: maybe"), "skip-email-verification", /neither/],
  ["an unreadable ca-cert", yaml("type: email\nca-cert: hello"), "ca-cert", /not PEM/],
  [
    "issuer-claim on another type",
    yaml("type: username\nsubject-domain: example.com\nissuer-claim: $.a"),
    "issuer-claim",
    /only email/,
  ],
  ["an issuer-claim that is no path", yaml("type: email\nissuer-claim: $..a"), "issuer-claim", /only paths/],
  ["spiffe without trust domain", yaml("type: spiffe"), "spiffe-trust-domain", /must have one/],
  [
    "spiffe with a bad trust domain",
    yaml("type: spiffe\nspiffe-trust-domain: Example.com"),
    "spiffe-trust-domain",
    /not a trust/,
  ],
  ["uri without subject-domain", yaml("type: uri"), "subject-domain", /must have one/],
  ["uri without scheme", yaml("type: uri\nsubject-domain: example.com"), "subject-domain", /scheme/],
  ["uri of another scheme", yaml("type: uri\nsubject-domain: http://example.com"), "subject-domain", /scheme/],
  [
    "uri of another organization",
    yaml("type: uri\nsubject-domain: https://example.org"),
    "subject-domain",
    /second-level/,
  ],
  ["username without subject-domain", yaml("type: username"), "subject-domain", /must have one/],
  [
    "username with scheme",
    yaml("type: username\nsubject-domain: https://example.com"),
    "subject-domain",
    /without a scheme/,
  ],
  [
    "username of another organization",
    yaml("type: username\nsubject-domain: other.com"),
    "subject-domain",
    /second-level/,
  ],
  ["ci-provider without a provider", yaml("type: ci-provider"), "ci-provider", /must name one/],
  ["ci-provider without metadata", yaml("type: ci-provider\nci-provider: x"), "ci-provider", /has no x/],
  [
    "metadata without a name template",
    `${email}ci-issuer-metadata: { x: {} }`,
    "subject-alternative-name-template",
    /missing/,
  ],
  [
    "an unknown extension",
    `${email}ci-issuer-metadata: { x: { subject-alternative-name-template: "a", extension-templates: { sha: b } } }`,
    "sha",
    /not a key/,
  ],
  [
    "a template that is more than text",
    `${email}ci-issuer-metadata: { x: { subject-alternative-name-template: "{{ printf .a }}" } }`,
    "subject-alternative-name-template",
    /printf is not supported/,
  ],
  [
    "a pattern of type spiffe",
    "meta-issuers: { 'https://*.example.com': { client-id: a, type: spiffe } }",
    "type",
    /SPIFFE/,
  ],
  [
    "a pattern for any host",
    "meta-issuers: { 'https://*': { client-id: a, type: email } }",
    "https://*",
    /last two labels/,
  ],
  [
    "a pattern for any domain",
    "meta-issuers: { 'https://login.*': { client-id: a, type: email } }",
    "https://login.*",
    /last two/,
  ],
  [
    "a pattern of any port",
    "meta-issuers: { 'http://a.example.com:80*': { client-id: a, type: email } }",
    "http://a.example.com:80*",
    /pattern/,
  ],
  [
    "a pattern of addresses",
    "meta-issuers: { 'https://[2001:db8::*]/a': { client-id: a, type: email } }",
    "https://[2001:db8::*]/a",
    /pattern/,
  ],
  [
    "a pattern of any scheme",
    "meta-issuers: { '*://a.example.com': { client-id: a, type: email } }",
    "*://a.example.com",
    /pattern/,
  ],
  [
    "a pattern with two stars",
    "meta-issuers: { 'https://a.example.com/**': { client-id: a, type: email } }",
    "https://a.example.com/**",
    /\*\*/,
  ],
];

describe("refused to start, with the key's name and the reason", () => {
  test.for(refused)("%s", ([, config, key, reason]) => {
    expect(() => parseFulcioConfig(config)).toThrow(
      expect.objectContaining({
        code: "misconfigured",
        key: expect.stringMatching(new RegExp(`${RegExp.escape(key)}$`)),
        message: expect.stringMatching(reason),
      }),
    );
  });
});
