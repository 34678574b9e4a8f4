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

const { missing, reason } = needClients("cosign-2", "cosign-3", "docker-registry");

describe.skipIf(missing)(`what cosign signed of an image is found by the image${reason}`, () => {
  let stack: ChanceryProcess;
  let registry: OciRegistry;
  let home: ClientHome;
  /** Each keeps what it knows of the stack in a form of its own. */
  let home3: ClientHome;

  beforeAll(async () => {
    [stack, registry, home, home3] = await Promise.all([
      startChancery(),
      startOciRegistry(),
      clientHome(),
      clientHome(),
    ]);
    await home.run("cosign-2", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    await home3.run("cosign-3", "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
  });
  afterAll(async () => {
    await Promise.all([stack, registry, home, home3].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const search = async (image: string) => {
    const answer = await fetch(`${stack.url}/api/chancery/v1/search?image=${encodeURIComponent(image)}`);
    expect(answer.status, await answer.clone().text()).toBe(200);
    const { results } = (await answer.json()) as { results: { log: string; logIndex: string }[] };
    return results.map(({ log, logIndex }) => `${log}/${logIndex}`);
  };
  const token = async () => `--identity-token=${await stack.token()}`;

  test("signed by cosign 2, in the v1 log: by the whole reference", async () => {
    const image = await registry.pushImage("by-cosign-2");
    const urls = [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`];
    await home.run("cosign-2", "sign", "--yes", ...urls, await token(), image);
    expect(await search(image)).toEqual(["rekor/0"]);
    expect(await search(image.replace("@", ":latest@"))).toEqual(["rekor/0"]);
    const [repository = "", digest = ""] = image.split("@");
    // Its text names the repository.
    expect(await search(digest)).toEqual([]);
    expect(await search(`${repository}-other@${digest}`)).toEqual([]);
  });

  test("signed by cosign 3, in the v2 log: by the reference or the digest alone", async () => {
    const image = await registry.pushImage("by-cosign-3");
    await home3.run("cosign-3", "sign", "--yes", await token(), image);
    const [, digest = ""] = image.split("@");
    for (const asked of [image, digest, digest.slice("sha256:".length).toUpperCase()]) {
      expect(await search(asked)).toEqual(["rekor-v2/0"]);
    }
  });

  test("attested by cosign 2, in the v1 log", async () => {
    const image = await registry.pushImage("attested");
    const predicate = await home.write("predicate.json", "{}");
    const urls = [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`];
    const type = ["--type=https://example.com/predicate", `--predicate=${predicate}`];
    await home.run("cosign-2", "attest", "--yes", ...urls, await token(), ...type, image);
    expect(await search(image)).toEqual(["rekor/1"]);
    expect(await search(image.split("@")[1] ?? "")).toEqual(["rekor/1"]);
  });
});
