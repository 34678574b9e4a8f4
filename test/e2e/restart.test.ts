import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

type Cosign = "cosign-2" | "cosign-3";

const { missing, reason } = needClients("cosign-2", "cosign-3");

describe.skipIf(missing)(`what was signed before a restart verifies after it${reason}`, () => {
  let stack: ChanceryProcess;
  let homes: Record<Cosign, ClientHome>;

  beforeEach(async () => {
    stack = await startChancery();
    homes = { "cosign-2": await clientHome(), "cosign-3": await clientHome() };
  });
  afterEach(async () => {
    await Promise.all([stack, ...Object.values(homes)].map((part) => part?.[Symbol.asyncDispose]()));
  });

  const sign = async (client: Cosign, name: string) => {
    const urls = client === "cosign-2" ? [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`] : [];
    const file = await homes[client].write(name, `the file ${name}`);
    const bundle = `--bundle=${homes[client].path(`${name}.bundle`)}`;
    await homes[client].run(
      client,
      "sign-blob",
      "--yes",
      ...urls,
      `--identity-token=${await stack.token()}`,
      bundle,
      file,
    );
  };
  const verify = (client: Cosign, name: string) =>
    homes[client].run(
      client,
      "verify-blob",
      `--bundle=${homes[client].path(`${name}.bundle`)}`,
      "--certificate-identity=dev@example.com",
      `--certificate-oidc-issuer=${stack.url}/idp`,
      homes[client].path(name),
    );
  const initialize = async () => {
    for (const client of ["cosign-2", "cosign-3"] as const) {
      await homes[client].run(client, "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    }
  };
  const v2Size = async () => (await checkpoint()).split("\n")[1];
  const checkpoint = async () => (await fetch(`${stack.url}/api/v2/checkpoint`)).text();
  const root = async () => (await fetch(`${stack.url}/tuf/root.json`)).text();

  test.for(["stop", "kill"] as const)("%s", async (how) => {
    await initialize();
    await sign("cosign-2", "old");
    await sign("cosign-3", "new");
    const before = { log: await stack.logState(), checkpoint: await checkpoint(), root: await root() };

    if (how === "stop") expect(await stack.stop()).toBe(0);
    else await stack.kill();
    stack = await stack.again();

    expect(await stack.logState()).toEqual(before.log);
    expect(await checkpoint()).toBe(before.checkpoint);
    expect(await root()).toBe(before.root);
    await verify("cosign-2", "old");
    await verify("cosign-3", "new");
    await sign("cosign-3", "after");
    await verify("cosign-3", "after");
    expect((await stack.logState()).treeSize).toBe(1);
    expect(await v2Size()).toBe("2");
  });

  test("keys are for their owner's eyes only", async () => {
    const { readdir } = await import("node:fs/promises");
    const keys = join(stack.data, "keys");
    const modes = await Promise.all(
      (await readdir(keys)).map(async (name) => (await stat(join(keys, name))).mode & 0o777),
    );
    expect(modes.length).toBeGreaterThan(4);
    expect(new Set(modes)).toEqual(new Set([0o600]));
  });
});
