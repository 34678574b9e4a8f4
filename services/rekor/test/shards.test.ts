import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ephemeralSigner, type Signer, verifySignature } from "@chancery/crypto";
import { decodeBase64, decodeHex, encodeHex, utf8 } from "@chancery/encoding";
import { type LogStore, MemoryAnchor, MemoryLogStore, TransparencyLog } from "@chancery/log";
import { createService, type RunningService } from "@chancery/service";
import { leafHash, parseEntryBundle, verifyCheckpoint, verifyConsistency, verifyInclusion } from "@chancery/tlog";
import {
  type InactiveShard,
  RekorLog,
  RekorModule,
  rekorTreeHeadSigner,
  rekorV2TreeHeadSigner,
  SearchModule,
} from "../src/index.ts";
import { judgeProposal } from "../src/domain/judge-proposal.ts";
import { hashedrekord, keyPem, type Proposal } from "./proposals.ts";
import { type AnsweredEntry, ENTRIES, HOSTNAME, onlyEntry } from "./running-rekor.ts";

/** How many entries each had when it was followed, and one more that grows. The second one never got any. */
const LENGTHS = [3, 0, 2, 2];
const ANYONE = { token: undefined, certificate: undefined };

interface OpenShard {
  readonly treeId: bigint;
  readonly signer: Signer;
  readonly log: TransparencyLog;
}

/** As the log was told of it: place in this list is what its index has to be. */
interface Told {
  readonly shard: number;
  readonly local: number;
  readonly entryId: string;
  readonly proposal: Proposal;
}

const shards: OpenShard[] = [];
const told: Told[] = [];
let service: RunningService;

beforeAll(async () => {
  for (const [at, length] of LENGTHS.entries()) {
    const shard = await openShard(at);
    shards.push(shard);
    for (let local = 0; local < length; local++) {
      // The first entry of the third shard is that of the first shard once more.
      const proposal = at === 2 && local === 0 ? told[0]!.proposal : await hashedrekord();
      const { entry } = await new RekorLog({ hostname: HOSTNAME, treeId: shard.treeId }, shard).create(ANYONE, () =>
        judgeProposal(proposal, {}),
      );
      told.push({ shard: at, local, entryId: entry.entryId, proposal });
    }
    if (at < LENGTHS.length - 1) await shard.log.freeze();
  }
  service = await serve(shards);
});
afterAll(async () => {
  await service.close();
});

async function openShard(at: number, store: LogStore = new MemoryLogStore()): Promise<OpenShard> {
  const signer = ephemeralSigner("ecdsa-p256");
  const treeId = 0x1000_0000_0000_0000n + BigInt(at);
  const treeHeads = rekorTreeHeadSigner({ hostname: HOSTNAME, treeId, signer });
  const log = await TransparencyLog.open({
    name: `shard-${at}`,
    create: true,
    store,
    anchor: new MemoryAnchor(),
    signer: treeHeads,
  });
  return { treeId, signer, log };
}

function inactiveOf(all: readonly OpenShard[], lengths: readonly number[]): InactiveShard[] {
  return all.slice(0, -1).map(({ treeId, signer, log }, at) => ({ treeId, signer, log, length: BigInt(lengths[at]!) }));
}

async function serve(all: readonly OpenShard[], lengths = LENGTHS): Promise<RunningService> {
  const inactive = inactiveOf(all, lengths);
  const active = all.at(-1)!;
  const v2Signer = ephemeralSigner("ecdsa-p256");
  const v2 = await TransparencyLog.open({
    name: "rekor-v2",
    create: true,
    store: new MemoryLogStore(),
    anchor: new MemoryAnchor(),
    signer: rekorV2TreeHeadSigner({ origin: HOSTNAME, signer: v2Signer }),
  });
  const rekor = { ...active, inactive };
  const { treeId } = active;
  return await createService({
    modules: [
      RekorModule.forRoot({ hostname: HOSTNAME, treeId }, rekor),
      SearchModule.forRoot({ treeId, origin: HOSTNAME }, { rekor, rekorV2: { log: v2, signer: v2Signer } }),
    ],
  });
}

async function ask(path: string, body?: unknown, from = service) {
  const answer = await from.app.inject({
    method: body === undefined ? "GET" : "POST",
    url: path,
    ...(body !== undefined && { payload: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const isJson = String(answer.headers["content-type"]).startsWith("application/json") && answer.body !== "";
  // oxlint-disable-next-line typescript/no-unsafe-assignment -- answers are asserted on, member by member.
  return {
    status: answer.statusCode,
    text: answer.body,
    bytes: answer.rawPayload,
    json: isJson ? JSON.parse(answer.body) : undefined,
  };
}

/** All that stands in an answered entry, held against what was told when it was logged, by its shard's own key. */
function expectEntry(answer: Record<string, AnsweredEntry>, index: number): void {
  const { shard: at, local, entryId } = told[index]!;
  const { treeId, signer } = shards[at]!;
  const entry = onlyEntry(answer);
  expect(Object.keys(answer)).toEqual([entryId]);
  const hash = createHash("sha256").update(Buffer.of(0)).update(Buffer.from(entry.body, "base64")).digest("hex");
  expect(entryId).toBe(treeId.toString(16).padStart(16, "0") + hash);
  const logID = createHash("sha256").update(signer.publicKey.spki).digest("hex");
  expect([entry.logIndex, entry.logID]).toEqual([index, logID]);
  const { inclusionProof, signedEntryTimestamp } = entry.verification;
  expect(inclusionProof.logIndex).toBe(local);
  const origin = `${HOSTNAME} - ${treeId}`;
  const head = verifyCheckpoint(utf8(inclusionProof.checkpoint), origin, signer.publicKey, HOSTNAME);
  if (at < LENGTHS.length - 1) expect(inclusionProof.treeSize).toBe(LENGTHS[at]);
  const path = inclusionProof.hashes.map((node) => decodeHex(node, "hash"));
  const proof = { index: BigInt(local), size: BigInt(inclusionProof.treeSize), path };
  verifyInclusion(proof, leafHash(decodeBase64(entry.body, "body")), head);
  const promised = `{"body":"${entry.body}","integratedTime":${entry.integratedTime},"logID":"${logID}","logIndex":${index}}`;
  expect(verifySignature(signer.publicKey, utf8(promised), decodeBase64(signedEntryTimestamp, "set"))).toBe(true);
}

describe("entries of several shards", () => {
  test("have indexes that go on from shard to shard, and everything else of their own", async () => {
    for (const index of told.keys()) expectEntry((await ask(`${ENTRIES}?logIndex=${index}`)).json, index);
    expect((await ask(`${ENTRIES}?logIndex=${told.length}`)).status).toBe(404);
  });

  test("are found by a full ID in the shard of its tree, and nowhere else", async () => {
    for (const [index, { entryId }] of told.entries()) expectEntry((await ask(`${ENTRIES}/${entryId}`)).json, index);
    const elsewhere = shards[1]!.treeId.toString(16) + told[0]!.entryId.slice(16);
    const unknown = (shards[3]!.treeId + 1n).toString(16) + told[0]!.entryId.slice(16);
    expect([(await ask(`${ENTRIES}/${elsewhere}`)).status, (await ask(`${ENTRIES}/${unknown}`)).status]).toEqual([
      404, 404,
    ]);
  });

  test("are found by a bare UUID in the newest shard, and then from the oldest on, as upstream asks them", async () => {
    for (const [index, { entryId }] of told.entries()) {
      const first = told.findIndex((one) => one.entryId.slice(16) === entryId.slice(16));
      expectEntry((await ask(`${ENTRIES}/${entryId.slice(16)}`)).json, index === 3 ? first : index);
    }
    expect((await ask(`${ENTRIES}/${"0".repeat(64)}`)).status).toBe(404);
  });

  test("are retrieved by index, by ID, and, of each shard that has it, by UUID and by proposal", async () => {
    const { json: byIndex } = await ask(`${ENTRIES}/retrieve`, { logIndexes: [6, 0, 3, 99] });
    expect(byIndex).toHaveLength(3);
    for (const [at, index] of [6, 0, 3].entries()) expectEntry(byIndex[at], index);
    const { entryId, proposal } = told[0]!;
    const asked = { entryUUIDs: [entryId, entryId.slice(16)], entries: [proposal], logIndexes: null };
    const { json } = await ask(`${ENTRIES}/retrieve`, asked);
    expect(json).toHaveLength(5);
    for (const [at, index] of [0, 0, 3, 0, 3].entries()) expectEntry(json[at], index);
  });

  test("are logged once a shard: one that an older shard has is new, and then a duplicate", async () => {
    const { proposal } = told[1]!;
    const first = await ask(ENTRIES, proposal);
    expect(first.status).toBe(201);
    const [entryId = ""] = Object.keys(first.json as object);
    told.push({ shard: 3, local: 2, entryId, proposal });
    expectEntry(first.json, told.length - 1);
    const again = await ask(ENTRIES, proposal);
    expect([again.status, again.json.message]).toEqual([409, expect.stringContaining(entryId)]);
  });

  test("are searched over all shards, newest first", async () => {
    const of = async (...indexes: number[]) => {
      const hashes = indexes.map((index) => (told[index]!.proposal as Hashed).spec.data.hash.value);
      const answers = await Promise.all(
        hashes.map((hash) => ask("/api/v1/index/retrieve", { hash: `sha256:${hash}` })),
      );
      return answers.map(({ json }) => json as string[]);
    };
    const found = await of(0, 2, 5);
    expect(found).toEqual([[told[3]!.entryId, told[0]!.entryId], [told[2]!.entryId], [told[5]!.entryId]]);
    const log = new RekorLog({ hostname: HOSTNAME, treeId: shards[3]!.treeId }, rekorLinks(), { searchResults: 4 });
    const all = told.map(({ proposal }) => `sha256:${(proposal as Hashed).spec.data.hash.value}`);
    expect(await log.search(all, "or")).toEqual(
      told
        .map(({ entryId }) => entryId)
        .toReversed()
        .slice(0, 4),
    );
  });
});

interface Hashed {
  readonly spec: { readonly data: { readonly hash: { readonly value: string } } };
}

function rekorLinks() {
  return { ...shards[3]!, inactive: inactiveOf(shards, LENGTHS) };
}

describe("the trees of several shards", () => {
  test("are told of, oldest first, each with the fields of the one that grows and its own signature", async () => {
    const { json, text } = await ask("/api/v1/log");
    const heads = [...json.inactiveShards, json];
    expect(heads.map(({ treeID, treeSize }) => [treeID, treeSize])).toEqual(
      shards.map(({ treeId }, at) => [String(treeId), at === 3 ? told.length - 5 : LENGTHS[at]]),
    );
    for (const { treeID, treeSize, rootHash, signedTreeHead } of heads) {
      const { signer } = shards.find(({ treeId }) => String(treeId) === treeID)!;
      const head = verifyCheckpoint(utf8(signedTreeHead), `${HOSTNAME} - ${treeID}`, signer.publicKey, HOSTNAME);
      expect([Number(head.size), encodeHex(head.root)]).toEqual([treeSize, rootHash]);
    }
    expect(Object.keys(json.inactiveShards[0])).toEqual(["rootHash", "signedTreeHead", "treeID", "treeSize"]);
    expect(text.startsWith('{"inactiveShards":[{"rootHash":')).toBe(true);
  });

  test("have keys and proofs by their IDs, and the newest one's without", async () => {
    for (const { treeId, signer } of shards) {
      expect((await ask(`/api/v1/log/publicKey?treeID=${treeId}`)).text).toBe(keyPem(signer));
    }
    expect((await ask("/api/v1/log/publicKey")).text).toBe(keyPem(shards[3]!.signer));
    expect((await ask("/api/v1/log/publicKey?treeID=1")).status).toBe(400);
    const { inactiveShards } = (await ask("/api/v1/log")).json;
    const last = { size: 3n, root: decodeHex(inactiveShards[0].rootHash, "root") };
    const { json } = await ask(`/api/v1/log/proof?firstSize=1&lastSize=3&treeID=${shards[0]!.treeId}`);
    const path = json.hashes.map((node: string) => decodeHex(node, "hash"));
    const first = decodeHex(told[0]!.entryId.slice(16), "leaf hash");
    verifyConsistency({ from: 1n, to: 3n, path }, { size: 1n, root: first }, last);
    expect(json.rootHash).toBe(inactiveShards[0].rootHash);
    const beyond = await ask(`/api/v1/log/proof?lastSize=4&treeID=${shards[0]!.treeId}`);
    expect([beyond.status, beyond.json.message]).toEqual([400, expect.stringContaining("currently observable(3)")]);
    expect((await ask(`/api/v1/log/proof?lastSize=1&treeID=7`)).status).toBe(400);
  });

  test("are read whole as tiles, each below its own ID", async () => {
    const { treeId, signer } = shards[2]!;
    const base = `/api/v1/log/shards/${treeId}`;
    const note = (await ask(`${base}/checkpoint`)).bytes;
    expect(verifyCheckpoint(note, `${HOSTNAME} - ${treeId}`, signer.publicKey, HOSTNAME).size).toBe(2n);
    const leaves = parseEntryBundle((await ask(`${base}/tile/entries/000.p/2`)).bytes, "bundle");
    const ids = leaves.map((leaf) => encodeHex(leafHash(leaf)));
    expect(ids).toEqual([3, 4].map((index) => told[index]!.entryId.slice(16)));
    expect((await ask(`${base}/tile/entries/000.p/3`)).status).toBe(404);
    expect((await ask("/api/v1/log/shards")).json).toEqual(
      [0, 3, 3, 5].map((first, at) => ({ treeID: String(shards[at]!.treeId), first: String(first) })),
    );
    expect((await ask("/api/v1/log/shards/7/checkpoint")).status).toBe(400);
    expect((await ask("/api/v1/log/shards/x/checkpoint")).status).toBe(422);
  });

  test("are one log in the search: its indexes, its bundles and its growth", async () => {
    const { json } = await ask("/api/chancery/v1/search?log=rekor&order=oldest&limit=500");
    expect(json.results.map((one: { entryId: string; logIndex: string }) => [one.logIndex, one.entryId])).toEqual(
      told.map(({ entryId }, index) => [String(index), entryId]),
    );
    const pages: string[] = [];
    for (let cursor = ""; ;) {
      const page = (await ask(`/api/chancery/v1/search?limit=2${cursor}`)).json;
      pages.push(...page.results.map(({ logIndex }: { logIndex: string }) => logIndex));
      if (page.cursor === undefined) break;
      cursor = `&cursor=${page.cursor}`;
    }
    expect(pages.toSorted()).toEqual([...told.keys()].map(String).toSorted());
    for (const name of ["4", told[4]!.entryId, told[4]!.entryId.slice(16)]) {
      const detail = (await ask(`/api/chancery/v1/entries/rekor/${name}`)).json;
      expect([detail.logIndex, detail.entryId, detail.inclusionProof.logIndex]).toEqual(["4", told[4]!.entryId, "1"]);
      const [logEntry] = detail.bundle.verificationMaterial.tlogEntries;
      expect([logEntry.logIndex, logEntry.inclusionProof.logIndex]).toEqual(["4", "1"]);
      const logID = createHash("sha256").update(shards[2]!.signer.publicKey.spki).digest("base64");
      expect(logEntry.logId.keyId).toBe(logID);
    }
    expect((await ask(`/api/chancery/v1/entries/rekor/${told.length}`)).status).toBe(404);
    const [rekor] = (await ask("/api/chancery/v1/logs")).json;
    expect(rekor.shards.map(({ first, size }: { first: string; size: string }) => [first, size])).toEqual([
      ["0", "3"],
      ["3", "0"],
      ["3", "2"],
      ["5", String(told.length - 5)],
    ]);
    expect(rekor.shards.map(({ publicKey }: { publicKey: string }) => publicKey)).toEqual(
      shards.map(({ signer }) => keyPem(signer)),
    );
    const { points } = (await ask("/api/chancery/v1/logs/rekor/growth")).json;
    expect(points.at(-1).size).toBe(String(told.length));
  });
});

async function refused(from: RunningService): Promise<string> {
  const answer = await ask(ENTRIES, await hashedrekord(), from);
  const ready = await ask("/readyz", undefined, from);
  expect([answer.status, ready.status]).toEqual([503, 503]);
  return ready.text;
}

describe("a log whose older shard is not what its indexes rest on", () => {
  test("because it takes entries again, signs nothing", async () => {
    const [old, active] = [await openShard(7), await openShard(8)];
    await using from = await served([old, active], [0, 0]);
    expect(await refused(from.service)).toMatch(
      /followed by another shard, and its database says that it takes entries/,
    );
    expect((await active.log.published()).head.size).toBe(0n);
  });

  test("because it has more entries than were counted, signs nothing, nor one of its own", async () => {
    const [old, active] = [await openShard(7), await openShard(8)];
    const { treeId } = old;
    for (let entries = 0; entries < 2; entries++) {
      const proposal = (await hashedrekord()) as never;
      await new RekorLog({ hostname: HOSTNAME, treeId }, old).create(ANYONE, () => judgeProposal(proposal, {}));
    }
    await old.log.freeze();
    await using from = await served([old, active], [1, 0]);
    expect(await refused(from.service)).toMatch(/it had 1 entry when another shard followed it, and has 2 now/);
    expect((await ask(`${ENTRIES}?logIndex=0`, undefined, from.service)).status).toBe(503);
    expect((await active.log.published()).head.size).toBe(0n);
  });
});

async function served(all: readonly OpenShard[], lengths: readonly number[]) {
  const running = await serve(all, [...lengths]);
  return { service: running, [Symbol.asyncDispose]: () => running.close() };
}
