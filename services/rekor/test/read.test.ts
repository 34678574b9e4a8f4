import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { aStatement, base64, dsse, everyKind, hashedrekord, intoto1, intoto2, type Proposal } from "./proposals.ts";
import {
  type AnsweredEntry,
  ENTRIES,
  expectProven,
  onlyEntry,
  type RunningRekor,
  startRekor,
  TREE_ID_HEX,
} from "./running-rekor.ts";

const RETRIEVE = `${ENTRIES}/retrieve`;
const PATTERN = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

let rekor: RunningRekor;
beforeAll(async () => {
  rekor = await startRekor();
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

const post = (path: string, body: unknown) => rekor.request("POST", path, body);
const get = (path: string) => rekor.request("GET", path);
const logged = (proposal: Proposal) => rekor.logged(proposal);

describe("reading an entry", () => {
  test("by index, UUID and entry ID gives the same entry, freshly proven", async () => {
    const id = await logged(await hashedrekord());
    await logged(await hashedrekord());
    const index = onlyEntry((await get(`${ENTRIES}/${id}`)).json).logIndex;
    const paths = [`?logIndex=${index}`, `?logIndex=999&logIndex=${index}`, `/${id}`, `/${id.toUpperCase()}`];
    for (const path of [...paths, `/${id.slice(16)}`, `/${id}/`]) {
      const answer = await get(ENTRIES + path);
      expect(answer.status, path).toBe(200);
      expect(expectProven(answer.json, rekor.pem)).toBe(id);
      expect(answer.headers["cache-control"]).toContain("no-cache");
      expect(answer.headers["etag"]).toBeUndefined();
    }
  });

  test("does not sign its timestamp anew each time, 47 microseconds of every read", async () => {
    const id = await logged(await hashedrekord());
    const sign = vi.spyOn(rekor.signer, "sign");
    const [first, second] = [await get(`${ENTRIES}/${id}`), await get(`${ENTRIES}/${id}`)];
    expect(sign).not.toHaveBeenCalled();
    sign.mockRestore();
    for (const { json } of [first, second]) expect(expectProven(json, rekor.pem)).toBe(id);
  });

  test("signs no timestamp for an entry that was changed in the database", async () => {
    const id = await logged(await hashedrekord());
    const genuine = await rekor.log.entry(BigInt(onlyEntry((await get(`${ENTRIES}/${id}`)).json).logIndex));
    const forged = { ...genuine, leaf: new TextEncoder().encode('{"forged":true}') };
    const read = vi.spyOn(rekor.log, "entry").mockResolvedValue(forged as never);
    const answer = await get(`${ENTRIES}?logIndex=0`);
    read.mockRestore();
    expect(answer.status).toBe(503);
    expect(answer.text).toContain("is not the one in its tree");
    expect(expectProven((await get(`${ENTRIES}/${id}`)).json, rekor.pem)).toBe(id);
  });

  test("returns the attestation of an intoto entry, up to 100 KiB, and of no other", async () => {
    const payload = aStatement();
    for (const proposal of [await intoto1(undefined, payload), await intoto2(undefined, payload)]) {
      const { json } = await get(`${ENTRIES}/${await logged(proposal)}`);
      expectProven(json, rekor.pem);
      expect(onlyEntry(json).attestation).toEqual({ data: base64(payload) });
    }
    for (const proposal of [await intoto1(undefined, "x".repeat(100 * 1024 + 1)), await dsse()]) {
      const { json } = await get(`${ENTRIES}/${await logged(proposal)}`);
      expect(onlyEntry(json)).not.toHaveProperty("attestation");
    }
  });

  test("that is not there is answered 404 without a body", async () => {
    const nowhere = "ab".repeat(32);
    const otherTree = `0000000000000001${nowhere}`;
    for (const path of ["?logIndex=1000000", `/${nowhere}`, `/${TREE_ID_HEX}${nowhere}`, `/${otherTree}`]) {
      const answer = await get(ENTRIES + path);
      expect([answer.status, answer.text], path).toEqual([404, ""]);
    }
  });

  test("by what is no index or ID is answered 422 or 400", async () => {
    const refusals: [string, number, number, string][] = [
      ["", 422, 602, "logIndex in query is required"],
      ["?logIndex=", 422, 602, "logIndex in query is required"],
      ["?logIndex=abc", 422, 601, 'logIndex in query must be of type int64: "abc"'],
      ["?logIndex=1.5", 422, 601, 'logIndex in query must be of type int64: "1.5"'],
      ["?logIndex=9223372036854775808", 422, 601, "logIndex in query must be of type int64"],
      [`?logIndex=${"9".repeat(10_000)}`, 422, 601, "logIndex in query must be of type int64"],
      ["?logIndex=-1", 422, 609, "logIndex in query should be greater than or equal to 0"],
      ["/abc", 422, 605, `entryUUID in path should match '${PATTERN}'`],
      [`/${"g".repeat(64)}`, 422, 605, `entryUUID in path should match '${PATTERN}'`],
      [`/${"a".repeat(65)}`, 422, 605, `entryUUID in path should match '${PATTERN}'`],
      [`/${"0".repeat(80)}`, 400, 400, "entryUUID: 0000000000000000 is not a valid TreeID"],
      [`/${"f".repeat(80)}`, 400, 400, "entryUUID: ffffffffffffffff is not a valid TreeID"],
    ];
    for (const [path, status, code, message] of refusals) {
      const answer = await get(ENTRIES + path);
      expect([answer.status, answer.json.code], path.slice(0, 80)).toEqual([status, code]);
      expect(answer.json.message).toContain(message);
    }
  });
});

describe("retrieving entries", () => {
  test("takes IDs, UUIDs, indexes, proposals and stored forms together, and leaves misses out", async () => {
    const proposals = await everyKind();
    const ids = [];
    for (const proposal of proposals) ids.push(await logged(proposal));
    const [first, second, third] = ids as [string, string, string];
    const index = onlyEntry((await get(`${ENTRIES}/${third}`)).json).logIndex;
    const stored = JSON.parse(
      Buffer.from(onlyEntry((await get(`${ENTRIES}/${second}`)).json).body, "base64").toString(),
    );
    const answer = await post(RETRIEVE, {
      entryUUIDs: [first.slice(16), second, "ab".repeat(32), `${TREE_ID_HEX}${"cd".repeat(32)}`],
      logIndexes: [index, 1_000_000],
      entries: [proposals[3], stored, await hashedrekord()],
    });
    expect(answer.status, answer.text).toBe(200);
    const found = answer.json.map((entry: Record<string, AnsweredEntry>) => expectProven(entry, rekor.pem));
    expect(found).toEqual([second, first, ids[3], second, third]);
  });

  test("takes null for a list that is not used, a trailing slash, and nothing at all", async () => {
    const id = await logged(await hashedrekord());
    const answer = await post(`${RETRIEVE}/`, { entryUUIDs: [id], logIndexes: null, entries: null });
    expect([answer.status, answer.json.length]).toEqual([200, 1]);
    for (const body of [{}, { entryUUIDs: null, logIndexes: null, entries: null }, { entryUUIDs: ["ab".repeat(32)] }]) {
      const empty = await post(RETRIEVE, body);
      expect([empty.status, empty.json]).toEqual([200, []]);
    }
  });

  test("is refused beyond ten, and for what is no ID, index or entry", async () => {
    const id = "ab".repeat(32);
    const good = await hashedrekord();
    const refusals: [unknown, number, number, string][] = [
      [
        { entryUUIDs: Array(6).fill(id), logIndexes: [1, 2, 3, 4, 5] },
        422,
        422,
        "more than max allowed 10 entries in request",
      ],
      [{ entryUUIDs: Array(11).fill(id) }, 422, 611, "entryUUIDs in body should have at most 10 items"],
      [{ logIndexes: [] }, 422, 612, "logIndexes in body should have at least 1 items"],
      [{ entries: [] }, 422, 612, "entries in body should have at least 1 items"],
      [{ entryUUIDs: [id, "xyz"] }, 422, 605, `entryUUIDs.1 in body should match '${PATTERN}'`],
      [{ logIndexes: [-1] }, 422, 609, "logIndexes.0 in body should be greater than or equal to 0"],
      [{ entries: [{ ...good, kind: undefined }] }, 422, 602, "entries.0.kind in body is required"],
      [{ entryUUIDs: "x" }, 400, 400, "entryUUIDs: not an array"],
      [{ entryUUIDs: [null] }, 400, 400, "entryUUIDs.0: not a string"],
      [{ logIndexes: [1.5] }, 400, 400, "logIndexes.0: not an integer"],
      [{ logIndexes: ["1"] }, 400, 400, "logIndexes.0: not an integer"],
      [{ entries: [null] }, 400, 400, "entries.0: not an object"],
      [{ entries: [{ ...good, spec: {} }] }, 400, 400, "spec.signature: is required"],
      [{ entryUUIDs: ["f".repeat(80)] }, 400, 400, "is not a valid TreeID"],
      ["", 422, 602, "entry in body is required"],
      ["{", 400, 400, "entry: "],
    ];
    for (const [body, status, code, message] of refusals) {
      const answer = await post(RETRIEVE, body);
      expect([answer.status, answer.json.code], JSON.stringify(body).slice(0, 80)).toEqual([status, code]);
      expect(answer.json.message).toContain(message);
    }
  });
});
