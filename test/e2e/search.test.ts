import { createHash, generateKeyPairSync, sign } from "node:crypto";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  type FakeIssuer,
  needClients,
  startChancery,
  startFakeIssuer,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const { missing, reason } = needClients("cosign-2", "cosign-3", "rekor-cli");

/** docs.github.com, "OpenID Connect reference". */
const GITHUB_TOKEN = {
  sub: "repo:octo-org/octo-repo:environment:prod",
  ref: "refs/heads/main",
  sha: "796a6cfb48152b077701fced55d480bf1d90e1e2",
  repository: "octo-org/octo-repo",
  repository_owner: "octo-org",
  repository_id: "74",
  repository_owner_id: "65",
  repository_visibility: "private",
  run_id: "1959414638",
  run_attempt: "2",
  runner_environment: "github-hosted",
  workflow: "Example workflow",
  workflow_ref: "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
  workflow_sha: "1e2796a6cfb48152b077701fced55d480bf1d90e",
  job_workflow_ref: "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
  job_workflow_sha: "f90e1e2796a6cfb48152b077701fced55d480bf1",
  event_name: "workflow_dispatch",
};

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

describe.skipIf(missing)(`what cosign signs is found by all that it is, in both logs${reason}`, () => {
  let stack: ChanceryProcess;
  let home: ClientHome;
  /** Each keeps what it knows of the stack in a form of its own. */
  let home3: ClientHome;
  let people: FakeIssuer;
  let github: FakeIssuer;
  let key: string;

  const token = (email: string) => people.token({ email, email_verified: true, sub: email, aud: "sigstore" });
  const direct = () => [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`];

  beforeAll(async () => {
    [home, home3, people, github] = await Promise.all([
      clientHome(),
      clientHome(),
      startFakeIssuer(),
      startFakeIssuer(),
    ]);
    const issuers = {
      [people.url]: { "issuer-url": people.url, "client-id": "sigstore", type: "email" },
      [github.url]: { preset: "github", "issuer-url": github.url, "client-id": "sigstore" },
    };
    const config = await home.write("config.yaml", JSON.stringify({ "oidc-issuers": issuers }));
    stack = await startChancery({ args: ["--config", config] });
    await home.run("cosign-2", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    await home3.run("cosign-3", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    // v1, by a person.
    const byPerson = await home.write("by-person", "by a person");
    const person = `--identity-token=${await token("Dev@Mail.Example.com")}`;
    await home.run("cosign-2", "sign-blob", "--yes", ...direct(), person, `--bundle=${home.path("one")}`, byPerson);
    // v2, by a workflow.
    const byWorkflow = await home.write("by-workflow", "by a workflow");
    const workflow = `--identity-token=${await github.token({ ...GITHUB_TOKEN, aud: "sigstore", email: undefined })}`;
    await home3.run("cosign-3", "sign-blob", "--yes", workflow, `--bundle=${home.path("two")}`, byWorkflow);
    // v1, an attestation.
    const attested = await home.write("attested", "attested");
    const predicate = await home.write("predicate.json", '{"builder":{"id":"https://example.com/b"},"buildType":"x"}');
    await home.run(
      "cosign-2",
      "attest-blob",
      "--yes",
      ...direct(),
      `--identity-token=${await token("attester@example.org")}`,
      "--type=slsaprovenance",
      `--predicate=${predicate}`,
      `--bundle=${home.path("three")}`,
      attested,
    );
    // v2, by a key; cosign would ask for a password.
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    key = publicKey.export({ type: "spki", format: "pem" });
    const answer = await fetch(`${stack.url}/api/v2/log/entries`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        hashedRekordRequestV002: {
          digest: createHash("sha256").update("by a key").digest("base64"),
          signature: {
            content: sign("sha256", Buffer.from("by a key"), privateKey).toString("base64"),
            verifier: {
              publicKey: { rawBytes: publicKey.export({ type: "spki", format: "der" }).toString("base64") },
              keyDetails: "PKIX_ECDSA_P256_SHA_256",
            },
          },
        },
      }),
    });
    expect(answer.status, await answer.clone().text()).toBe(201);
  });
  afterAll(async () => {
    await Promise.all([stack, home, home3, people, github].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const search = async (query: Record<string, string>) => {
    const answer = await fetch(`${stack.url}/api/chancery/v1/search?${new URLSearchParams(query).toString()}`);
    expect(answer.status, await answer.clone().text()).toBe(200);
    const { results, complete } = (await answer.json()) as {
      results: { log: string; logIndex: string }[];
      complete: { log: string; size: string }[];
    };
    expect(complete.every(({ size }) => size === "2")).toBe(true);
    expect(complete).toHaveLength(query["log"] === undefined ? 2 : 1);
    return results.map(({ log, logIndex }) => `${log}/${logIndex}`);
  };

  const [person, workflow, attestation, byKey] = ["rekor/0", "rekor-v2/0", "rekor/1", "rekor-v2/1"] as const;

  test("by every filter there is", async () => {
    const repository = "https://github.com/octo-org/octo-repo";
    const signer = "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2";
    const cases: [Record<string, string>, string[]][] = [
      [{}, [byKey, attestation, workflow, person]],
      [{ order: "oldest" }, [person, workflow, attestation, byKey]],
      [{ digest: sha256("by a person") }, [person]],
      [{ digest: `sha256:${sha256("by a workflow")}` }, [workflow]],
      [{ digest: sha256("attested") }, [attestation]],
      [{ subjectDigest: sha256("attested") }, [attestation]],
      [{ key }, [byKey]],
      [{ san: "dev@mail.example.com" }, [person]],
      [{ san: signer }, [workflow]],
      [{ sanPrefix: "https://github.com/octo-org/" }, [workflow]],
      [{ sanPrefix: "atte" }, [attestation]],
      [{ sanGlob: "https://github.com/*/oidc.yml@refs/tags/*" }, [workflow]],
      [{ sanGlob: "*@mail.example.com" }, [person]],
      [{ sanDomain: "example.com" }, [person]],
      [{ sanDomain: "github.com" }, [workflow]],
      [{ issuer: people.url }, [attestation, person]],
      [{ sourceRepositoryUri: repository }, [workflow]],
      [{ sourceRepositoryRef: "refs/heads/main" }, [workflow]],
      [{ sourceRepositoryDigest: GITHUB_TOKEN.sha }, [workflow]],
      [{ sourceRepositoryOwnerUri: "https://github.com/octo-org" }, [workflow]],
      [{ buildSignerUri: signer }, [workflow]],
      [{ buildTrigger: "workflow_dispatch" }, [workflow]],
      [{ runnerEnvironment: "github-hosted" }, [workflow]],
      [{ githubWorkflowRepository: "octo-org/octo-repo" }, [workflow]],
      [{ githubWorkflowName: "example workflow", sourceRepositoryVisibilityAtSigning: "private" }, [workflow]],
      [{ runInvocationUri: `${repository}/actions/runs/1959414638/attempts/2` }, [workflow]],
      [{ kind: "hashedrekord" }, [byKey, workflow, person]],
      [{ predicateType: "https://slsa.dev/provenance/v0.2" }, [attestation]],
      [{ log: "rekor-v2", kind: "hashedrekord", to: "2100-01-01T00:00:00Z" }, [byKey, workflow]],
      [{ from: "2100-01-01T00:00:00Z" }, []],
      [{ issuer: people.url, sanDomain: "github.com" }, []],
    ];
    for (const [query, expected] of cases) {
      expect(await search(query), JSON.stringify(query)).toEqual(expected);
    }
  });

  test("as a bundle that cosign verifies, out of the log alone", async () => {
    const answer = await fetch(`${stack.url}/api/chancery/v1/entries/rekor/0`);
    const { bundle } = (await answer.json()) as { bundle: object };
    const file = await home.write("from-the-log.sigstore.json", JSON.stringify(bundle));
    await home3.run(
      "cosign-3",
      "verify-blob",
      `--bundle=${file}`,
      "--certificate-identity=Dev@Mail.Example.com",
      `--certificate-oidc-issuer=${people.url}`,
      home.path("by-person"),
    );
  });

  test("and rekor-cli finds what it always found", async () => {
    const found = await home.run("rekor-cli", "search", `--rekor_server=${stack.url}`, `--sha=${sha256("attested")}`);
    expect(found.stdout.match(/[0-9a-f]{80}/g)).toHaveLength(1);
  });
});
