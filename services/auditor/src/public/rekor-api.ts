import { type LogIdentity, openCheckpoint } from "../domain/checkpoint.ts";
import { Difference, expectEqual, NOTHING, notInOrder } from "../domain/difference.ts";
import { rootOfPath } from "../domain/inclusion.ts";
import { isIndex, isObject, isText, isTexts, member } from "../domain/json-member.ts";
import { HASH_BYTES, hashLeaf } from "../domain/merkle.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { readAhead } from "../domain/read-ahead.ts";
import { TreeCheck } from "../domain/tree-check.ts";
import type { HttpLog } from "./http-log.ts";
import { INSIDE } from "./tiled-log.ts";

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
  asked?: string,
): Promise<CleanLog> {
  const { note, treeId, treeSize, rootHash, first } = await readTreeHead(log, asked);
  const origin = `${who.hostname} - ${treeId}`;
  const { size, root } = openCheckpoint(note, { origin, signer: who.hostname, signs: "text", keys: who.keys });
  expectEqual({ kind: "checkpoint", field: "treeSize of the API" }, size, BigInt(treeSize));
  expectEqual({ kind: "checkpoint", field: "rootHash of the API" }, root, rootHash);
  const check = new TreeCheck(size, [{ by: "checkpoint", size, root }], undefined);
  const pages = Math.ceil(Number(size) / PAGE);
  let [next, time] = [0n, 0n];
  for await (const entries of readAhead(pages, AHEAD, (page) => readPage(log, { first, from: page * PAGE, size }))) {
    const hashes = entries.map((entry) => checkEntry(entry, { size, root }));
    for (const { index, time: own } of entries) {
      if (own < time) throw notInOrder(index, own, time);
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

const LOG = "/api/v1/log";

/** Of all trees of the log, oldest first; the last one grows. */
export async function readHeads(log: HttpLog) {
  const answer = await log.getJson(LOG);
  if (answer === undefined) throw log.notAnAnswer(LOG, "there is no Rekor log here");
  const inactive = (isObject(answer) ? answer["inactiveShards"] : undefined) ?? [];
  // Upstream's says null where there are none.
  if (!Array.isArray(inactive)) throw log.notAnAnswer(LOG, "its inactiveShards are no list");
  let first = 0n;
  return [...inactive, answer].map((tree: unknown) => {
    const head = readTree(tree, first);
    first += BigInt(head.treeSize);
    return head;
  });
}

/** Of one tree; of the one that grows where none is asked for. One that is not named is not answered for by another. */
export async function readTreeHead(log: HttpLog, asked: string | undefined) {
  const heads = await readHeads(log);
  const at = asked === undefined ? heads.length - 1 : heads.findIndex(({ treeId }) => treeId === asked);
  const head = heads[at];
  if (head === undefined) throw log.notAnAnswer(LOG, `names no tree ${asked}`);
  return { ...head, grows: at === heads.length - 1 };
}

/** `first`: what the API calls its first entry. */
function readTree(answer: unknown, first: bigint) {
  return {
    first,
    note: Buffer.from(member(answer, "signedTreeHead", isText)),
    treeId: member(answer, "treeID", isText),
    treeSize: member(answer, "treeSize", isIndex),
    rootHash: member(answer, "rootHash", isText),
  };
}

interface Page {
  /** What the API calls the tree's first entry. */
  readonly first: bigint;
  readonly from: number;
  readonly size: bigint;
}

async function readPage(log: HttpLog, { first, from, size }: Page): Promise<ApiEntry[]> {
  const indexes = Array.from({ length: Math.min(PAGE, Number(size) - from) }, (_, at) => BigInt(from + at));
  const answer = await log.postJson(RETRIEVE, { logIndexes: indexes.map((index) => Number(first + index)) });
  const found = Array.isArray(answer) ? answer.map(parseEntry) : [];
  // What is not there is left out of the answer.
  return indexes.map((index, at) => {
    const entry = found[at];
    if (entry?.index === first + index) return Object.assign(entry, { index });
    throw new Difference({ kind: "entry", index, field: "leaf" }, "an entry", NOTHING);
  });
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
