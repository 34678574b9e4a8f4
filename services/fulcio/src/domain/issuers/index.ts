import { Misconfigured } from "@chancery/fault";
import type { IssuerSettings } from "../issuer-settings.ts";
import type { IssuerType } from "../issuer-type.ts";
import { buildkiteJob } from "./buildkite-job.ts";
import { chainguardIdentity } from "./chainguard-identity.ts";
import { ciProvider } from "./ci-provider.ts";
import { codefreshWorkflow } from "./codefresh-workflow.ts";
import { email } from "./email.ts";
import { githubWorkflow } from "./github-workflow.ts";
import { gitlabPipeline } from "./gitlab-pipeline.ts";
import { kubernetes } from "./kubernetes.ts";
import { spiffe } from "./spiffe.ts";
import { uri } from "./uri.ts";
import { username } from "./username.ts";

/** Every type of issuer, one file each. */
const ISSUER_TYPES: readonly IssuerType[] = [
  email,
  username,
  uri,
  spiffe,
  kubernetes,
  githubWorkflow,
  gitlabPipeline,
  buildkiteJob,
  codefreshWorkflow,
  chainguardIdentity,
  ciProvider,
];

export function issuerType({ key, type }: IssuerSettings): IssuerType {
  const found = ISSUER_TYPES.find(({ name }) => name === type);
  if (found !== undefined) return found;
  const names = ISSUER_TYPES.map(({ name }) => name).join(", ");
  throw new Misconfigured(`${key}.type`, type === "" ? "is missing" : `${type} is not one of ${names}`);
}
