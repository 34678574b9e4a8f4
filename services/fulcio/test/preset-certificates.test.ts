import "reflect-metadata";
import { SubjectAlternativeNameExtension, X509Certificate } from "@peculiar/x509";
import { encodeHex } from "@chancery/encoding";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSigningKey, jws, nowSeconds } from "./fake-issuer.ts";
import { type FulcioUnderTest, leafOf, startFulcio } from "./fulcio-under-test.ts";
import { PRESET_TOKENS, type PresetToken } from "./preset-tokens.ts";

interface Expected {
  readonly preset: string;
  /** What the client signs; the subject if left out. */
  readonly name?: string;
  readonly san: string;
  /** By the last number of the object identifier. Issuer (1, 8) and subject (24) are the token's unless they stand here. */
  readonly extensions: Readonly<Record<number, string>>;
}

/**
 * What upstream's own code (fulcio at eb10c98e) makes of the same tokens under the printed expansion of the preset, in the
 * order of the tokens.
 */
const EXPECTED: readonly Expected[] = [
  {
    preset: "github",
    san: "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
    extensions: {
      2: "workflow_dispatch",
      3: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      4: "Example workflow",
      5: "octo-org/octo-repo",
      6: "refs/heads/main",
      9: "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
      10: "f90e1e2796a6cfb48152b077701fced55d480bf1",
      11: "github-hosted",
      12: "https://github.com/octo-org/octo-repo",
      13: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      14: "refs/heads/main",
      15: "74",
      16: "https://github.com/octo-org",
      17: "65",
      18: "https://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
      19: "1e2796a6cfb48152b077701fced55d480bf1d90e",
      20: "workflow_dispatch",
      21: "https://github.com/octo-org/octo-repo/actions/runs/1959414638/attempts/2",
      22: "private",
      23: "prod",
    },
  },
  {
    preset: "github-enterprise",
    san: "https://ghe.example.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
    extensions: {
      2: "workflow_dispatch",
      3: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      4: "Example workflow",
      5: "octo-org/octo-repo",
      6: "refs/heads/main",
      9: "https://ghe.example.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
      10: "f90e1e2796a6cfb48152b077701fced55d480bf1",
      11: "github-hosted",
      12: "https://ghe.example.com/octo-org/octo-repo",
      13: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      14: "refs/heads/main",
      15: "74",
      16: "https://ghe.example.com/octo-org",
      17: "65",
      18: "https://ghe.example.com/octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
      19: "1e2796a6cfb48152b077701fced55d480bf1d90e",
      20: "workflow_dispatch",
      21: "https://ghe.example.com/octo-org/octo-repo/actions/runs/1959414638/attempts/2",
      22: "private",
      23: "prod",
    },
  },
  {
    preset: "github-enterprise",
    san: "https://acme.ghe.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
    extensions: {
      2: "workflow_dispatch",
      3: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      4: "Example workflow",
      5: "octo-org/octo-repo",
      6: "refs/heads/main",
      9: "https://acme.ghe.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v2",
      10: "f90e1e2796a6cfb48152b077701fced55d480bf1",
      11: "github-hosted",
      12: "https://acme.ghe.com/octo-org/octo-repo",
      13: "796a6cfb48152b077701fced55d480bf1d90e1e2",
      14: "refs/heads/main",
      15: "74",
      16: "https://acme.ghe.com/octo-org",
      17: "65",
      18: "https://acme.ghe.com/octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
      19: "1e2796a6cfb48152b077701fced55d480bf1d90e",
      20: "workflow_dispatch",
      21: "https://acme.ghe.com/octo-org/octo-repo/actions/runs/1959414638/attempts/2",
      22: "private",
      23: "prod",
    },
  },
  {
    preset: "forgejo",
    san: "https://codeberg.example.org/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
    extensions: {
      9: "https://codeberg.example.org/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
      12: "https://codeberg.example.org/user1/testing",
      13: "76cb2978acb72029ac23277a6192eea1707c6a2c",
      14: "refs/heads/main",
      16: "https://codeberg.example.org/user1",
      18: "https://codeberg.example.org/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
      20: "push",
      21: "https://codeberg.example.org/user1/testing/actions/runs/43",
    },
  },
  {
    preset: "forgejo",
    san: "https://git.example.com/forge/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
    extensions: {
      9: "https://git.example.com/forge/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
      12: "https://git.example.com/forge/user1/testing",
      13: "76cb2978acb72029ac23277a6192eea1707c6a2c",
      14: "refs/heads/main",
      15: "456789",
      16: "https://git.example.com/forge/user1",
      17: "123456",
      18: "https://git.example.com/forge/user1/testing/.forgejo/workflows/test.yml@refs/heads/main",
      20: "push",
      21: "https://git.example.com/forge/user1/testing/actions/runs/43",
    },
  },
  {
    preset: "gitea",
    san: "https://gitea.example.com/acme/app/.gitea/workflows/release.yaml@refs/heads/main",
    extensions: {
      9: "https://gitea.example.com/acme/app/.gitea/workflows/release.yaml@refs/heads/main",
      10: "5be1f0b1c9f1d2b3a4958677685746352413021f",
      11: "self-hosted",
      12: "https://gitea.example.com/acme/app",
      13: "5be1f0b1c9f1d2b3a4958677685746352413021f",
      14: "refs/heads/main",
      15: "19",
      16: "https://gitea.example.com/acme",
      17: "7",
      18: "https://gitea.example.com/acme/app/.gitea/workflows/release.yaml@refs/heads/main",
      19: "5be1f0b1c9f1d2b3a4958677685746352413021f",
      20: "push",
      21: "https://gitea.example.com/acme/app/actions/runs/88",
      22: "private",
    },
  },
  {
    preset: "gitea",
    san: "https://gitea.example.com/platform/flows/.gitea/workflows/sign.yaml@refs/tags/v3",
    extensions: {
      9: "https://gitea.example.com/platform/flows/.gitea/workflows/sign.yaml@refs/tags/v3",
      10: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
      11: "self-hosted",
      12: "https://gitea.example.com/acme/app",
      13: "5be1f0b1c9f1d2b3a4958677685746352413021f",
      14: "refs/heads/main",
      15: "19",
      16: "https://gitea.example.com/acme",
      17: "7",
      18: "https://gitea.example.com/acme/app/.gitea/workflows/release.yaml@refs/heads/main",
      19: "5be1f0b1c9f1d2b3a4958677685746352413021f",
      20: "push",
      21: "https://gitea.example.com/acme/app/actions/runs/88",
      22: "private",
    },
  },
  {
    preset: "gitlab",
    san: "https://gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
    extensions: {
      9: "https://gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
      10: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      11: "self-hosted",
      12: "https://gitlab.com/my-group/my-project",
      13: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      14: "refs/heads/feature-branch-1",
      15: "20",
      16: "https://gitlab.com/my-group",
      17: "72",
      18: "https://gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
      19: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      20: "push",
      21: "https://gitlab.com/my-group/my-project/-/jobs/302",
      22: "public",
      23: "test-environment2",
    },
  },
  {
    preset: "gitlab-self-managed",
    san: "https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/tags/v1.0",
    extensions: {
      9: "https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/tags/v1.0",
      10: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      11: "self-hosted",
      12: "https://gitlab.example.com/my-group/my-project",
      13: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      14: "refs/tags/v1.0",
      15: "20",
      16: "https://gitlab.example.com/my-group",
      17: "72",
      18: "https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/tags/v1.0",
      19: "714a629c0b401fdce83e847fc9589983fc6f46bc",
      20: "push",
      21: "https://gitlab.example.com/my-group/my-project/-/jobs/302",
      22: "public",
      23: "test-environment2",
    },
  },
  {
    preset: "buildkite",
    san: "https://buildkite.com/acme-inc/super-duper-app",
    extensions: {
      11: "buildkite-hosted",
      13: "9f3182061f1e2cca4702c368cbc039b7dc9d4485",
      20: "ui",
      21: "https://buildkite.com/acme-inc/super-duper-app/builds/1#0184990a-477b-4fa8-9968-496074483cee",
    },
  },
  {
    preset: "circleci",
    san: "https://circleci.com/api/v2/projects/c8f6a2e0-1b1c-4c44-9f59-7d1c36d4f1bb/pipeline-definitions/6b9a2c11-9b8d-4f8f-8f07-4ad7ba9b58ee",
    extensions: {
      9: "https://circleci.com/api/v2/projects/c8f6a2e0-1b1c-4c44-9f59-7d1c36d4f1bb/pipeline-definitions/6b9a2c11-9b8d-4f8f-8f07-4ad7ba9b58ee",
      11: '""',
      12: "github.com/acme/app",
      14: "refs/heads/main",
      18: "https://circleci.com/api/v2/pipeline/93a6d1a9-4b3b-4f5e-8a5d-0a4c7a6f30ff/config",
      21: "https://app.circleci.com//workflow/b2a3b8d1-7a55-4f93-8a3e-1f64d0b5c011/job/f2b7c3a9-0c9e-4f0e-9c2d-2f75e1c6d122",
    },
  },
  {
    preset: "jenkins",
    san: "https://jenkins.example.com/job/team/job/app/job/main/",
    extensions: {
      9: "https://jenkins.example.com/job/team/job/app/job/main/",
      18: "https://jenkins.example.com/job/team/job/app/job/main/",
      21: "https://jenkins.example.com/job/team/job/app/job/main/42/",
    },
  },
  {
    preset: "azure-devops",
    san: "https://dev.azure.com/acme/0b6f8e2d-52b3-4f41-9a9c-6f1d3c2e4003/_build?definitionId=17",
    extensions: {
      9: "https://dev.azure.com/acme/0b6f8e2d-52b3-4f41-9a9c-6f1d3c2e4003/_build?definitionId=17",
      12: "https://dev.azure.com/acme/payments/_git/payments",
      13: "4f2d1c0b9a8f7e6d5c4b3a291807f6e5d4c3b2a1",
      14: "refs/heads/main",
      15: "c3d2b1a0-1234-4a5b-8c6d-9e8f7a6b5004",
      16: "https://dev.azure.com/acme",
      17: "f1f3c2a4-8f5a-4f7c-9d5e-77a3a1a0b002",
      18: "https://dev.azure.com/acme/0b6f8e2d-52b3-4f41-9a9c-6f1d3c2e4003/_build?definitionId=17",
      21: "https://dev.azure.com/acme/0b6f8e2d-52b3-4f41-9a9c-6f1d3c2e4003/_build/results?buildId=2217",
    },
  },
  { preset: "kubernetes", san: "https://kubernetes.io/namespaces/ci/serviceaccounts/signer", extensions: {} },
  { preset: "spiffe", san: "spiffe://prod.example.com/ns/build/sa/signer", extensions: {} },
  { preset: "keycloak", name: "dev@example.com", san: "dev@example.com", extensions: {} },
  { preset: "dex", name: "dev@example.com", san: "dev@example.com", extensions: {} },
  {
    preset: "dex",
    name: "dev@example.com",
    san: "dev@example.com",
    extensions: { 1: "https://github.com/login/oauth", 8: "https://github.com/login/oauth" },
  },
  { preset: "entra-id", name: "dev@example.com", san: "dev@example.com", extensions: {} },
  { preset: "google", name: "dev@example.com", san: "dev@example.com", extensions: {} },
];

/** Extension values as upstream encodes them: bytes up to .6, DER UTF8String from .8. */
function encode(number: number, text: string): [string, string] {
  const bytes = new TextEncoder().encode(text);
  const length =
    bytes.length < 128
      ? [bytes.length]
      : bytes.length < 256
        ? [0x81, bytes.length]
        : [0x82, bytes.length >> 8, bytes.length & 255];
  return [
    `1.3.6.1.4.1.57264.1.${number}`,
    encodeHex(number < 8 ? bytes : Uint8Array.from([0x0c, ...length, ...bytes])),
  ];
}

const NUMBERED = /^1\.3\.6\.1\.4\.1\.57264\.1\.\d+$/;
const keyOf = (preset: string) => keys[preset === "spiffe" ? "ES256" : "RS256"];
const keys = { ES256: createSigningKey("ES256"), RS256: createSigningKey("RS256") };

/** Some of the tokens are of one issuer that is configured in two ways: an authority for each. */
const authorities: Map<string, object>[] = [];
const placeOf = new Map<PresetToken, number>();
for (const token of PRESET_TOKENS) {
  const { preset, issuer, entry } = token;
  let place = authorities.findIndex((issuers) => !issuers.has(issuer));
  if (place < 0) place = authorities.push(new Map()) - 1;
  authorities[place]!.set(issuer, { preset, ...entry, jwks: { keys: [keyOf(preset).jwk] } });
  placeOf.set(token, place);
}

let running: FulcioUnderTest[] = [];
beforeAll(async () => {
  running = await Promise.all(
    authorities.map((issuers) =>
      startFulcio({ config: JSON.stringify({ "oidc-issuers": Object.fromEntries(issuers) as object }) }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(running.map((fulcio) => fulcio[Symbol.asyncDispose]()));
});

/** The token as its issuer would sign it now. */
function signed({ preset, issuer, claims }: PresetToken): string {
  const later = nowSeconds() - 1_790_000_000;
  const times = Object.entries(claims).filter(([name]) => ["iat", "nbf", "exp", "auth_time"].includes(name));
  const moved = Object.fromEntries(times.map(([name, time]) => [name, Number(time) + later]));
  const { algorithm: alg, kid } = keyOf(preset);
  return jws({ typ: "JWT", alg, kid }, { iss: issuer, ...claims, ...moved }, keyOf(preset));
}

test.for(PRESET_TOKENS.map((token, place) => [token, EXPECTED[place]!] as const))(
  "$0.preset of $0.issuer gets for a real token the certificate that upstream makes of it, byte for byte",
  async ([token, expected]) => {
    const { issuer, claims } = token;
    expect(expected.preset).toBe(token.preset);
    const answer = await running[placeOf.get(token)!]!.enrol(signed(token), expected.name ?? claims.sub);
    expect(answer.status, answer.body).toBe(200);
    const leaf = new X509Certificate(leafOf(answer));
    const type = expected.name === undefined ? "url" : "email";
    const names = leaf.getExtension(SubjectAlternativeNameExtension)?.names.toJSON();
    expect(names).toEqual([{ type, value: expected.san }]);
    const texts: Record<number, string> = { 1: issuer, 8: issuer, 24: claims.sub, ...expected.extensions };
    const wanted = Object.entries(texts).map(([number, text]) => encode(Number(number), text));
    const made = leaf.extensions.filter(({ type: oid }) => NUMBERED.test(oid));
    expect(made.map(({ type: oid, value }) => [oid, Buffer.from(value).toString("hex")])).toEqual(wanted);
    expect(made.some(({ critical }) => critical)).toBe(false);
  },
);
