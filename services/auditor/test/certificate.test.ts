import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { type Authority, authority, leafRequest, sct } from "../../../libs/x509/test/world.ts";
import { type Certificate, readCertificate, tbsWithout } from "../src/domain/certificate/certificate.ts";
import { certificateMatches, embeddedScts, precertificateMatches } from "../src/domain/certificate/ct-entry.ts";
import { lintLeaf, POISON, SCT_LIST } from "../src/domain/certificate/fulcio-profile.ts";

let ca: Authority;
let issuer: Certificate;
beforeAll(async () => {
  ca = await authority();
  issuer = readCertificate(ca.intermediate.der);
});

type Request = Parameters<typeof leafRequest>[0];

async function pair(changes: Request = {}) {
  const request = leafRequest(changes);
  const { der, tbs } = await ca.issuer.precertificate(request);
  const certificate = readCertificate(await ca.issuer.certificate(request, [sct()]));
  return { precertificate: readCertificate(der), certificate, tbs };
}

describe("what the CA issues keeps to the profile", () => {
  test.for([
    [{}],
    [{ san: { type: "uri", value: "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main" } }],
    [{ san: { type: "username", value: "name!example.com" } }],
    [{ spki: generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "der" }) }],
    [
      {
        extensions: {
          issuer: "https://token.actions.githubusercontent.com",
          "github-workflow-trigger": "push",
          "source-repository-uri": "https://github.com/o/r",
          "token-subject": "repo:o/r:ref:refs/heads/main",
        },
      },
    ],
  ] as [Request][])("%o", async ([changes]) => {
    const { precertificate, certificate, tbs } = await pair(changes);
    expect(lintLeaf(precertificate, "precertificate", issuer)).toEqual([]);
    expect(lintLeaf(certificate, "certificate", issuer)).toEqual([]);
    expect(precertificateMatches({ tbs, certificate: precertificate } as never)).toBe(true);
    expect(certificateMatches(certificate, { tbs })).toBe(true);
    expect(embeddedScts(certificate)).toHaveLength(1);
    const unlogged = readCertificate(await ca.issuer.unloggedCertificate(leafRequest(changes)));
    expect(lintLeaf(unlogged, "unlogged", issuer)).toEqual([]);
  });

  test("taking out the poison or the SCT list gives the same bytes as the issuer wrote without them", async () => {
    const { precertificate, certificate, tbs } = await pair();
    expect(Buffer.from(tbsWithout(precertificate, POISON))).toEqual(Buffer.from(tbs));
    expect(Buffer.from(tbsWithout(certificate, SCT_LIST))).toEqual(Buffer.from(tbs));
  });
});

const at = (minutes: number) => new Date(Date.parse("2026-11-21T10:00:00Z") + minutes * 60_000);

describe("what departs from it is told", () => {
  test.for([
    ["lives for", { notBefore: at(0), notAfter: at(11) }],
    ["lives for", { notBefore: at(10), notAfter: at(10) }],
    ["outlives", { notBefore: new Date("2025-12-31T23:55:00Z"), notAfter: new Date("2026-01-01T00:01:00Z") }],
    ["serial", { serial: Uint8Array.of(1, 2, 3) }],
    [
      "key",
      {
        spki: generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export({ type: "spki", format: "der" }),
      },
    ],
    [
      "key",
      { spki: generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "der" }) },
    ],
  ] as [string, Request][])("%s: %o", async ([complaint, changes]) => {
    const { certificate } = await pair(changes);
    expect(lintLeaf(certificate, "certificate", issuer).join("; ")).toContain(complaint);
  });

  test("a precertificate is no certificate, and neither is unlogged", async () => {
    const { precertificate, certificate } = await pair();
    expect(lintLeaf(precertificate, "certificate", issuer)).not.toEqual([]);
    expect(lintLeaf(certificate, "precertificate", issuer)).not.toEqual([]);
    expect(lintLeaf(certificate, "unlogged", issuer)).not.toEqual([]);
  });

  test("one of another CA with the same name is not signed by its issuer", async () => {
    const other = readCertificate((await authority()).intermediate.der);
    const { certificate } = await pair();
    expect(lintLeaf(certificate, "certificate", other).join()).toContain("not signed by its issuer");
  });

  test("each single bit of a TBS, another wherever it stands", async () => {
    const { certificate, tbs } = await pair();
    for (let octet = 4; octet < tbs.length; octet += 7) {
      const other = Uint8Array.from(tbs);
      other[octet] = (other[octet] ?? 0) ^ 1;
      expect(certificateMatches(certificate, { tbs: other })).toBe(false);
    }
  });
});
