import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ephemeralSigner } from "@chancery/crypto";
import { Unavailable } from "@chancery/fault";
import { MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { leafHash, parseEntryBundlePath, parseTilePath } from "@chancery/tlog";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { checkUrl, Difference, rekorTrees } from "../src/index.ts";
import { headSigner, newEntry } from "./logs.ts";

const key = ephemeralSigner("ecdsa-p256");
const SIZE = 600;
const TREE_ID = 42;

/** Served at a host that answers to any name; `lie` may change what is sent. */
type Lie = (path: string, bytes: Uint8Array) => Uint8Array | undefined;
const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(
  answer: (path: string, body: string) => Promise<Uint8Array | undefined>,
  lie: Lie = (_, bytes) => bytes,
): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? "/";
      const honest = await answer(path, await bodyOf(request)).catch(() => undefined);
      const bytes = honest && lie(path, honest);
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}

async function grow(signs: "text" | "tree head"): Promise<TransparencyLog> {
  const origin = signs === "text" ? `127.0.0.1 - ${TREE_ID}` : "127.0.0.1/ctlog/2026";
  const signer = headSigner(signs, key, origin);
  const log = await TransparencyLog.open({
    name: "public",
    store: new MemoryLogStore(),
    anchor: new MemoryAnchor(),
    signer,
    create: true,
  });
  await Promise.all(Array.from({ length: SIZE }, (_, name) => log.append(newEntry(signs, name))));
  return log;
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

/** What c2sp.org/tlog-tiles and RFC 6962 serve of a log, below its prefix. */
const tiled = (log: TransparencyLog, prefix: string) => async (url: string) => {
  const { pathname, searchParams } = new URL(url, "http://host");
  if (!pathname.startsWith(prefix)) return undefined;
  const path = pathname.slice(prefix.length + 1);
  if (path === "checkpoint") return (await log.published()).note;
  if (path.startsWith("tile/entries/")) {
    const { index, width } = parseEntryBundlePath(path);
    return log.entryBundle(index, width);
  }
  if (path.startsWith("tile/")) {
    const { level, index, width } = parseTilePath(path);
    return log.tile(level, index, width);
  }
  if (path !== "ct/v1/get-entries") return undefined;
  const [start, end] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
  // Fewer than asked for, as a log may.
  const entries = await log.entries(BigInt(start), Math.min(end - start + 1, 77));
  return json({ entries: entries.map(({ leaf }) => ({ leaf_input: base64(leaf), extra_data: "" })) });
};

interface Trees {
  /** Instead of no list at all. */
  readonly inactive?: unknown;
  /** What the API calls the first entry. */
  readonly first?: number;
}

const rekorApi =
  (log: TransparencyLog, { inactive, first = 0 }: Trees = {}) =>
  async (path: string, body: string) => {
    const { head, note } = await log.published();
    const rootHash = Buffer.from(head.root).toString("hex");
    if (path === "/api/v1/log") {
      return json({
        treeID: String(TREE_ID),
        treeSize: Number(head.size),
        rootHash,
        signedTreeHead: String(Buffer.from(note)),
        ...(inactive !== undefined && { inactiveShards: inactive }),
      });
    }
    if (path !== "/api/v1/log/entries/retrieve") return undefined;
    const { logIndexes } = JSON.parse(body) as { logIndexes: number[] };
    const found = await Promise.all(
      logIndexes.map(async (virtual) => {
        const index = virtual - first;
        const [entry] = await log.entries(BigInt(index), 1);
        const { path: hashes } = await log.inclusionProof(BigInt(index), head.size);
        const hex = hashes.map((hash) => Buffer.from(hash).toString("hex"));
        return {
          [`000000000000002a${Buffer.from(leafHash(entry!.leaf)).toString("hex")}`]: {
            body: base64(entry!.leaf),
            integratedTime: Math.floor(entry!.time / 1000),
            logIndex: virtual,
            verification: { inclusionProof: { hashes: hex, rootHash, treeSize: Number(head.size), logIndex: index } },
          },
        };
      }),
    );
    return json(found);
  };

async function differenceOf(check: Promise<unknown>): Promise<Difference> {
  const outcome = await check.catch((error: unknown) => error);
  if (outcome instanceof Difference) return outcome;
  throw outcome instanceof Error ? outcome : new Error("clean");
}

const flipped = (bytes: Uint8Array, at: number) => {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
};

const only =
  (name: RegExp, change: (bytes: Uint8Array) => Uint8Array | undefined): Lie =>
  (path, bytes) =>
    name.test(path) ? change(bytes) : bytes;

describe("a CT log from outside", () => {
  let log: TransparencyLog;
  beforeAll(async () => {
    log = await grow("tree head");
  });
  const check = async (lie?: Lie) => {
    const origin = await serve(tiled(log, "/ctlog/2026"), lie);
    return checkUrl({ url: `${origin}/ctlog/2026`, log: "ctlog", key: key.publicKey.keyObject });
  };
  test("is clean", async () => {
    expect(await check()).toMatchObject({ size: 600n, root: Buffer.from((await log.published()).head.root) });
  });

  test("names the hash of the tile that is another", async () => {
    for (const [path, index, byte, offset] of [
      [/tile\/0\/001$/, 1n, 100 * 32, 100],
      [/tile\/0\/002\.p\/88$/, 2n, 87 * 32 + 31, 87],
    ] as const) {
      const difference = await differenceOf(check(only(path, (bytes) => flipped(bytes, byte))));
      expect(difference.place).toEqual({ kind: "tile", level: 0, index, offset });
    }
    const upper = await differenceOf(check(only(/tile\/1\//, (bytes) => flipped(bytes, 40))));
    expect(upper.place).toEqual({ kind: "tile", level: 1, index: 0n, offset: 1 });
    const gone = await differenceOf(check(only(/tile\/0\/000$/, () => undefined)));
    expect(gone).toMatchObject({ place: { kind: "tile", level: 0, index: 0n, offset: 0 }, found: "nothing" });
  });

  test("takes a full tile where the partial one is gone", async () => {
    const full = only(/tile\/0\/002\.p/, () => undefined);
    const origin = await serve(
      async (path) =>
        path.endsWith("/tile/0/002")
          ? Buffer.concat([(await log.tile(0, 2, 88))!, Buffer.alloc(168 * 32, 7)])
          : tiled(log, "/ctlog/2026")(path),
      full,
    );
    const url = `${origin}/ctlog/2026`;
    await expect(checkUrl({ url, log: "ctlog", key: key.publicKey.keyObject })).resolves.toMatchObject({ size: 600n });
  });

  test("names the entry that is another, and the one that is missing", async () => {
    for (const index of [0, 300, 599]) {
      const lie: Lie = (path, bytes) => {
        const start = Number(new URL(path, "http://host").searchParams.get("start") ?? Infinity);
        const answer =
          path.includes("get-entries") &&
          (JSON.parse(String(Buffer.from(bytes))) as { entries: { leaf_input: string }[] });
        const entry = answer && answer.entries[index - start];
        if (!entry) return bytes;
        entry.leaf_input = base64(flipped(Buffer.from(entry.leaf_input, "base64"), 2));
        return json(answer);
      };
      expect((await differenceOf(check(lie))).place).toEqual({ kind: "entry", index: BigInt(index), field: "leaf" });
    }
    const none = await differenceOf(check(only(/start=154&/, () => json({ entries: [] }))));
    expect(none).toMatchObject({ place: { kind: "entry", index: 154n }, found: "nothing" });
  });

  test("names what is wrong in the checkpoint", async () => {
    const { note } = await log.published();
    for (let at = 0; at < note.length; at += 3) {
      const difference = await differenceOf(check(only(/checkpoint$/, (bytes) => flipped(bytes, at))));
      expect(difference.place.kind).toBe("checkpoint");
    }
  });

  test("an answer that is none, and a server that is not there, are no difference", async () => {
    await expect(check(only(/get-entries/, () => Buffer.from("<html>")))).rejects.toThrow("is not JSON");
    const url = "http://127.0.0.1:1/ctlog/2026";
    await expect(checkUrl({ url, log: "ctlog", key: key.publicKey.keyObject })).rejects.toThrow("cannot be reached");
    const elsewhere = check(only(/checkpoint$/, () => undefined));
    await expect(elsewhere).rejects.toThrow("/checkpoint: there is no log here");
    await expect(elsewhere).rejects.not.toBeInstanceOf(Difference);
  });
});

const grown = (head: Uint8Array) => Buffer.from(String(Buffer.from(head)).replace('"treeSize":600', '"treeSize":601'));

describe("a Rekor log from outside", () => {
  let log: TransparencyLog;
  beforeAll(async () => {
    log = await grow("text");
  });
  const check = async (lie?: Lie) =>
    checkUrl({ url: await serve(rekorApi(log), lie), log: "rekor", key: key.publicKey.keyObject });

  type Answer = Record<string, { body: string; verification: { inclusionProof: { hashes: string[] } } }>[];
  const entry =
    (index: number, change: (answer: Answer, at: number) => void): Lie =>
    (path, bytes) => {
      if (!path.endsWith("retrieve")) return bytes;
      const answer = JSON.parse(String(Buffer.from(bytes))) as Answer;
      const at = answer.findIndex((one) => JSON.stringify(one).includes(`"logIndex":${index},`));
      if (at >= 0) change(answer, at);
      return json(answer);
    };

  test("is clean", async () => {
    expect(await check()).toMatchObject({ size: 600n });
  });

  test("names the entry whose body, proof or place is another, or that is left out", async () => {
    const body = entry(123, (answer, at) => (Object.values(answer[at]!)[0]!.body = base64(Buffer.from("other"))));
    expect((await differenceOf(check(body))).place).toEqual({ kind: "entry", index: 123n, field: "entry ID" });
    const proof = entry(
      599,
      (answer, at) => (Object.values(answer[at]!)[0]!.verification.inclusionProof.hashes[1] = "00".repeat(32)),
    );
    expect((await differenceOf(check(proof))).place).toEqual({ kind: "entry", index: 599n, field: "inclusion proof" });
    const other = entry(300, (answer, at) => {
      const [id, one] = Object.entries(answer[at]!)[0]!;
      const fake = Buffer.from("another");
      answer[at] = { [id.slice(0, 16) + Buffer.from(leafHash(fake)).toString("hex")]: { ...one, body: base64(fake) } };
    });
    expect((await differenceOf(check(other))).place).toEqual({ kind: "entry", index: 300n, field: "inclusion proof" });
    const gone = entry(42, (answer, at) => void answer.splice(at, 1));
    expect(await differenceOf(check(gone))).toMatchObject({ place: { kind: "entry", index: 42n }, found: "nothing" });
  });

  test("names a root that the signed checkpoint does not have", async () => {
    expect((await differenceOf(check(only(/\/log$/, grown)))).place).toEqual({
      kind: "checkpoint",
      field: "treeSize of the API",
    });
  });

  test("that has older trees is read where the newest one begins, and each tree that is asked for or none", async () => {
    const older = { treeID: "41", treeSize: 7, rootHash: "00", signedTreeHead: "another's" };
    const url = await serve(rekorApi(log, { inactive: [older], first: 7 }));
    const parts = { url, log: "rekor", key: key.publicKey.keyObject } as const;
    expect(await rekorTrees(url)).toEqual(["41", String(TREE_ID)]);
    expect(await checkUrl({ ...parts, treeId: String(TREE_ID) })).toMatchObject({ size: 600n });
    expect((await differenceOf(checkUrl({ ...parts, treeId: "41" }))).place.kind).toBe("checkpoint");
    const gone = await checkUrl({ ...parts, treeId: "40" }).catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(Unavailable);
    expect(String(gone)).toContain("names no tree 40");
    expect(await rekorTrees(await serve(rekorApi(log, { inactive: null })))).toEqual([String(TREE_ID)]);
    const strange = await serve(rekorApi(log, { inactive: "none" }));
    await expect(rekorTrees(strange)).rejects.toThrow("its inactiveShards are no list");
  });

  test("is read by its tiles and entry bundles where it serves them", async () => {
    const v2 = await TransparencyLog.open({
      name: "v2",
      store: new MemoryLogStore(),
      anchor: new MemoryAnchor(),
      signer: headSigner("text", key, "127.0.0.1"),
      create: true,
    });
    await Promise.all(Array.from({ length: SIZE }, (_, name) => v2.append(newEntry("text", name))));
    const url = async (lie?: Lie) => `${await serve(tiled(v2, "/api/v2"), lie)}/api/v2`;
    const parts = { log: "rekor-v2", key: key.publicKey.keyObject } as const;
    await expect(checkUrl({ ...parts, url: await url() })).resolves.toMatchObject({ size: 600n });
    const lie = only(/entries\/002\.p\/88$/, (bytes) => flipped(bytes, bytes.length - 1));
    const difference = await differenceOf(checkUrl({ ...parts, url: await url(lie) }));
    expect(difference.place).toEqual({ kind: "entry", index: 599n, field: "leaf" });
  });
});
