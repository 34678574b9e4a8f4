import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundleToJSON } from "@sigstore/bundle";
import { SigningConfig } from "@sigstore/protobuf-specs";
import { bundleBuilderFromSigningConfig } from "@sigstore/sign";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  needClients,
  type OciRegistry,
  startChancery,
  startOciRegistry,
} from "@chancery/testing";
import { verify } from "sigstore";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, "../../services/chancery/dist/main.js");
const V2_ENTRY = { kindVersion: { kind: "hashedrekord", version: "0.0.2" } };

describe("sigstore-js takes the v2 log from the signing config", () => {
  let stack: ChanceryProcess;
  let folder: string;
  let tuf: { tufMirrorURL: string; tufRootPath: string; tufCachePath: string };

  beforeAll(async () => {
    stack = await startChancery();
    folder = await mkdtemp(join(tmpdir(), "chancery-sigstore-js-"));
    const tufRootPath = join(folder, "root.json");
    await writeFile(tufRootPath, await (await fetch(`${stack.url}/tuf/root.json`)).text());
    tuf = { tufMirrorURL: `${stack.url}/tuf`, tufRootPath, tufCachePath: join(folder, "cache") };
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const sign = async (bundleType: "messageSignature" | "dsseEnvelope", data: Buffer, type?: string) => {
    const config = await (await fetch(`${stack.url}/trust/signing_config.v0.2.json`)).json();
    const builder = bundleBuilderFromSigningConfig({
      signingConfig: SigningConfig.fromJSON(config),
      identityProvider: { getToken: () => stack.token() },
      bundleType,
    });
    return bundleToJSON(await builder.create({ data, ...(type === undefined ? {} : { type }) }));
  };
  const policy = () => ({
    certificateIssuer: `${stack.url}/idp`,
    certificateIdentityEmail: "dev@example.com",
    ctLogThreshold: 1,
    tlogThreshold: 1,
    timestampThreshold: 1,
  });

  test("signs a message and verifies it", async () => {
    const message = Buffer.from("a message");
    const bundle = await sign("messageSignature", message);
    expect(bundle.verificationMaterial.tlogEntries).toMatchObject([V2_ENTRY]);
    await verify(bundle, message, { ...tuf, ...policy() });
    await expect(verify(bundle, Buffer.from("another"), { ...tuf, ...policy() })).rejects.toThrow(/signature/i);
  });

  test("signs an attestation, which is logged as the hashedrekord of its encoding, and verifies it", async () => {
    const statement = Buffer.from(JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject: [] }));
    const bundle = await sign("dsseEnvelope", statement, "application/vnd.in-toto+json");
    expect(bundle.verificationMaterial.tlogEntries).toMatchObject([V2_ENTRY]);
    await verify(bundle, { ...tuf, ...policy() });
  });
});

const { missing, reason } = needClients("cosign-3", "docker-registry");

describe.skipIf(missing)(`cosign 3 takes the v2 log from the signing config${reason}`, () => {
  let stack: ChanceryProcess;
  let registry: OciRegistry;
  let home: ClientHome;
  let identity: string[];

  beforeAll(async () => {
    [stack, registry, home] = await Promise.all([startChancery(), startOciRegistry(), clientHome()]);
    identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${stack.url}/idp`];
    await home.run("cosign-3", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
  });
  afterAll(async () => {
    await Promise.all([stack, registry, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const size = async () => {
    const [, count] = (await (await fetch(`${stack.url}/api/v2/checkpoint`)).text()).split("\n");
    return Number(count);
  };

  test("for blobs, images and attestations, and fsck finds the log whole", async () => {
    const token = async () => `--identity-token=${await stack.token()}`;
    const before = await size();
    const file = await home.write("blob", "a file");
    const bundle = `--bundle=${home.path("blob.json")}`;
    await home.run("cosign-3", "sign-blob", "--yes", await token(), bundle, file);
    await home.run("cosign-3", "verify-blob", bundle, ...identity, file);
    const { verificationMaterial } = JSON.parse(await readFile(home.path("blob.json"), "utf8"));
    expect(verificationMaterial.tlogEntries).toMatchObject([V2_ENTRY]);
    const image = await registry.pushImage("signed");
    await home.run("cosign-3", "sign", "--yes", await token(), image);
    await home.run("cosign-3", "verify", ...identity, image);
    const predicate = await home.write("predicate.json", "{}");
    const type = "--type=https://example.com/predicate";
    await home.run("cosign-3", "attest", "--yes", await token(), type, `--predicate=${predicate}`, image);
    await home.run("cosign-3", "verify-attestation", type, ...identity, image);
    expect(await size()).toBe(before + 3);
    const { stdout } = await run(process.execPath, [MAIN, "fsck", "--url", stack.url]);
    expect(stdout).toContain(`rekor-v2: clean: ${before + 3} entries`);
    expect(stdout).toContain("rekor: clean: 0 entries");
  });
});

describe.skipIf(missing)(`a v2 log whose key is Ed25519${reason}`, () => {
  let folder: string;
  let stack: ChanceryProcess;
  let home: ClientHome;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chancery-ed25519-"));
    const config = join(folder, "chancery.yaml");
    // Only for the log's key: serve is started without it, and has the development identity provider.
    const issuer = { preset: "gitlab-self-managed", "client-id": "sigstore" };
    const chancery = { rekor: { "v2-log-key": "ed25519" } };
    await writeFile(config, JSON.stringify({ "oidc-issuers": { "https://gitlab.example.com": issuer }, chancery }));
    const data = join(folder, "data");
    await run(process.execPath, [MAIN, "init", "--data", data, "--config", config]);
    [stack, home] = await Promise.all([startChancery({ data }), clientHome()]);
    await home.run("cosign-3", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
  });
  afterAll(async () => {
    await Promise.all([stack, home].map((part) => part?.[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  });

  test("is signed with and verified offline by cosign 3 and sigstore-js; fsck and the auditor find it whole", async () => {
    const root = home.path("trusted_root.json");
    const trusted = await (await fetch(`${stack.url}/trust/trusted_root.json`)).text();
    expect(JSON.parse(trusted).tlogs[1].publicKey.keyDetails).toBe("PKIX_ED25519");
    await writeFile(root, trusted);
    const file = await home.write("blob", "a file");
    const bundle = home.path("blob.json");
    const token = `--identity-token=${await stack.token()}`;
    await home.run("cosign-3", "sign-blob", "--yes", token, `--bundle=${bundle}`, file);
    const identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${stack.url}/idp`];
    await home.run("cosign-3", "verify-blob", `--bundle=${bundle}`, `--trusted-root=${root}`, ...identity, file);
    const tufRootPath = home.path("root.json");
    await writeFile(tufRootPath, await (await fetch(`${stack.url}/tuf/root.json`)).text());
    const tuf = { tufMirrorURL: `${stack.url}/tuf`, tufRootPath, tufCachePath: home.path("cache") };
    await verify(JSON.parse(await readFile(bundle, "utf8")), Buffer.from("a file"), { ...tuf, tlogThreshold: 1 });
    const fsck = await run(process.execPath, [MAIN, "fsck", "--url", stack.url]);
    expect(fsck.stdout).toContain("rekor-v2: clean: 1 entry");
    const state = join(folder, "auditor");
    const audit = await run(process.execPath, [MAIN, "auditor", "--url", stack.url, "--state", state, "--once"]);
    expect(audit.stdout).toContain(
      "passed  checkpoint of rekor-v2: the checkpoint of size 1 extends all that were seen",
    );
  });
});
