import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeHex } from "@chancery/encoding";
import { leafHash, parseEntryBundle, verifyConsistency } from "@chancery/tlog";
import { hashedrekord, keyPem, type Proposal } from "./proposals.ts";
import { ENTRIES, onlyEntry, type RunningRekor, startRekor, TREE_ID } from "./running-rekor.ts";

const RETRIEVE = `${ENTRIES}/retrieve`;
const SEARCH = "/api/v1/index/retrieve";

let rekor: RunningRekor;
beforeAll(async () => {
  rekor = await startRekor();
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

const get = (path: string) => rekor.request("GET", path);
const logged = (proposal: Proposal) => rekor.logged(proposal);
const hexOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");
const head = (info: { treeSize: number; rootHash: string }) => ({
  size: BigInt(info.treeSize),
  root: decodeHex(info.rootHash, "root"),
});

describe("the tree", () => {
  test("tells its head, and proves that it only grew", async () => {
    for (let count = 0; count < 5; count++) await logged(await hashedrekord());
    const before = (await get("/api/v1/log")).json;
    await logged(await hashedrekord());
    const after = (await get("/api/v1/log")).json;
    expect(after).toMatchObject({ inactiveShards: [], treeID: String(TREE_ID), treeSize: before.treeSize + 1 });
    expect(after.signedTreeHead).toContain(`\n${after.treeSize}\n`);
    const { json } = await get(
      `/api/v1/log/proof?firstSize=${before.treeSize}&lastSize=${after.treeSize}&treeID=${TREE_ID}`,
    );
    expect(json.rootHash).toBe(after.rootHash);
    const path = json.hashes.map((node: string) => decodeHex(node, "hash"));
    verifyConsistency({ from: head(before).size, to: head(after).size, path }, head(before), head(after));
    const same = await get(`/api/v1/log/proof?lastSize=1`);
    expect(same.json).toEqual({ rootHash: after.rootHash, hashes: [] });
  });

  test("refuses proofs between sizes that it does not have", async () => {
    const { treeSize } = (await get("/api/v1/log")).json;
    const refusals: [string, number, number, string][] = [
      ["", 422, 602, "lastSize in query is required"],
      ["?lastSize=0", 422, 609, "lastSize in query should be greater than or equal to 1"],
      ["?firstSize=0&lastSize=1", 422, 609, "firstSize in query should be greater than or equal to 1"],
      ["?firstSize=2&lastSize=1", 400, 400, "firstSize(2) must be less than lastSize(1)"],
      [
        `?lastSize=${treeSize + 1}`,
        400,
        400,
        `the tree size requested(${treeSize + 1}) was greater than what is currently observable(${treeSize})`,
      ],
      ["?lastSize=1&treeID=abc", 422, 605, "treeID in query should match '^[0-9]+$'"],
      ["?lastSize=1&treeID=1", 400, 400, "treeID: 1 is not a tree of this log"],
    ];
    for (const [path, status, code, message] of refusals) {
      const answer = await get(`/api/v1/log/proof${path}`);
      expect([answer.status, answer.json.code, answer.json.message], path).toEqual([status, code, message]);
    }
  });

  test("gives its key as PEM", async () => {
    const answer = await get(`/api/v1/log/publicKey?treeID=${TREE_ID}`);
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/x-pem-file"]);
    expect(answer.text).toBe(keyPem(rekor.signer));
    expect((await get("/api/v1/log/publicKey?treeID=1")).status).toBe(400);
    expect((await get("/api/v1/log/publicKey?treeID=x")).json.code).toBe(605);
    expect((await get(`/api/v1/log/publicKey?treeID=${"9".repeat(9_999)}`)).json.code).toBe(601);
  });

  test("is signed for when it is empty, and has no entry then", async () => {
    await using empty = await startRekor();
    const { json } = await empty.request("GET", "/api/v1/log");
    expect(json).toMatchObject({ treeSize: 0, rootHash: hexOf("") });
    expect((await empty.request("GET", `${ENTRIES}?logIndex=0`)).status).toBe(404);
    expect((await empty.request("GET", "/api/v1/log/proof?lastSize=1")).status).toBe(400);
  });
});

describe("the rest of the API", () => {
  test("answers a method that a path does not take with 405 and Allow, HEAD too", async () => {
    for (const [method, path, allow] of [
      ["PUT", ENTRIES, "GET, POST"],
      ["HEAD", ENTRIES, "GET, POST"],
      ["DELETE", `${ENTRIES}/${"a".repeat(64)}`, "GET"],
      ["GET", SEARCH, "POST"],
      ["POST", "/api/v1/log", "GET"],
    ] as const) {
      const answer = await rekor.request(method, path);
      expect([answer.status, answer.headers["allow"]], `${method} ${path}`).toEqual([405, allow]);
    }
  });

  test("answers 501 for operations that this installation has switched off", async () => {
    await using closed = await startRekor({ enabledOperations: ["getLogInfo"] });
    expect((await closed.request("GET", "/api/v1/log")).status).toBe(200);
    const off: [string, string, unknown, string][] = [
      ["POST", ENTRIES, {}, "Create Entry API not enabled in this Rekor instance"],
      ["GET", `${ENTRIES}?logIndex=0`, undefined, "Get Log Entry by Index API not enabled in this Rekor instance"],
      [
        "GET",
        `${ENTRIES}/${"a".repeat(64)}`,
        undefined,
        "Get Log Entry by UUID API not enabled in this Rekor instance",
      ],
      ["POST", RETRIEVE, {}, "Search Log Query API not enabled in this Rekor instance"],
      ["POST", SEARCH, {}, "Search Index API not enabled in this Rekor instance"],
      ["GET", "/api/v1/log/proof?lastSize=1", undefined, "Get Log Proof API not enabled in this Rekor instance"],
      ["GET", "/api/v1/log/publicKey", undefined, "Get Public Key API not enabled in this Rekor instance"],
    ];
    for (const [method, path, body, message] of off) {
      const answer = await closed.request(method, path, body);
      expect([answer.status, answer.json]).toEqual([501, { code: 501, message }]);
    }
  });

  test("is ready when its log is, and refuses entries once the log is frozen, reads on", async () => {
    await using frozen = await startRekor();
    expect((await frozen.request("GET", "/readyz")).status).toBe(200);
    const created = await frozen.request("POST", ENTRIES, await hashedrekord());
    await frozen.log.freeze();
    const refused = await frozen.request("POST", ENTRIES, await hashedrekord());
    expect([refused.status, refused.json.code]).toEqual([405, 405]);
    expect((await frozen.request("GET", created.headers["location"]!)).status).toBe(200);
  });
});

const raw = (path: string) => rekor.service.app.inject({ method: "GET", url: `/api/v1/log/tile/${path}` });

describe("the log as tiles", () => {
  test("holds what the API answers: checkpoint, leaf hashes, bodies", async () => {
    const info = (await get("/api/v1/log")).json;
    const checkpoint = await get("/api/v1/log/checkpoint");
    expect(checkpoint.text).toBe(info.signedTreeHead);
    expect(checkpoint.headers["cache-control"]).toBe("no-store");
    const bundle = await raw(`entries/000.p/${info.treeSize}`);
    const bodies = parseEntryBundle(new Uint8Array(bundle.rawPayload));
    const answered = await Promise.all(bodies.map((_, index) => get(`${ENTRIES}?logIndex=${index}`)));
    expect(bodies.map((body) => Buffer.from(body).toString("base64"))).toEqual(
      answered.map(({ json }) => onlyEntry(json).body),
    );
    const tile = await raw(`0/000.p/${info.treeSize}`);
    expect(tile.headers["cache-control"]).toContain("immutable");
    expect(tile.rawPayload).toEqual(Buffer.concat(bodies.map(leafHash)));
  });

  test.for([
    ["0/000", 404],
    ["entries/001.p/1", 404],
    ["0/0", 400],
    ["0/%30%30%30", 400],
    ["x", 400],
  ] as const)("has nothing at tile/%s", async ([path, status]) => {
    expect((await get(`/api/v1/log/tile/${path}`)).status).toBe(status);
  });
});
