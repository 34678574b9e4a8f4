import { SearchKeys } from "@chancery/log";
import { leafHash, verifyInclusion } from "@chancery/tlog";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CtWorld, SHARD } from "./ct-world.ts";

const SIZE = 7;
const UNKNOWN = encodeURIComponent(Buffer.alloc(32).toString("base64"));
const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

let world: CtWorld;
beforeAll(async () => {
  world = await CtWorld.start();
  for (let at = 0; at < SIZE; at++) await (at % 2 === 0 ? world.submitPrecertificate() : world.submitCertificate());
});
afterAll(() => world[Symbol.asyncDispose]());

test("what is read is what was promised", () => world.check(SIZE));

describe("errors are text: the status in words, then what was wrong", () => {
  test.for([
    ["get-sth-consistency?second=3", 400, "first: is missing"],
    ["get-sth-consistency?first=3", 400, "second: is missing"],
    ["get-sth-consistency?first=3&second=2", 400, "first: is larger than second"],
    ["get-sth-consistency?first=-1&second=2", 400, "first: is not a decimal"],
    ["get-sth-consistency?first=1&first=1&second=2", 400, "first: is given more than once"],
    ["get-sth-consistency?first=1&second=8", 400, "second: the log has 7 entries"],
    ["get-sth-consistency?first=1&second=9223372036854775808", 400, "second: is out of range"],
    ["get-sth-consistency?first=1&second=99999999999999999999", 400, "second: is not a decimal"],
    ["get-proof-by-hash?tree_size=7", 400, "hash: is missing"],
    ["get-proof-by-hash?hash=AAAA&tree_size=7", 400, "hash: is not 32 bytes"],
    ["get-proof-by-hash?hash=*&tree_size=7", 400, "hash"],
    [`get-proof-by-hash?hash=${UNKNOWN}`, 400, "tree_size: is missing"],
    [`get-proof-by-hash?hash=${UNKNOWN}&tree_size=0`, 400, "tree_size: is not at least 1"],
    [`get-proof-by-hash?hash=${UNKNOWN}&tree_size=7`, 404, "hash: no such leaf"],
    [`get-proof-by-hash?hash=${UNKNOWN}&tree_size=8`, 404, "tree_size: the log has 7 entries"],
    ["get-entries?start=0", 400, "end: is missing"],
    ["get-entries?start=3&end=2", 400, "start: is larger than end"],
    ["get-entries?start=7&end=9", 400, "start: the log has 7 entries"],
    ["get-entries?start=9223372036854775807&end=9223372036854775807", 400, "start: the log has 7 entries"],
    ["get-entries?start=1.5&end=9", 400, "start: is not a decimal"],
    ["get-entries?start=0x1&end=9", 400, "start: is not a decimal"],
    ["get-entry-and-proof?leaf_index=0", 400, "tree_size: is missing"],
    ["get-entry-and-proof?leaf_index=7&tree_size=7", 400, "leaf_index: is not below tree_size"],
    ["get-entry-and-proof?leaf_index=0&tree_size=8", 400, "tree_size: the log has 7 entries"],
    ["get-entry-and-proof?leaf_index=0&tree_size=0", 400, "tree_size: is not at least 1"],
  ] as const)("%s: %i", async ([path, status, reason]) => {
    const answer = await world.fetch(`ct/v1/${path}`);
    const text = await answer.text();
    const words = status === 400 ? "Bad Request" : "Not Found";
    expect({ status: answer.status, text }).toEqual({ status, text: expect.stringContaining(`${words}\n`) });
    expect(text).toContain(reason);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  });

  test.for([
    ["GET", "ct/v1/add-chain", "POST"],
    ["GET", "ct/v1/add-pre-chain", "POST"],
    ["POST", "ct/v1/get-sth", "GET"],
    ["PUT", "ct/v1/get-entries", "GET"],
    ["DELETE", "checkpoint", "GET"],
  ] as const)("%s %s: 405", async ([method, path, allowed]) => {
    const answer = await world.fetch(path, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allowed);
  });

  test("another shard: 404", async () => {
    const answer = await fetch(`${world.service.url}/ctlog/${SHARD}1/ct/v1/get-sth`);
    expect(answer.status).toBe(404);
  });
});

describe("consistency", () => {
  test("from nothing, and from a tree to itself, is an empty list", async () => {
    expect(await world.get("ct/v1/get-sth-consistency?first=0&second=7")).toEqual({ consistency: [] });
    expect(await world.get("ct/v1/get-sth-consistency?first=7&second=7")).toEqual({ consistency: [] });
  });

  test("may be kept by caches, and a tree head may not", async () => {
    const proof = await world.fetch("ct/v1/get-sth-consistency?first=1&second=7");
    expect(proof.headers.get("cache-control")).toBe("public, max-age=86400");
    const head = await world.fetch("ct/v1/get-sth");
    expect(head.headers.get("cache-control")).toBe("no-store");
  });
});

const range = async (start: number, end: number) => {
  const answer = await world.fetch(`ct/v1/get-entries?start=${start}&end=${end}`);
  const { entries } = (await answer.json()) as { entries: unknown[] };
  return [entries.length, answer.headers.get("cache-control")];
};

describe("entries", () => {
  test("end is inclusive, and a whole answer is for good", async () => {
    expect(await range(2, 4)).toEqual([3, "public, max-age=86400"]);
    expect(await range(6, 6)).toEqual([1, "public, max-age=86400"]);
  });

  test("beyond the end there are fewer, for the moment", async () => {
    expect(await range(5, 6000)).toEqual([2, "public, max-age=60"]);
    expect(await range(0, 2 ** 53)).toEqual([7, "public, max-age=60"]);
  });

  test("each is provable in any tree it is in", async () => {
    for (const size of [3, 7]) {
      const head = await world.log.consistencyProof(BigInt(size), 7n);
      expect(head.to).toBe(7n);
      for (let index = 0; index < size; index++) {
        const answer = await world.get<{ leaf_input: string; extra_data: string; audit_path: string[] }>(
          `ct/v1/get-entry-and-proof?leaf_index=${index}&tree_size=${size}`,
        );
        const leaf = bytes(answer.leaf_input);
        const path = answer.audit_path.map(bytes);
        const proof = { index: BigInt(index), size: BigInt(size), path };
        const published = await world.log.published();
        if (size === 7) verifyInclusion(proof, leafHash(leaf), published.head);
        else expect(path).toEqual((await world.log.inclusionProof(BigInt(index), BigInt(size))).path);
        expect(answer.extra_data).not.toBe("");
      }
    }
  });

  test("by hash, an entry is not in a tree smaller than its place", async () => {
    const { entries } = await world.get<{ entries: { leaf_input: string }[] }>("ct/v1/get-entries?start=5&end=5");
    const hash = encodeURIComponent(Buffer.from(leafHash(bytes(entries[0]!.leaf_input))).toString("base64"));
    expect((await world.fetch(`ct/v1/get-proof-by-hash?hash=${hash}&tree_size=5`)).status).toBe(404);
    expect((await world.fetch(`ct/v1/get-proof-by-hash?hash=${hash}&tree_size=6`)).status).toBe(200);
  });
});

describe("pages of a log of 2,100", () => {
  let large: CtWorld;

  beforeAll(async () => {
    large = await CtWorld.start();
    const leaf = new Uint8Array(1);
    const identities = Array.from({ length: 2100 }, (_, at) => leafHash(Uint8Array.of(at >> 8, at & 255)));
    await Promise.all(
      identities.map((identity) =>
        large.log.append({ identity, leaf: () => leaf, extra: leaf, searchKeys: SearchKeys.NONE }),
      ),
    );
  });
  afterAll(() => large[Symbol.asyncDispose]());

  test.for([
    ["a whole page", 0, 999, 1000],
    ["less than a page across its end", 500, 1400, 901],
    ["more than a page ends where the next begins", 500, 2099, 500],
    ["a page that is not at its place ends early too", 1, 1000, 999],
    ["the last page", 2000, 5000, 100],
    ["the last entry", 2099, 2099, 1],
  ] as const)("%s: %i to %i", async ([, start, end, count]) => {
    const { entries } = await large.get<{ entries: unknown[] }>(`ct/v1/get-entries?start=${start}&end=${end}`);
    expect(entries).toHaveLength(count);
  });
});

describe("what is not there yet", () => {
  test.for([
    "tile/0/001",
    "tile/0/000.p/8",
    "ct/v1/get-sth-consistency?first=1&second=8",
    "ct/v1/get-entry-and-proof?leaf_index=7&tree_size=8",
    `ct/v1/get-proof-by-hash?hash=${encodeURIComponent(Buffer.alloc(32).toString("base64"))}&tree_size=8`,
  ])("%s is asked for before its time, and no cache keeps the answer", async (path) => {
    const answer = await world.fetch(path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });
});

describe("tiles", () => {
  test("of the published size, and narrower ones, are its leaf hashes", async () => {
    const { entries } = await world.get<{ entries: { leaf_input: string }[] }>("ct/v1/get-entries?start=0&end=6");
    const hashes = Buffer.concat(entries.map(({ leaf_input: leaf }) => leafHash(bytes(leaf))));
    const answer = await world.fetch("tile/0/000.p/7");
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(hashes);
  });

  test.for(["tile/0/000.p/8", "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/1", "tile/0/x001/000"])(
    "%s is not there",
    async (path) => expect((await world.fetch(path)).status).toBe(404),
  );

  // Attack A25: a name that only becomes a tile's after decoding is no tile's.
  test.for(["tile/0/%3000.p/7", "tile/0/000%2ep/7", "tile/0%2f000.p/7", "tile/0//000.p/7", "tile/00/000.p/7"])(
    "%s names none",
    async (path) => expect([400, 404]).toContain((await world.fetch(path)).status),
  );
});
