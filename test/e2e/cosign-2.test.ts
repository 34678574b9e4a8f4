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

const { missing, reason } = needClients("cosign-2", "docker-registry");

describe.skipIf(missing)(`cosign 2.5 against a stack of one's own${reason}`, () => {
  let stack: ChanceryProcess;
  let registry: OciRegistry;
  let home: ClientHome;
  let identity: string[];
  let urls: string[];

  beforeAll(async () => {
    [stack, registry, home] = await Promise.all([startChancery(), startOciRegistry(), clientHome()]);
    urls = [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`];
    identity = ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${stack.url}/idp`];
    await home.run("cosign-2", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
  });
  afterAll(async () => {
    await Promise.all([stack, registry, home].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const token = async () => `--identity-token=${await stack.token()}`;
  const sign = async (image: string, ...more: string[]) =>
    home.run("cosign-2", "sign", "--yes", ...urls, await token(), ...more, image);

  test("signs a file and verifies it", async () => {
    const file = await home.write("blob", "a file");
    const bundle = `--bundle=${home.path("blob.bundle")}`;
    await home.run("cosign-2", "sign-blob", "--yes", ...urls, await token(), bundle, file);
    await home.run("cosign-2", "verify-blob", bundle, ...identity, file);
  });

  test("signs a file with a timestamp and verifies both", async () => {
    const file = await home.write("stamped", "a stamped file");
    const bundle = `--bundle=${home.path("stamped.bundle")}`;
    const timestamp = `--rfc3161-timestamp=${home.path("stamped.tsr")}`;
    const authority = `--timestamp-server-url=${stack.url}/api/v1/timestamp`;
    await home.run("cosign-2", "sign-blob", "--yes", ...urls, await token(), authority, timestamp, bundle, file);
    await home.run("cosign-2", "verify-blob", "--use-signed-timestamps", bundle, timestamp, ...identity, file);
  });

  test("signs and verifies a file in the new bundle format", async () => {
    const file = await home.write("new", "a file in the new format");
    const bundle = `--bundle=${home.path("new.sigstore.json")}`;
    const root = await (await fetch(`${stack.url}/trust/trusted_root.json`)).text();
    const trusted = `--trusted-root=${await home.write("trusted_root.json", root)}`;
    await home.run("cosign-2", "sign-blob", "--yes", "--new-bundle-format", ...urls, await token(), bundle, file);
    await home.run("cosign-2", "verify-blob", "--new-bundle-format", trusted, bundle, ...identity, file);
  });

  test("signs an image and verifies it by exact identity, by pattern and offline", async () => {
    const image = await registry.pushImage("signed");
    await sign(image);
    const exact = await home.run("cosign-2", "verify", ...identity, image);
    expect(exact.stderr).toMatch(/Existence of the claims in the transparency log was verified offline/);
    expect(exact.stderr).toMatch(/certificate was verified using trusted certificate authority certificates/i);
    await home.run(
      "cosign-2",
      "verify",
      "--certificate-identity-regexp=^dev@example\\.com$",
      "--certificate-oidc-issuer-regexp=^http://localhost:[0-9]+/idp$",
      image,
    );
    await home.run("cosign-2", "verify", "--offline", ...identity, image);
  });

  test("shows a signature in the image's tree", async () => {
    const image = await registry.pushImage("tree");
    await sign(image);
    const tree = await home.run("cosign-2", "tree", image);
    expect(tree.stdout).toContain("Signatures for an image tag");
  });

  test("signs the same image twice", async () => {
    const image = await registry.pushImage("twice");
    await sign(image);
    await sign(image);
    const verified = await home.run("cosign-2", "verify", "--output=json", ...identity, image);
    expect(JSON.parse(verified.stdout).length).toBeGreaterThan(0);
  });

  test.for(Object.keys(PREDICATES))("attests an image with %s and verifies the attestation", async (type) => {
    const image = await registry.pushImage(`attested-${type}`);
    const predicate = await home.write(`${type}.json`, JSON.stringify(PREDICATES[type]));
    const about = [`--type=${type}`];
    await home.run("cosign-2", "attest", "--yes", ...urls, await token(), ...about, `--predicate=${predicate}`, image);
    const verified = await home.run("cosign-2", "verify-attestation", ...about, ...identity, image);
    expect(verified.stdout).toContain("payload");
    const tree = await home.run("cosign-2", "tree", image);
    expect(tree.stdout).toContain("Attestations for an image tag");
  });

  test("attests with an intoto entry, as older pipelines do", async () => {
    const image = await registry.pushImage("attested-intoto");
    const predicate = await home.write("intoto.json", JSON.stringify(PREDICATES["spdxjson"]));
    const about = ["--type=spdxjson"];
    const entry = "--rekor-entry-type=intoto";
    await home.run(
      "cosign-2",
      "attest",
      "--yes",
      ...urls,
      await token(),
      entry,
      ...about,
      `--predicate=${predicate}`,
      image,
    );
    await home.run("cosign-2", "verify-attestation", ...about, ...identity, image);
  });
});
