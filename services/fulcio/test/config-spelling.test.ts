import { describe, expect, test } from "vitest";
import { parseFulcioConfig } from "../src/index.ts";

const ISSUER = "https://issuer.example.com";
const yaml = (keys: string) =>
  `oidc-issuers:\n  ${ISSUER}:\n    client-id: sigstore\n${keys.replaceAll(/^/gm, "    ")}\n`;

/** One issuer of a file in legacy JSON. */
const json = (issuer: object, rest: object = {}, url = ISSUER) =>
  JSON.stringify({ OIDCIssuers: { [url]: issuer }, ...rest });

describe("a key's spelling", () => {
  test.for([
    [
      "of an issuer",
      yaml("type: email\nskip-email-verificaton: true"),
      /here; known are issuer-url, client-id, type, /,
    ],
    ["of an issuer in JSON", json({ Type: "email", Clientt: "a" }), /here; known are IssuerURL, ClientID, Type, /],
    ["of a policy", yaml("type: email\npolicy: { defalt: deny }"), /known are default, dry-run, deny, allow$/],
    ["of CI metadata", "ci-issuer-metadata: { x: { san: a } }", /known are default-template-values, extension-/],
    ["of an extension", "ci-issuer-metadata: { x: { extension-templates: { sha: b } } }", /github-workflow-sha, /],
    [
      "of the file",
      `${yaml("type: email")}issuers: {}`,
      /known are oidc-issuers, meta-issuers, ci-issuer-metadata, define, chancery$/,
    ],
  ] as const)("an unknown key %s is refused with those that are known", ([, config, complaint]) => {
    expect(() => parseFulcioConfig(config, ["chancery"])).toThrow(complaint);
  });

  test.for([
    [`oidc-issuers:\n  ${ISSUER}: { clientId: sigstore, type: email }`, "clientId", "client-id"],
    [yaml("type: email\nskipEmailVerification: true"), "skipEmailVerification", "skip-email-verification"],
    [yaml("Type: email"), "Type", "type"],
    [`OIDCIssuers:\n  ${ISSUER}: { client-id: a, type: email }`, "OIDCIssuers", "oidc-issuers"],
    [yaml("type: email\npolicy: { default: deny, DryRun: true }"), "DryRun", "dry-run"],
  ] as const)("JSON's in YAML, which upstream passes over, is not taken: %#", ([config, written, wanted]) => {
    const complaint = `${written}: is spelt as in JSON; in YAML the key is ${wanted}`;
    expect(() => parseFulcioConfig(config)).toThrow(complaint);
  });

  test.for<[config: string, complaint: string]>([
    [json({ Type: "email" }), `OIDCIssuers.${ISSUER}.ClientID: is missing`],
    [json({ clientid: "a", type: "emial" }), `OIDCIssuers.${ISSUER}.type: emial is not one of`],
    [json({ ClientID: "a", Type: "uri", SubjectDomain: "x.y" }), `OIDCIssuers.${ISSUER}.SubjectDomain: must contain`],
    [json({ ClientID: "a", Type: "email", CACert: "x" }), `OIDCIssuers.${ISSUER}.CACert: is not PEM`],
    [json({ ClientID: "a", Type: "email", Policy: {} }), `OIDCIssuers.${ISSUER}.Policy.Default: must say allow`],
    [json({ ClientID: "a", Type: "email" }, {}, "ftp://a.example"), "OIDCIssuers.ftp://a.example: is not an issuer"],
    ["{}", "OIDCIssuers: no issuer is configured"],
    [
      json({}, { ciIssuerMetadata: { "a.b": { ExtensionTemplates: { BuildTrigger: "{{ .a }" } } } }),
      "ciIssuerMetadata.a.b.SubjectAlternativeNameTemplate: is missing",
    ],
    [
      json(
        {},
        {
          CIIssuerMetadata: {
            x: { SubjectAlternativeNameTemplate: "a", ExtensionTemplates: { BuildTrigger: "{{ .a }" } },
          },
        },
      ),
      "CIIssuerMetadata.x.ExtensionTemplates.BuildTrigger: template: ",
    ],
  ])("of legacy JSON is what an error about it names: %#", ([config, complaint]) => {
    expect(() => parseFulcioConfig(config)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(RegExp(`^${RegExp.escape(complaint)}`)) }),
    );
  });

  test("of legacy JSON is where an explanation says that an issuer stands", () => {
    const [issuer] = parseFulcioConfig(json({ ClientID: "a", Type: "email" })).issuers;
    expect(issuer?.key).toBe(`OIDCIssuers.${ISSUER}`);
  });

  test("JSON with YAML's own is complained of by those", () => {
    const config = JSON.stringify({ "oidc-issuers": { [ISSUER]: { type: "email" } } });
    expect(() => parseFulcioConfig(config)).toThrow(`oidc-issuers.${ISSUER}.client-id: is missing`);
  });
});
