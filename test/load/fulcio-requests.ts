import { generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";
import type { FakeIssuer } from "@chancery/testing";
import type { LoadRequest } from "./closed-loop.ts";
import { json } from "./scenario.ts";

const makeKeyPair = promisify(generateKeyPair);

/** Whom a token names. */
export interface Identity {
  readonly name: string;
  /** The type that the configuration gives its issuer. */
  readonly issuerType: string;
  /** What the client signs to prove that it has the key. */
  readonly challenge: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

const REPOSITORY = "acme/rocket-skates";
const WORKFLOW = `${REPOSITORY}/.github/workflows/release.yml@refs/heads/main`;
const COMMIT = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const SUBJECT = `repo:${REPOSITORY}:ref:refs/heads/main`;

export const EMAIL: Identity = {
  name: "email",
  issuerType: "email",
  challenge: "bench@example.com",
  claims: { sub: "CgVhZG1pbhIFbG9jYWw", email: "bench@example.com", email_verified: true },
};

/** All claims of a real token, those that no certificate shows too. */
export const GITHUB: Identity = {
  name: "github-workflow",
  issuerType: "github-workflow",
  challenge: SUBJECT,
  claims: {
    sub: SUBJECT,
    email: undefined,
    email_verified: undefined,
    ref: "refs/heads/main",
    ref_type: "branch",
    ref_protected: "true",
    sha: COMMIT,
    repository: REPOSITORY,
    repository_owner: "acme",
    repository_owner_id: "4242424",
    repository_id: "123456789",
    repository_visibility: "private",
    run_id: "9876543210",
    run_number: "1432",
    run_attempt: "1",
    actor: "wile-e",
    actor_id: "1234567",
    workflow: "Release",
    workflow_ref: WORKFLOW,
    workflow_sha: COMMIT,
    head_ref: "",
    base_ref: "",
    event_name: "push",
    job_workflow_ref: WORKFLOW,
    job_workflow_sha: COMMIT,
    runner_environment: "github-hosted",
  },
};

/** Made at once, so that the client's own signatures take nothing from the server it measures. */
const AT_ONCE = 64;

/** `count` requests, each with a token and a key of its own. */
export async function signingRequests(issuer: FakeIssuer, identity: Identity, count: number): Promise<LoadRequest[]> {
  const requests: LoadRequest[] = [];
  const exp = Math.floor(Date.now() / 1000) + 4 * 3600;
  const make = async () => {
    while (requests.length < count) {
      const token = issuer.token({ ...identity.claims, exp, jti: crypto.randomUUID() });
      const { publicKey, privateKey } = await makeKeyPair("ec", { namedCurve: "P-256" });
      const request = {
        credentials: { oidcIdentityToken: await token },
        publicKeyRequest: {
          publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
          proofOfPossession: sign("sha256", Buffer.from(identity.challenge), privateKey).toString("base64"),
        },
      };
      requests.push({ method: "POST", path: "/api/v2/signingCert", ...json(request) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
  return requests;
}
