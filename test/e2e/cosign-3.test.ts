import { readFile } from "node:fs/promises";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  needClients,
  type OciRegistry,
  startChancery,
  startOciRegistry,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PREDICATES } from "./predicates.ts";

const { missing, reason } = needClients("cosign-3", "docker-registry");

interface Service {
  readonly majorApiVersion: number;
}

describe.skipIf(missing)(`cosign 3 knows the stack from its TUF signing config alone${reason}`, () => {
  let stack: ChanceryProcess;
  let registry: OciRegistry;
  let home: ClientHome;
  let identity: string[];
  let trusted: string;

  beforeAll(async () => {
    [stack, registry, home] = await Promise.all([startChancery(), startOciRegistry(), clientHome()]);
    identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${stack.url}/idp`];
    await home.run("cosign-3", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    const root = await fetch(`${stack.url}/trust/trusted_root.json`);
    trusted = `--trusted-root=${await home.write("trusted_root.json", await root.text())}`;
  });
  afterAll(async () => {
    await Promise.all([stack, registry, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const token = async () => `--identity-token=${await stack.token()}`;
  const signBlob = async (name: string, ...more: string[]) => {
    const file = await home.write(name, `the file ${name}`);
    const bundle = `--bundle=${home.path(`${name}.sigstore.json`)}`;
    await home.run("cosign-3", "sign-blob", "--yes", await token(), bundle, ...more, file);
    return { file, bundle, read: async () => JSON.parse(await readFile(home.path(`${name}.sigstore.json`), "utf8")) };
  };

  test("signs a file and verifies it, transparency log, timestamp and SCT included", async () => {
    const { file, bundle, read } = await signBlob("blob");
    await home.run("cosign-3", "verify-blob", bundle, ...identity, file);
    const material = (await read()).verificationMaterial;
    expect(material.tlogEntries).toMatchObject([{ kindVersion: { kind: "hashedrekord", version: "0.0.2" } }]);
    expect(material.timestampVerificationData.rfc3161Timestamps).toHaveLength(1);
  });

  test("signs a file without the timestamp authority", async () => {
    const full = JSON.parse(await (await fetch(`${stack.url}/trust/signing_config.v0.2.json`)).text());
    const { tsaUrls: _urls, tsaConfig: _config, ...rest } = full;
    // An entry of the v1 log has a time of its own, one of the v2 log has not.
    const rekorTlogUrls = rest.rekorTlogUrls.filter(({ majorApiVersion }: Service) => majorApiVersion === 1);
    const config = `--signing-config=${await home.write("no-tsa.json", JSON.stringify({ ...rest, rekorTlogUrls }))}`;
    const { file, bundle, read } = await signBlob("unstamped", config);
    await home.run("cosign-3", "verify-blob", bundle, ...identity, file);
    expect((await read()).verificationMaterial.timestampVerificationData?.rfc3161Timestamps ?? []).toEqual([]);
  });

  test("signs an image and verifies it by exact identity and by pattern", async () => {
    const image = await registry.pushImage("signed");
    await home.run("cosign-3", "sign", "--yes", await token(), image);
    await home.run("cosign-3", "verify", ...identity, image);
    await home.run(
      "cosign-3",
      "verify",
      "--certificate-identity-regexp=^dev@example\\.com$",
      "--certificate-oidc-issuer-regexp=^http://localhost:[0-9]+/idp$",
      image,
    );
    await home.run("cosign-3", "verify", "--offline", ...identity, image);
    const tree = await home.run("cosign-3", "tree", image);
    expect(tree.stdout).toMatch(/sha256:[0-9a-f]{64}/);
  });

  test.for(Object.keys(PREDICATES))("attests an image with %s and verifies the attestation", async (type) => {
    const image = await registry.pushImage(`attested-${type}`);
    const predicate = await home.write(`${type}.json`, JSON.stringify(PREDICATES[type]));
    await home.run("cosign-3", "attest", "--yes", await token(), `--type=${type}`, `--predicate=${predicate}`, image);
    await home.run("cosign-3", "verify-attestation", `--type=${type}`, ...identity, image);
  });

  test("verifies from trusted_root.json alone, also with the stack stopped", async () => {
    const { file, bundle } = await signBlob("offline");
    const image = await registry.pushImage("offline");
    await home.run("cosign-3", "sign", "--yes", await token(), image);
    await using stranger = await clientHome();
    await stranger.run("cosign-3", "verify-blob", trusted, bundle, ...identity, file);

    await stack.stop();
    await using later = await clientHome();
    await later.run("cosign-3", "verify-blob", trusted, bundle, ...identity, file);
    await later.run("cosign-3", "verify", trusted, ...identity, image);
    stack = await stack.again();
  });
});
