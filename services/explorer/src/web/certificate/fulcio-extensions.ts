/** Fulcio's oid-info.md. `words` is how the page says it. */
export const FULCIO_EXTENSION_NAMES = [
  { name: "issuer", oid: "1.3.6.1.4.1.57264.1.1", encoding: "raw", words: "Vouched for by" },
  { name: "githubWorkflowTrigger", oid: "1.3.6.1.4.1.57264.1.2", encoding: "raw", words: "Workflow trigger" },
  { name: "githubWorkflowSha", oid: "1.3.6.1.4.1.57264.1.3", encoding: "raw", words: "Workflow commit" },
  { name: "githubWorkflowName", oid: "1.3.6.1.4.1.57264.1.4", encoding: "raw", words: "Workflow" },
  { name: "githubWorkflowRepository", oid: "1.3.6.1.4.1.57264.1.5", encoding: "raw", words: "Repository name" },
  { name: "githubWorkflowRef", oid: "1.3.6.1.4.1.57264.1.6", encoding: "raw", words: "Workflow ref" },
  { name: "issuer", oid: "1.3.6.1.4.1.57264.1.8", encoding: "utf8", words: "Vouched for by" },
  { name: "buildSignerUri", oid: "1.3.6.1.4.1.57264.1.9", encoding: "utf8", words: "Build instructions" },
  { name: "buildSignerDigest", oid: "1.3.6.1.4.1.57264.1.10", encoding: "utf8", words: "… at commit" },
  { name: "runnerEnvironment", oid: "1.3.6.1.4.1.57264.1.11", encoding: "utf8", words: "Runner" },
  { name: "sourceRepositoryUri", oid: "1.3.6.1.4.1.57264.1.12", encoding: "utf8", words: "Source repository" },
  { name: "sourceRepositoryDigest", oid: "1.3.6.1.4.1.57264.1.13", encoding: "utf8", words: "Source commit" },
  { name: "sourceRepositoryRef", oid: "1.3.6.1.4.1.57264.1.14", encoding: "utf8", words: "Source ref" },
  { name: "sourceRepositoryIdentifier", oid: "1.3.6.1.4.1.57264.1.15", encoding: "utf8", words: "Repository number" },
  { name: "sourceRepositoryOwnerUri", oid: "1.3.6.1.4.1.57264.1.16", encoding: "utf8", words: "Repository owner" },
  {
    name: "sourceRepositoryOwnerIdentifier",
    oid: "1.3.6.1.4.1.57264.1.17",
    encoding: "utf8",
    words: "Owner number",
  },
  { name: "buildConfigUri", oid: "1.3.6.1.4.1.57264.1.18", encoding: "utf8", words: "Build configuration" },
  { name: "buildConfigDigest", oid: "1.3.6.1.4.1.57264.1.19", encoding: "utf8", words: "… at commit" },
  { name: "buildTrigger", oid: "1.3.6.1.4.1.57264.1.20", encoding: "utf8", words: "Started by" },
  { name: "runInvocationUri", oid: "1.3.6.1.4.1.57264.1.21", encoding: "utf8", words: "Workflow run" },
  {
    name: "sourceRepositoryVisibilityAtSigning",
    oid: "1.3.6.1.4.1.57264.1.22",
    encoding: "utf8",
    words: "Repository visibility",
  },
  { name: "deploymentEnvironment", oid: "1.3.6.1.4.1.57264.1.23", encoding: "utf8", words: "Deployed to" },
  { name: "tokenSubject", oid: "1.3.6.1.4.1.57264.1.24", encoding: "utf8", words: "Token subject" },
] as const satisfies readonly { name: string; oid: string; encoding: "raw" | "utf8"; words: string }[];

export type FulcioExtensionName = (typeof FULCIO_EXTENSION_NAMES)[number]["name"];

/** Each name once, in the order in which a reader asks: who, from where, by which run. */
export const CLAIM_WORDS: ReadonlyMap<FulcioExtensionName, string> = new Map(
  FULCIO_EXTENSION_NAMES.map(({ name, words }) => [name, words]),
);
