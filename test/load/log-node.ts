import { randomBytes, randomFillSync } from "node:crypto";
import { loadKeyFile, sha256, type Signer } from "../../libs/crypto/src/index.ts";
import {
  FileAnchor,
  type NewEntry,
  PostgresLogStore,
  type SearchKey,
  SearchKeys,
  TransparencyLog,
  type TreeHeadSigner,
} from "../../libs/log/src/index.ts";
import { Database } from "../../libs/postgres/src/index.ts";
import { leafHash, noteKeyHash, noteKeyRule, signCheckpoint, verifyCheckpoint } from "../../libs/tlog/src/index.ts";

/** Where a log lies, for every process that writes to it. */
export interface LogSite {
  readonly url: string;
  readonly anchors: string;
  readonly keyFile: string;
  /** How many search keys each entry has: `MOST_KEYS` at most. */
  readonly keys: number;
}

export interface OpenLog extends AsyncDisposable {
  readonly log: TransparencyLog;
  readonly db: Database;
}

/** The size of a hashedrekord whose verifier is a certificate. */
const LEAF_BYTES = 1351;
/** As Rekor's of a certificate: three keys are of this entry alone, one is of someone who logs often, three of all. */
const NAMES = 1000;
export const MOST_KEYS = 7;
const [ISSUER, DOMAIN, KIND] = [Buffer.alloc(8, 1), Buffer.alloc(8, 2), Buffer.alloc(8, 3)];

export async function openLog(site: LogSite, create = false): Promise<OpenLog> {
  const db = await Database.open(site.url);
  const log = await TransparencyLog.open({
    name: "bench",
    store: await PostgresLogStore.open(db),
    anchor: await FileAnchor.open(site.anchors, "bench"),
    signer: checkpointSigner(await loadKeyFile(site.keyFile)),
    create,
  });
  const reason = await log.readiness();
  if (reason !== undefined) throw new Error(reason);
  const close = async () => {
    await log.close();
    await db.close();
  };
  return { log, db, [Symbol.asyncDispose]: close };
}

export async function sizeOf({ log }: Pick<OpenLog, "log">): Promise<bigint> {
  return (await log.published()).head.size;
}

function checkpointSigner(signer: Signer): TreeHeadSigner {
  const origin = "bench.example";
  return {
    origin,
    keyId: noteKeyHash(noteKeyRule(signer.publicKey), origin, signer.publicKey),
    sign: (head) => signCheckpoint({ origin, ...head, extensions: [] }, origin, signer),
    verify: (note) => verifyCheckpoint(note, origin, signer.publicKey),
  };
}

const noise = Buffer.from(randomBytes(96 * 1024).toString("base64"), "latin1");
const nothing = new Uint8Array();
const pool = new Uint8Array(2 ** 20);
let fresh = pool.length;
let made = 0;

/** As Rekor logs: base64, which hardly shrinks, and never the same twice. Of the keys, the first so many. */
export function newEntry(keys: number): NewEntry {
  const leaf = new Uint8Array(LEAF_BYTES);
  const start = Math.floor(Math.random() * (noise.length - LEAF_BYTES));
  leaf.set(noise.subarray(start, start + LEAF_BYTES));
  const unique = new Uint8Array(64);
  if (fresh === pool.length) {
    randomFillSync(pool);
    fresh = 0;
  }
  unique.set(pool.subarray(fresh, (fresh += unique.length)));
  leaf.set(unique, 100);
  const name = `person-${made++ % NAMES}@example.com`;
  const named = sha256(Buffer.from(name));
  const searchKeys: SearchKey[] = [
    { column: "key0", bytes: unique.subarray(0, 16) },
    { column: "key1", bytes: unique.subarray(16, 32) },
    { column: "key2", bytes: named.subarray(0, 16) },
    { column: "term0", bytes: unique.subarray(32, 40) },
    { column: "term1", bytes: ISSUER },
    { column: "term2", bytes: DOMAIN },
    { column: "term3", bytes: KIND },
  ];
  return {
    identity: leafHash(leaf),
    leaf: () => leaf,
    extra: nothing,
    searchKeys: SearchKeys.of(searchKeys.slice(0, keys)),
    names: [{ name, key: named.subarray(0, 16) }],
  };
}
