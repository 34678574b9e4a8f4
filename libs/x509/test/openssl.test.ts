import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePem } from "@chancery/encoding";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import { createTimestampingCertificate, parseCertificate, verifyTimestampingChain } from "../src/index.ts";
import { type Authority, authority, leafRequest, sct, YEAR_2026, YEAR_2036 } from "./world.ts";

const openssl = spawnSync("openssl", ["version"]).status === 0;

describe.skipIf(!openssl)("openssl (skipped where it is not installed)", () => {
  let directory: string;
  let ca: Authority;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "x509-"));
    ca = await authority();
    save("root.pem", ca.root.der);
    save("intermediate.pem", ca.intermediate.der);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const save = (name: string, bytes: Uint8Array) => {
    const path = join(directory, name);
    writeFileSync(path, encodePem("CERTIFICATE", bytes));
    return path;
  };
  const verify = (leaf: string, ...options: string[]) =>
    spawnSync(
      "openssl",
      [
        "verify",
        "-x509_strict",
        ...options,
        "-CAfile",
        join(directory, "root.pem"),
        "-untrusted",
        join(directory, "intermediate.pem"),
        leaf,
      ],
      { encoding: "utf8" },
    );

  test("prints the leaf as the profile says", async () => {
    const leaf = await ca.issuer.certificate(leafRequest(), [sct()]);
    const text = execFileSync("openssl", ["x509", "-inform", "DER", "-noout", "-text"], {
      input: leaf,
      encoding: "utf8",
    });
    expect(text).toContain("Version: 3 (0x2)");
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Extended Key Usage: \n\s+Code Signing\n/);
    expect(text).toMatch(/Subject Alternative Name: critical\n\s+email:dev@example.com/);
    expect(text).toMatch(/CT Precertificate SCTs: \n\s+Signed Certificate Timestamp/);
    expect(text).toContain("Subject: \n");
  });

  test("verifies the leaf up to the root, strictly", async () => {
    const leaf = save("leaf.pem", await ca.issuer.certificate(leafRequest(), [sct()]));
    const seconds = String(Date.parse("2026-11-21T10:05:00Z") / 1000);
    expect(verify(leaf, "-attime", seconds)).toMatchObject({ status: 0 });
  });

  test("refuses the precertificate: its poison is critical", async () => {
    const { der } = await ca.issuer.precertificate(leafRequest());
    const seconds = String(Date.parse("2026-11-21T10:05:00Z") / 1000);
    const result = verify(save("pre.pem", der), "-attime", seconds);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain("unhandled critical extension");
  });

  test("accepts the timestamping certificate for its purpose", async () => {
    const bytes = await createTimestampingCertificate({
      subject: { commonName: "Example TSA" },
      issuer: ca.root,
      issuerSigner: ca.rootSigner,
      spki: ephemeralSigner("ecdsa-p256").publicKey.spki,
      notBefore: YEAR_2026,
      notAfter: YEAR_2036,
    });
    verifyTimestampingChain([parseCertificate(bytes, "tsa"), ca.root]);
    const seconds = String(Date.parse("2027-01-01T00:00:00Z") / 1000);
    const result = verify(save("tsa.pem", bytes), "-attime", seconds, "-purpose", "timestampsign");
    expect(result).toMatchObject({ status: 0 });
  });
});
