import type { FulcioExtensionName } from "@chancery/x509";

/*
 * Every key that upstream documents (fulcio: pkg/config/config.go, pkg/certificate/extensions.go), and
 * beside it the spelling of its legacy JSON form.
 */

export const FILE_KEYS = {
  "oidc-issuers": "OIDCIssuers",
  "meta-issuers": "MetaIssuers",
  "ci-issuer-metadata": "CIIssuerMetadata",
  /** Where upstream's own file keeps its YAML anchors. */
  define: "define",
} as const;

export const ISSUER_KEYS = {
  "issuer-url": "IssuerURL",
  "client-id": "ClientID",
  type: "Type",
  "ci-provider": "CIProvider",
  "issuer-claim": "IssuerClaim",
  "subject-domain": "SubjectDomain",
  "spiffe-trust-domain": "SPIFFETrustDomain",
  "challenge-claim": "ChallengeClaim",
  description: "Description",
  contact: "Contact",
  environment: "Environment",
  "ca-cert": "CACert",
  "skip-email-verification": "SkipEmailVerification",
  // Ours, and unknown to upstream, which passes over what it does not know.
  policy: "Policy",
  jwks: "JWKS",
  "jwks-file": "JWKSFile",
  "jwks-uri": "JWKSURI",
  "ca-cert-file": "CACertFile",
  "client-cert-file": "ClientCertFile",
  "client-key-file": "ClientKeyFile",
  "token-file": "TokenFile",
  "keep-keys-for": "KeepKeysFor",
} as const;

/** Ours: `preset`, and beside it the instance's `url`. */
export const PRESET_KEYS = { preset: "Preset", url: "URL" } as const;

/** Ours, below an issuer's `policy`. */
export const POLICY_KEYS = { default: "Default", "dry-run": "DryRun", deny: "Deny", allow: "Allow" } as const;

export const CI_KEYS = {
  "default-template-values": "DefaultTemplateValues",
  "extension-templates": "ExtensionTemplates",
  "subject-alternative-name-template": "SubjectAlternativeNameTemplate",
} as const;

type Templated = Exclude<FulcioExtensionName, "issuer" | "token-subject">;

/** `issuer` and `subject` may stand there and say nothing: they always come from the token. */
export const EXTENSION_KEYS: Readonly<Record<Templated | "issuer" | "subject", string>> = {
  issuer: "Issuer",
  subject: "Subject",
  "github-workflow-trigger": "GithubWorkflowTrigger",
  "github-workflow-sha": "GithubWorkflowSHA",
  "github-workflow-name": "GithubWorkflowName",
  "github-workflow-repository": "GithubWorkflowRepository",
  "github-workflow-ref": "GithubWorkflowRef",
  "build-signer-uri": "BuildSignerURI",
  "build-signer-digest": "BuildSignerDigest",
  "runner-environment": "RunnerEnvironment",
  "source-repository-uri": "SourceRepositoryURI",
  "source-repository-digest": "SourceRepositoryDigest",
  "source-repository-ref": "SourceRepositoryRef",
  "source-repository-identifier": "SourceRepositoryIdentifier",
  "source-repository-owner-uri": "SourceRepositoryOwnerURI",
  "source-repository-owner-identifier": "SourceRepositoryOwnerIdentifier",
  "build-config-uri": "BuildConfigURI",
  "build-config-digest": "BuildConfigDigest",
  "build-trigger": "BuildTrigger",
  "run-invocation-uri": "RunInvocationURI",
  "source-repository-visibility-at-signing": "SourceRepositoryVisibilityAtSigning",
  "deployment-environment": "DeploymentEnvironment",
};
