import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientHome, clientHome, findClient, needClients } from "@chancery/testing";
import { onlyEntry, type RunningRekor, startRekor } from "./running-rekor.ts";

const { missing, reason } = needClients("cosign-2");

/** cosign with keys of its own: all it needs is this log. What needs the CA too stands in the end-to-end suite. */
describe.skipIf(missing)(`cosign 2${reason}`, () => {
  let rekor: RunningRekor;
  let home: ClientHome;
  let environment: Record<string, string> = {};

  beforeAll(async () => {
    [rekor, home] = await Promise.all([startRekor(), clientHome()]);
    environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: home.folder,
      COSIGN_PASSWORD: "",
      SIGSTORE_REKOR_PUBLIC_KEY: await home.write("rekor.pub", rekor.pem),
    };
    await cosign("generate-key-pair");
    const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
    await home.write("ed25519.pem", pem);
    await cosign("import-key-pair", "--key", "ed25519.pem", "--output-key-prefix", "ed25519");
    await home.write("artifact", "what is signed");
    await home.write("predicate.json", '{"builder":{"id":"b"},"buildType":"t","invocation":{}}');
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await rekor[Symbol.asyncDispose]();
  });

  const cosign = (...args: string[]) =>
    promisify(execFile)(findClient("cosign-2") ?? "", args, { cwd: home.folder, env: environment });
  const sign = (command: string, ...args: string[]) =>
    cosign(command, "--yes", "--rekor-url", rekor.url, ...args, "artifact");
  const verify = async (command: string, ...args: string[]) =>
    expect((await cosign(command, "--rekor-url", rekor.url, ...args, "artifact")).stderr).toContain("Verified OK");

  const attest = (key: string, kind: string, name: string) => {
    const what = ["--key", `${key}.key`, "--predicate", "predicate.json", "--type", "slsaprovenance"];
    const where = ["--output-signature", `${name}.sig`, "--bundle", `${name}.bundle`];
    return sign("attest-blob", ...what, "--rekor-entry-type", kind, ...where);
  };

  async function treeSize(): Promise<number> {
    return (await rekor.request("GET", "/api/v1/log")).json.treeSize;
  }

  async function newest(): Promise<{ kind: string; apiVersion: string; attestation: boolean }> {
    const { json } = await rekor.request("GET", `/api/v1/log/entries?logIndex=${(await treeSize()) - 1}`);
    const { body, attestation } = onlyEntry(json);
    const { kind, apiVersion } = JSON.parse(Buffer.from(body, "base64").toString());
    return { kind, apiVersion, attestation: attestation !== undefined };
  }

  test("signs a file, and verifies it from its bundle and from the log alone", async () => {
    await sign("sign-blob", "--key", "cosign.key", "--output-signature", "file.sig", "--bundle", "file.bundle");
    expect(await newest()).toEqual({ kind: "hashedrekord", apiVersion: "0.0.1", attestation: false });
    await verify("verify-blob", "--key", "cosign.pub", "--bundle", "file.bundle");
    await verify("verify-blob", "--key", "cosign.pub", "--signature", "file.sig");
  });

  test("attests a file as dsse and as intoto, and verifies it from its bundle and from the log alone", async () => {
    const checked = ["--key", "cosign.pub", "--type", "slsaprovenance"];
    await attest("cosign", "dsse", "dsse");
    expect(await newest()).toEqual({ kind: "dsse", apiVersion: "0.0.1", attestation: false });
    await verify("verify-blob-attestation", ...checked, "--bundle", "dsse.bundle");
    await verify("verify-blob-attestation", ...checked, "--signature", "dsse.sig");
    await attest("cosign", "intoto", "intoto");
    expect(await newest()).toMatchObject({ kind: "intoto", attestation: true });
    await verify("verify-blob-attestation", ...checked, "--bundle", "intoto.bundle");
    await verify("verify-blob-attestation", ...checked, "--signature", "intoto.sig");
  });

  test("may log the same entry twice: it follows the 409 to the first", async () => {
    // Ed25519 signs one message in one way only.
    await attest("ed25519", "dsse", "once");
    const before = await treeSize();
    await attest("ed25519", "dsse", "again");
    expect(await treeSize()).toBe(before);
    const checked = ["--key", "ed25519.pub", "--type", "slsaprovenance"];
    await verify("verify-blob-attestation", ...checked, "--bundle", "again.bundle");
  });

  test("does not take a signature that the log never saw", async () => {
    await sign("sign-blob", "--key", "cosign.key", "--tlog-upload=false", "--output-signature", "unlogged.sig");
    await expect(verify("verify-blob", "--key", "cosign.pub", "--signature", "unlogged.sig")).rejects.toThrow(
      /not found in transparency log/,
    );
  });
});
