import { ephemeralSigner } from "@chancery/crypto";
import { MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService } from "@chancery/service";
import { beforeAll, describe, expect, test } from "vitest";
import { CtLogModule, ctTreeHeadSigner } from "../src/index.ts";
import { type Authority, createAuthority } from "./authority.ts";

let authority: Authority;
beforeAll(async () => void (authority = await createAuthority()));

async function shard(name: string) {
  const signer = ephemeralSigner("ecdsa-p256");
  const heads = ctTreeHeadSigner({ origin: `localhost/ctlog/${name}`, signer });
  const log = await TransparencyLog.open({
    name,
    create: true,
    store: new MemoryLogStore(),
    anchor: new MemoryAnchor(),
    signer: heads,
  });
  return { name, log, signer, module: CtLogModule.forRoot({ shard: name, roots: [authority.root] }, { log, signer }) };
}

describe("the module", () => {
  test("serves two shards in one process, each with its own key and log", async () => {
    const shards = [await shard("2025"), await shard("2026")];
    const service = await createService({ modules: shards.map(({ module }) => module) });
    const checkpoints = await Promise.all(
      shards.map(async ({ name }) => (await fetch(`${service.url}/ctlog/${name}/checkpoint`)).text()),
    );
    expect(checkpoints.map((note) => note.split("\n", 1)[0])).toEqual(["localhost/ctlog/2025", "localhost/ctlog/2026"]);
    await service.close();
    await Promise.all(shards.map(({ log }) => log.close()));
  });

  test("is ready when its log can append", async () => {
    const { log, module } = await shard("2026");
    const service = await createService({ modules: [module] });
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    await service.close();
    await log.close();
  });

  test.for(["", "2026/..", "a b", ".hidden", "UPPER", "a:b", "x".repeat(64)])("is not called %j", async (name) => {
    const { log, signer } = await shard("2026");
    expect(() => CtLogModule.forRoot({ shard: name, roots: [authority.root] }, { log, signer })).toThrow("ctlog.shard");
    await log.close();
  });

  test("does not start without roots, or with a key that clients cannot verify", async () => {
    const { log, signer } = await shard("2026");
    expect(() => CtLogModule.forRoot({ shard: "2026", roots: [] }, { log, signer })).toThrow("ctlog.roots");
    const roots = [authority.root];
    const other = ephemeralSigner("ed25519");
    expect(() => CtLogModule.forRoot({ shard: "2026", roots }, { log, signer: other })).toThrow("ctlog.signer");
    await log.close();
  });
});
