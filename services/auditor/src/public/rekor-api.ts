import { type LogIdentity, openCheckpoint } from "../domain/checkpoint.ts";
import { Difference, expectEqual, NOTHING } from "../domain/difference.ts";
import { rootOfPath } from "../domain/inclusion.ts";
import { HASH_BYTES, hashLeaf } from "../domain/merkle.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { TreeCheck } from "../domain/tree-check.ts";
import type { HttpLog } from "./http-log.ts";
import { INSIDE } from "./tiled-log.ts";
import { isIndex, isObject, isText, isTexts, member } from "../domain/json-member.ts";

/** What the API takes in a request, and requests under way. */
const PAGE = 10;
const AHEAD = 8;
const RETRIEVE = "/api/v1/log/entries/retrieve";

interface ApiEntry {
  readonly id: string;
  readonly index: bigint;
  readonly leaf: Uint8Array;
  readonly time: bigint;
  readonly proof: { readonly path: readonly Uint8Array[]; readonly root: Uint8Array; readonly size: bigint };
}

/**
 * Reads a log through Rekor's v1 API, which serves no tiles: ten entries a request, each with an ID and a proof that
 * the log signs and hashes for, so this is slow. Throws the first Difference.
 *
 * An entry's proof says where the tree is another; that all of them are of one tree is what the root says.
 */
export async function checkRekorApi(
  log: HttpLog,
  who: { readonly hostname: string; readonly keys: LogIdentity["keys"] },
  progress: Progress = () => {},
): Promise<CleanLog> {
  const { note, treeId, treeSize, rootHash } = await readHead(log);
  const origin = `${who.hostname} - ${treeId}`;
  const { size, root } = openCheckpoint(note, { origin, signer: who.hostname, signs: "text", keys: who.keys });
  expectEqual({ kind: "checkpoint", field: "treeSize of the API" }, size, BigInt(treeSize));
  expectEqual({ kind: "checkpoint", field: "rootHash of the API" }, root, rootHash);
  const check = new TreeCheck(size, [{ by: "checkpoint", size, root }], undefined);
  const pages = Math.ceil(Number(size) / PAGE);
  let [next, time] = [0n, 0n];
  for await (const entries of readAhead(pages, AHEAD, (page) => readPage(log, page * PAGE, Number(size)))) {
    const hashes = entries.map((entry) => checkEntry(entry, { size, root }));
    for (const { index, time: own } of entries) {
      if (own < time) throw new Difference({ kind: "entry", index, field: "time" }, `${time} or later`, String(own));
      time = own;
    }
    await check.add(Buffer.concat(hashes));
    next += BigInt(entries.length);
    progress("entries", next, size);
  }
  await check.finish();
  const checked = [`checkpoint of size ${size}`, "entries", "entry IDs", "inclusion proofs", "order of times"];
  return { size, root, checked, unchecked: INSIDE, notes: [] };
}

export async function readHead(log: HttpLog) {
  const path = "/api/v1/log";
  const answer = await log.getJson(path);
  if (answer === undefined) throw log.notAnAnswer(path, "there is no Rekor log here");
  const inactive = isObject(answer) ? answer["inactiveShards"] : undefined;
  return { ...readTree(answer), inactive: Array.isArray(inactive) ? inactive.map(readTree) : [] };
}

function readTree(answer: unknown) {
  return {
    note: Buffer.from(member(answer, "signedTreeHead", isText)),
    treeId: member(answer, "treeID", isText),
    treeSize: member(answer, "treeSize", isIndex),
    rootHash: member(answer, "rootHash", isText),
  };
}

async function readPage(log: HttpLog, first: number, size: number): Promise<ApiEntry[]> {
  const indexes = Array.from({ length: Math.min(PAGE, size - first) }, (_, at) => first + at);
  const answer = await log.postJson(RETRIEVE, { logIndexes: indexes });
  const found = Array.isArray(answer) ? answer.map(parseEntry) : [];
  // What is not there is left out of the answer.
  for (const [at, index] of indexes.entries()) {
    const place = { kind: "entry", index: BigInt(index), field: "leaf" } as const;
    if (found[at]?.index !== BigInt(index)) throw new Difference(place, "an entry", NOTHING);
  }
  return found;
}

/** `{ <entry ID>: { body, integratedTime, logIndex, verification: { inclusionProof } } }` */
function parseEntry(answer: unknown): ApiEntry {
  const [[id, entry] = ["", undefined]] = isObject(answer) ? Object.entries(answer) : [];
  const proof = member(member(entry, "verification", isObject), "inclusionProof", isObject);
  return {
    id,
    index: BigInt(member(entry, "logIndex", isIndex)),
    leaf: Buffer.from(member(entry, "body", isText), "base64"),
    time: BigInt(member(entry, "integratedTime", isIndex)),
    proof: {
      path: member(proof, "hashes", isTexts).map((hash) => Buffer.from(hash, "hex")),
      root: Buffer.from(member(proof, "rootHash", isText), "hex"),
      size: BigInt(member(proof, "treeSize", isIndex)),
    },
  };
}

function checkEntry({ id, index, leaf, proof }: ApiEntry, head: { size: bigint; root: Uint8Array }): Uint8Array {
  const hash = hashLeaf(leaf);
  expectEqual({ kind: "entry", index, field: "entry ID" }, hash, id.slice(-2 * HASH_BYTES));
  const root = rootOfPath(index, proof.size, hash, proof.path);
  // The log may have grown since; then its younger root is not ours to judge.
  const stated = proof.size === head.size ? head.root : proof.root;
  expectEqual({ kind: "entry", index, field: "inclusion proof" }, stated, root ?? NOTHING);
  return hash;
}
