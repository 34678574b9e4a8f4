import { encodeHex } from "@chancery/encoding";
import { encodeFulcioExtensions } from "@chancery/x509";
import { describe, expect, test } from "vitest";
import { type Claims, ISSUER, principal, principalUnder, refusal } from "./principal-of.ts";

/** Each extension as a certificate holds it: object identifier without the arc, value in hexadecimal. */
const encoded = (made: ReturnType<typeof principal>) =>
  encodeFulcioExtensions(made.extensions).map(({ oid, value }) => [oid.slice(19), encodeHex(value)]);

// What upstream's own code (pkg/identity, August 2026) writes for the same tokens.
const ISSUER_EXTENSIONS = [
  [".1", "68747470733a2f2f6973737565722e6578616d706c652e636f6d"],
  [".8", "0c1a68747470733a2f2f6973737565722e6578616d706c652e636f6d"],
];

describe("buildkite-job", () => {
  const settings = "type: buildkite-job";
  const claims = { organization_slug: "acme-inc", pipeline_slug: "super-duper-app" };

  test("names the pipeline and says nothing of the build, byte for byte as upstream", () => {
    const made = principal(settings, claims, "organization:acme-inc:pipeline:super-duper-app");
    expect(made.name).toBe("organization:acme-inc:pipeline:super-duper-app");
    expect(made.san).toEqual({ type: "uri", value: "https://buildkite.com/acme-inc/super-duper-app" });
    const subject = "0c2e6f7267616e697a6174696f6e3a61636d652d696e633a706970656c696e653a73757065722d64757065722d617070";
    expect(encoded(made)).toEqual([...ISSUER_EXTENSIONS, [".24", subject]]);
  });

  test.for(Object.keys(claims))("refuses a token without %s", (name) => {
    expect(refusal(() => principal(settings, { ...claims, [name]: undefined }))).toBe(
      `missing ${name} claim in ID token`,
    );
  });

  test.for(["a/b", "..", "a?b", "a#b", "%2e%2e", "a/", "a\n", 1, null, {}, ["a"]])("refuses the slug %j", (slug) => {
    for (const name of Object.keys(claims)) {
      expect(refusal(() => principal(settings, { ...claims, [name]: slug }))).not.toMatch(/accepted|not a fault/);
    }
  });
});

const CODEFRESH = {
  account_id: "628a80b693a15c0f9c13ab75",
  account_name: "acme",
  pipeline_id: "65e5a53e52853dc51a5b0cc1",
  pipeline_name: "oidc test/get-token",
  workflow_id: "64f447c02199f903000aa020",
  initiator: "dev",
  scm_user_name: "dev",
  scm_repo_url: "https://github.com/acme/oidc-test",
  scm_ref: "main",
  runner_environment: "hybrid",
  platform_url: "https://ci.example.com/cf/",
};

describe("codefresh-workflow", () => {
  const settings = "type: codefresh-workflow";

  test("writes its claims where upstream writes them, byte for byte", () => {
    const made = principal(settings, CODEFRESH, "account:628a");
    expect(made.san.value).toBe(
      "https://ci.example.com/cf/acme/oidc%20test/get-token:628a80b693a15c0f9c13ab75/65e5a53e52853dc51a5b0cc1",
    );
    const build =
      "0c3868747470733a2f2f63692e6578616d706c652e636f6d2f63662f6275696c642f363466343437633032313939663930333030306161303230";
    expect(encoded(made)).toEqual([
      ...ISSUER_EXTENSIONS,
      [".9", build],
      [".11", "0c06687962726964"],
      [".12", "0c2168747470733a2f2f6769746875622e636f6d2f61636d652f6f6964632d74657374"],
      [".14", "0c046d61696e"],
      [
        ".18",
        "0c4068747470733a2f2f63692e6578616d706c652e636f6d2f63662f6170692f706970656c696e65732f363565356135336535323835336463353161356230636331",
      ],
      [".21", build],
      [".24", "0c0c6163636f756e743a36323861"],
    ]);
  });

  test("is at g.codefresh.io unless the token says otherwise; a build without a repository has none", () => {
    const { platform_url: _, scm_repo_url: __, scm_ref: ___, runner_environment: ____, ...least } = CODEFRESH;
    const made = principal(settings, least, "s");
    expect(made.san.value).toMatch(/^https:\/\/g\.codefresh\.io\/acme\//);
    expect(encoded(made).map(([oid]) => oid)).toEqual([".1", ".8", ".9", ".18", ".21", ".24"]);
  });

  test.for(["account_id", "account_name", "pipeline_id", "pipeline_name", "workflow_id"])(
    "refuses a token without %s",
    (name) => {
      expect(refusal(() => principal(settings, { ...CODEFRESH, [name]: "" }))).toBe(
        `missing ${name} claim in ID token`,
      );
    },
  );

  test.for([
    { platform_url: "http://ci.example.com" },
    { platform_url: "https://ci.example.com?x" },
    { platform_url: "https://a@ci.example.com" },
    { platform_url: "https://ci.example.com/../x" },
    { platform_url: "javascript:alert(1)" },
    { account_name: "../other" },
    { pipeline_name: "a/../../b" },
    { scm_ref: "a\u0000b" },
    { scm_ref: 1 },
    { workflow_id: ["a"] },
  ] satisfies Claims[])("refuses %j", (change) => {
    expect(refusal(() => principal(settings, { ...CODEFRESH, ...change }))).not.toMatch(/accepted|not a fault/);
  });
});

describe("chainguard-identity", () => {
  const settings = "type: chainguard-identity";

  test("names the identity under its issuer, byte for byte as upstream", () => {
    const act = { iss: "https://iss.example.com/", sub: "catalog-syncer:fa9c", aud: "chainguard" };
    const made = principal(settings, { act }, "fa9c1d2e/0e2b3a4c");
    expect(made.name).toBe("fa9c1d2e/0e2b3a4c");
    expect(made.san).toEqual({ type: "uri", value: `${ISSUER}/fa9c1d2e/0e2b3a4c` });
    expect(encoded(made)).toEqual([...ISSUER_EXTENSIONS, [".24", "0c1166613963316432652f3065326233613463"]]);
  });

  test("takes the proof over the address if there is one, because cosign signs that", () => {
    const made = principal(settings, { email: "dev@example.com", email_verified: true }, "fa9c1d2e");
    expect([made.name, made.san.value]).toEqual(["dev@example.com", `${ISSUER}/fa9c1d2e`]);
  });

  test.for([undefined, false, "false", 0, 1, "TRUE", null])("refuses an address that is verified %j", (verified) => {
    const claims = { email: "dev@example.com", email_verified: verified };
    expect(refusal(() => principal(settings, claims, "fa9c1d2e"))).toBe("not verified by identity provider");
  });

  test.for(["a/../b", "/a", "a//b", "a/", "a\u0000", "%2e%2e/b"])("refuses the subject %j", (subject) => {
    expect(refusal(() => principal(settings, {}, subject))).not.toMatch(/accepted|not a fault/);
  });
});

describe("a claim that is null", () => {
  const config = `
oidc-issuers: { "${ISSUER}": { client-id: sigstore, type: ci-provider, ci-provider: ci } }
ci-issuer-metadata:
  ci:
    default-template-values: { environment: "" }
    subject-alternative-name-template: "https://{{ .config }}"
    extension-templates: { build-signer-digest: ci_config_sha, deployment-environment: environment }
`;

  test("is written as Go prints it: GitLab sends one where the pipeline is another project's", () => {
    const { extensions } = principalUnder(
      config,
      { config: "a.example.com/b", ci_config_sha: null, environment: null },
      "s",
    );
    expect(extensions).toMatchObject({ "build-signer-digest": "<nil>", "deployment-environment": "<nil>" });
  });

  test("is refused where it would be part of a name", () => {
    const claims = { config: null, ci_config_sha: "a" };
    expect(refusal(() => principalUnder(config, claims, "s"))).toBe("config claim is null");
  });
});
