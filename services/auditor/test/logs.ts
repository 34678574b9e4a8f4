import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ephemeralSigner, sha256, type Signer } from "@chancery/crypto";
import { utf8 } from "@chancery/encoding";
import {
  FileAnchor,
  type NewEntry,
  PostgresLogStore,
  type SearchKey,
  SearchKeys,
  TransparencyLog,
  type TreeHeadSigner,
} from "@chancery/log";
import { Database, startEmbedded } from "@chancery/postgres";
import { leafHash, signCheckpoint, signTreeHead, verifyCheckpoint, verifyTreeHead } from "@chancery/tlog";
import { checkDatabase, type CleanLog, type DatabaseCheck, Difference, type LogIdentity } from "../src/index.ts";

const searchKey = (name: string): SearchKey => ({ column: "key0", bytes: sha256(utf8(name)).subarray(0, 16) });

type Form = LogIdentity["signs"];

/** `text`: as Rekor names, signs and logs. `tree head`: as a CT log does. */
export function headSigner(
  signs: Form,
  signer: Signer,
  origin = signs === "text" ? "log.example - 42" : "log.example/ctlog/2026",
): TreeHeadSigner {
  const [hostname = origin] = origin.split(" - ", 1);
  return {
    origin,
    keyId: sha256(signer.publicKey.spki),
    sign: (head, time) =>
      signs === "text"
        ? signCheckpoint({ origin, ...head, extensions: [] }, hostname, signer, "ecdsa")
        : signTreeHead(head, BigInt(time), origin, signer),
    verify: (note) =>
      signs === "text"
        ? verifyCheckpoint(note, origin, signer.publicKey, hostname)
        : verifyTreeHead(note, origin, signer.publicKey),
  };
}

/** In a CT log the leaf holds the time, so that its hash is not the entry's identity. */
export function newEntry(signs: Form, name: number): NewEntry {
  const leaf = utf8(`entry ${name}`);
  const extra = new Uint8Array();
  if (signs === "text") {
    return {
      identity: leafHash(leaf),
      leaf: () => leaf,
      extra,
      searchKeys: SearchKeys.of([searchKey(`key ${name}`), searchKey("all")]),
    };
  }
  const identity = sha256(utf8(`certificate ${name}`));
  return {
    identity,
    leaf: ({ time }) => utf8(`${time} ${name}`),
    extra: utf8(`chain ${name}`),
    searchKeys: SearchKeys.NONE,
  };
}

export interface StoredWorld {
  readonly db: Database;
  readonly key: Signer;
  readonly anchor: string;
  readonly log: number;
  check(changes?: Partial<DatabaseCheck>): Promise<CleanLog>;
  /** Opens it again, for more. */
  open(): Promise<TransparencyLog>;
  /** As whoever owns the machine could, with no trigger and no grant in the way; undone when the check is over. */
  checkDamaged(
    damages: readonly [sql: string, ...params: unknown[]][],
    changes?: Partial<DatabaseCheck>,
    definition?: string,
  ): Promise<CleanLog>;
}

export interface Server extends AsyncDisposable {
  /** A log grown by the real engine in batches of these sizes, in a database of its own beside another log. */
  grow(signs: Form, batches: readonly number[]): Promise<StoredWorld>;
}

class Undone extends Error {
  readonly outcome: PromiseSettledResult<CleanLog>;
  constructor(outcome: PromiseSettledResult<CleanLog>) {
    super("undone");
    this.outcome = outcome;
  }
}

export async function startServer(): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), "auditor-test-"));
  const server = await startEmbedded({ directory: join(directory, "postgres") });
  const admin = await Database.open(server.url, { max: 1 });
  const open: Database[] = [admin];
  return {
    grow: async (signs, batches) => {
      const name = `audited_${open.length}`;
      await admin.query(`CREATE DATABASE ${name}`);
      const db = await Database.open(server.url.replace("/chancery?", `/${name}?`), { max: 4 });
      open.push(db);
      const anchor = join(directory, name);
      await mkdir(anchor);
      const key = ephemeralSigner("ecdsa-p256");
      const openLog = async (log: string, create: boolean) => {
        const store = await PostgresLogStore.open(db);
        const signer = headSigner(signs, key);
        return TransparencyLog.open({ name: log, store, anchor: await FileAnchor.open(anchor, log), signer, create });
      };
      await grow(await openLog("other", true), signs, [3]);
      await grow(await openLog("audited", true), signs, batches);
      return storedWorld(db, key, join(anchor, "audited"), signs, () => openLog("audited", false));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(open.map((db) => db.close()));
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function grow(log: TransparencyLog, signs: Form, batches: readonly number[]) {
  let next = 0;
  for (const count of batches) {
    const entries = Array.from({ length: count }, () => newEntry(signs, next++));
    await Promise.all(entries.map((entry) => log.append(entry)));
  }
  await log.close();
}

async function storedWorld(
  db: Database,
  key: Signer,
  anchor: string,
  signs: Form,
  open: StoredWorld["open"],
): Promise<StoredWorld> {
  const [row] = await db.query<{ id: number }>("SELECT id FROM log.log WHERE name = 'audited'");
  const check = (changes: Partial<DatabaseCheck> = {}) =>
    checkDatabase({ db, name: "audited", key: key.publicKey.keyObject, signs, anchor, ...changes });
  return {
    db,
    key,
    anchor,
    log: row!.id,
    check,
    open,
    async checkDamaged(damages, changes = {}, definition = "") {
      const undone = await db
        .transaction(async (tx) => {
          await tx.query("SET LOCAL session_replication_role = replica");
          if (definition !== "") await tx.query(definition);
          for (const [sql, ...params] of damages) {
            const changed = await tx.query(`${sql} RETURNING 1`, params);
            if (changed.length === 0) throw new Error(`changes nothing: ${sql}`);
          }
          // In the transaction only this connection sees the damage; its queries queue up behind each other.
          const [outcome] = await Promise.allSettled([check({ ...changes, db: tx })]);
          throw new Undone(outcome);
        })
        .catch((error: unknown) => error);
      if (!(undone instanceof Undone)) throw undone;
      if (undone.outcome.status === "rejected") throw undone.outcome.reason;
      return undone.outcome.value;
    },
  };
}

/** What a check threw; of one that found nothing, an error that says what it took for clean. */
export async function differenceOf(check: Promise<unknown>): Promise<Difference> {
  const outcome = await check.catch((error: unknown) => error);
  if (outcome instanceof Difference) return outcome;
  throw outcome instanceof Error ? outcome : new Error(`clean: ${JSON.stringify(outcome, (_, v) => String(v))}`);
}
