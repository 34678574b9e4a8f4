import { createPublicKey, hash as digest, verify, type KeyObject } from "node:crypto";
import { type Database, textArray } from "../../../libs/postgres/src/index.ts";
import { leafOfRow } from "../../../services/auditor/src/database/leaf-of-row.ts";
import type { Head, Journal } from "./journal.ts";

export interface Verdict {
  readonly entries: number;
  readonly acknowledged: number;
  readonly heads: number;
  /** Acknowledged entries that are not where their client was told, or not under the head it was shown. */
  readonly lost: number;
  /** Heads, signed or shown, that are not of the one history there is. */
  readonly forked: number;
  readonly gaps: number;
  /** Entries that stand there twice, and clients that were told two places for one entry. */
  readonly duplicates: number;
  /** Heads of a larger tree that are not of a later time. RFC 6962, Section 3.5. */
  readonly backwards: number;
  /** Entries without what finds them: identity, leaf hash or search key. */
  readonly unfindable: number;
}

export const FLAWLESS = { lost: 0, forked: 0, gaps: 0, duplicates: 0, backwards: 0, unfindable: 0 };

const PAGE = 4096;

interface Row {
  readonly index: bigint;
  readonly identity: Uint8Array | null;
  readonly leaf: Uint8Array;
}

/**
 * Holds a log to all that was ever told of it, from its bare rows and with none of the engine's code. A head is of this
 * history if its root is MTH of as many entries of it, which is more than a consistency proof shows.
 */
export async function judge(db: Database, log: string, journal: Journal): Promise<Verdict> {
  const id = (await db.query<{ id: number }>("SELECT id FROM log.log WHERE name = $1", [log]))[0]!.id;
  const heads = distinct([...journal.signed, ...journal.acknowledged.map(({ head }) => head)]);
  const wanted = new Set(heads.map(({ size }) => size));
  const roots = new Map<bigint, string>();
  const leaves: string[] = [];
  const identities = new Set<string>();
  const edge = new Edge();
  let [gaps, duplicates] = [0, 0];
  if (wanted.has(0n)) roots.set(0n, edge.root());
  for (;;) {
    const rows = await db.query<Row>(
      "SELECT index, identity, leaf FROM log.entry WHERE log = $1 AND index >= $2 ORDER BY index LIMIT $3",
      [id, leaves.length, PAGE],
    );
    for (const { index, identity, leaf } of rows) {
      if (index !== BigInt(leaves.length)) gaps++;
      const leafHash = sha256(ZERO, leafOfRow(leaf));
      const name = (identity === null ? leafHash : Buffer.from(identity)).toString("latin1");
      if (identities.has(name)) duplicates++;
      identities.add(name);
      leaves.push(leafHash.toString("hex"));
      edge.add(leafHash);
      if (wanted.has(BigInt(leaves.length))) roots.set(BigInt(leaves.length), edge.root());
    }
    if (rows.length < PAGE || gaps > 0) break;
  }
  return {
    entries: leaves.length,
    acknowledged: journal.acknowledged.length,
    heads: wanted.size,
    lost: journal.acknowledged.filter(
      ({ index, leafHash, head }) => leaves[Number(index)] !== leafHash || head.size <= index,
    ).length,
    forked: heads.filter(({ size, root }) => roots.get(size) !== root).length,
    gaps,
    duplicates: duplicates + toldTwoPlaces(journal),
    backwards: backwards(heads),
    unfindable: await unfindable(db, id, leaves),
  };
}

/** The published note of a log: signed by this key, over this size and root. c2sp.org/signed-note, by the letter. */
export function noteHead(note: Uint8Array, spki: Uint8Array): { size: bigint; root: string } {
  const text = Buffer.from(note).toString();
  const body = text.slice(0, text.indexOf("\n\n") + 1);
  const signature = Buffer.from(/^— \S+ (\S+)$/m.exec(text.slice(body.length))?.[1] ?? "", "base64").subarray(4);
  const key: KeyObject = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  if (!verify(null, Buffer.from(body), key, signature)) throw new Error("the published note is not signed by its key");
  const [, size, root] = body.split("\n");
  return { size: BigInt(size!), root: Buffer.from(root!, "base64").toString("hex") };
}

const ZERO = Uint8Array.of(0);
const ONE = Uint8Array.of(1);

function sha256(...parts: Uint8Array[]): Buffer {
  return digest("sha256", Buffer.concat(parts), "buffer");
}

/** The whole subtrees of a growing tree, largest first. RFC 6962, Section 2.1. */
class Edge {
  readonly #subtrees: { readonly leaves: number; readonly hash: Buffer }[] = [];

  add(leaf: Buffer): void {
    let last = { leaves: 1, hash: leaf };
    while (this.#subtrees.at(-1)?.leaves === last.leaves) {
      last = { leaves: last.leaves * 2, hash: sha256(ONE, this.#subtrees.pop()!.hash, last.hash) };
    }
    this.#subtrees.push(last);
  }

  root(): string {
    const [last, ...larger] = this.#subtrees.map(({ hash }) => hash).toReversed();
    return (last === undefined ? sha256() : larger.reduce((right, left) => sha256(ONE, left, right), last)).toString(
      "hex",
    );
  }
}

function distinct(heads: readonly Head[]): Head[] {
  return [...new Map(heads.map((head) => [`${head.size} ${head.root} ${head.time}`, head])).values()];
}

function toldTwoPlaces({ acknowledged }: Journal): number {
  const places = new Map<string, bigint>();
  let told = 0;
  for (const { name, index } of acknowledged) {
    if ((places.get(name) ?? index) !== index) told++;
    places.set(name, index);
  }
  return told;
}

function backwards(heads: readonly Head[]): number {
  // A checkpoint of Rekor v1 tells no time.
  const sorted = heads.filter(({ time }) => time > 0).toSorted((a, b) => Number(a.size - b.size) || a.time - b.time);
  return sorted.filter(({ size, time }, at) => {
    const before = sorted[at - 1];
    return before !== undefined && size > before.size && time <= before.time;
  }).length;
}

/** `leaves` are the leaf hashes, hexadecimal, from the first entry on. */
async function unfindable(db: Database, id: number, leaves: readonly string[]): Promise<number> {
  const [row] = await db.query<{ missing: bigint }>(
    `SELECT count(*) AS missing FROM log.entry e
     LEFT JOIN (SELECT ordinal - 1 AS index, decode(hex, 'hex') AS hash
       FROM unnest($2::text[]) WITH ORDINALITY AS leaf (hex, ordinal)) l ON l.index = e.index
     LEFT JOIN log.identity i ON i.log = e.log AND i.index = e.index AND i.hash = coalesce(e.identity, l.hash)
     LEFT JOIN log.leaf_hash h ON h.log = e.log AND h.hash = l.hash AND h.index = e.index
     LEFT JOIN (SELECT DISTINCT place & ((1::bigint << 40) - 1) AS index FROM log.search WHERE place >> 40 = $1) k ON k.index = e.index
     WHERE e.log = $1 AND (i.index IS NULL OR k.index IS NULL OR (e.identity IS NOT NULL AND h.index IS NULL))`,
    [id, textArray(leaves)],
  );
  return Number(row!.missing);
}
