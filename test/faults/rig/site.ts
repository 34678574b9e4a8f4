import { createPublicKey } from "node:crypto";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { createKeyFile, loadKeyFile, type Signer } from "../../../libs/crypto/src/index.ts";
import { encodeHex } from "../../../libs/encoding/src/index.ts";
import {
  checkLog,
  FileAnchor,
  type LogOptions,
  PostgresLogStore,
  TransparencyLog,
} from "../../../libs/log/src/index.ts";
import { Database, type EmbeddedPostgres, startEmbedded } from "../../../libs/postgres/src/index.ts";
import { leafHash } from "../../../libs/tlog/src/index.ts";
import { checkDatabase } from "../../../services/auditor/src/index.ts";
import { SEED } from "./dice.ts";
import { entryNamed } from "./entry.ts";
import { Journal } from "./journal.ts";
import type { Orders } from "./log-node.ts";
import { LogNode } from "./log-node-process.ts";
import { tellingSigner } from "./signer.ts";
import { FLAWLESS, judge, noteHead, type Verdict } from "./verdict.ts";

/** Its name, in its database and its anchor. */
export const LOG = "faults";

/** A PostgreSQL of its own and a key: what a test file needs once. */
export class FaultSite implements AsyncDisposable {
  readonly directory: string;
  readonly postgres: EmbeddedPostgres;
  readonly keyFile: string;
  readonly key: Signer;
  #made = 0;
  #admin: Database | undefined;

  private constructor(directory: string, postgres: EmbeddedPostgres, keyFile: string, key: Signer) {
    this.directory = directory;
    this.postgres = postgres;
    this.keyFile = keyFile;
    this.key = key;
  }

  static async open(postgresIn?: string): Promise<FaultSite> {
    const directory = await mkdtemp(join(tmpdir(), "faults-"));
    const postgres = await startEmbedded({ directory: postgresIn ?? join(directory, "postgres") });
    const keyFile = join(directory, "key.pem");
    await createKeyFile(keyFile, "ed25519");
    return new FaultSite(directory, postgres, keyFile, await loadKeyFile(keyFile));
  }

  /** A log that was never opened, in a database and an anchor folder of its own, or a copy of one that nobody has open. */
  async log(copyOf?: FaultLog): Promise<FaultLog> {
    const name = `faults_${++this.#made}`;
    const admin = await this.admin();
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${copyOf?.database ?? "template1"} STRATEGY wal_log`);
    const anchors = join(this.directory, name);
    if (copyOf === undefined) await mkdir(anchors);
    else await cp(copyOf.anchors, anchors, { recursive: true });
    return new FaultLog(this, name, anchors, new Journal(copyOf?.journal));
  }

  async admin(): Promise<Database> {
    return (this.#admin ??= await Database.open(this.postgres.url, { max: 1 }));
  }

  urlOf(database: string): string {
    return this.postgres.url.replace("/chancery?", `/${database}?`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin?.close();
    await this.postgres.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** What of one log outlives its processes, and the journal of all that they told. */
export class FaultLog {
  readonly site: FaultSite;
  readonly database: string;
  readonly anchors: string;
  readonly journal: Journal;
  readonly nodes: LogNode[] = [];

  constructor(site: FaultSite, database: string, anchors: string, journal: Journal) {
    this.journal = journal;
    this.site = site;
    this.database = database;
    this.anchors = anchors;
  }

  get url(): string {
    return this.site.urlOf(this.database);
  }

  /** The same log, with the database or the anchors of another in the place of its own. */
  over(other: { database?: string; anchors?: string }): FaultLog {
    return new FaultLog(this.site, other.database ?? this.database, other.anchors ?? this.anchors, this.journal);
  }

  /** What a process is told to open it. */
  opening(other: Partial<Orders["open"]> = {}): Orders["open"] {
    return { url: this.url, anchors: this.anchors, log: LOG, keyFile: this.site.keyFile, ...other };
  }

  node(): LogNode {
    return this.adopt(LogNode.start(this.journal));
  }

  /** Makes a node that was started early a node of this log. */
  adopt(node: LogNode): LogNode {
    node.journal = this.journal;
    this.nodes.push(node);
    return node;
  }

  async openNode(other: Partial<Orders["open"]> = {}): Promise<LogNode> {
    const node = this.node();
    expect(await node.order("open", this.opening(other))).toBe("");
    return node;
  }

  /** Opens it in this process, under the same journal. */
  async open(db: Database, options: Partial<LogOptions> = {}): Promise<TransparencyLog> {
    return await TransparencyLog.open({
      name: LOG,
      store: await PostgresLogStore.open(db, options.failpoint),
      anchor: await FileAnchor.open(this.anchors, LOG),
      signer: this.signer(),
      ...options,
    });
  }

  /** Appends in this process, and writes down what it is told. */
  async append(log: TransparencyLog, names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        this.journal.asked(name);
        const { entry, duplicate, checkpoint } = await log.append(entryNamed(name));
        const { head, time } = checkpoint;
        this.journal.answered({
          name,
          index: entry.index,
          leafHash: encodeHex(leafHash(entry.leaf)),
          duplicate,
          head: { size: head.size, root: encodeHex(head.root), time },
        });
      }),
    );
  }

  signer(key = this.site.key, origin?: string) {
    return tellingSigner(
      key,
      (size, root, time) => this.journal.signed.push({ size, root: encodeHex(root), time }),
      origin,
    );
  }

  /** The whole truth: every byte of it adds up, and all that was ever told of it holds. */
  async check(): Promise<Verdict> {
    await using db = await Database.open(this.url, { max: 2 });
    const log = await this.open(db);
    expect(await log.readiness()).toBeUndefined();
    const checked = await checkLog(log);
    const { note } = await log.published();
    expect(noteHead(note, this.site.key.publicKey.spki)).toEqual({ size: checked.size, root: encodeHex(checked.root) });
    const verdict = await judge(db, LOG, this.journal);
    await log.close();
    await this.#fsck(db, checked.size);
    expect(this.journal.unexpected).toEqual([]);
    expect(verdict).toMatchObject({ ...FLAWLESS, entries: Number(checked.size) });
    return verdict;
  }

  /** As `chancery fsck` looks at it, with none of the engine's code: rows, tiles, edge, checkpoint and anchor. */
  async #fsck(db: Database, size: bigint): Promise<void> {
    const key = createPublicKey({ key: Buffer.from(this.site.key.publicKey.spki), format: "der", type: "spki" });
    const anchor = join(this.anchors, LOG);
    expect(await checkDatabase({ db, name: LOG, key, signs: "text", anchor })).toMatchObject({ size });
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  async drop(): Promise<void> {
    const admin = await this.site.admin();
    await admin.query(`DROP DATABASE ${this.database} WITH (FORCE)`);
    await rm(this.anchors, { recursive: true, force: true });
  }
}

/** One line a suite, whatever else is printed. */
export function report(suite: string, figures: Readonly<Record<string, string | number>>, verdict?: Verdict): void {
  const told =
    verdict === undefined
      ? []
      : [
          `${verdict.acknowledged} acknowledged`,
          `${verdict.heads} heads`,
          `lost/forked/gaps/duplicates ${verdict.lost}/${verdict.forked}/${verdict.gaps}/${verdict.duplicates}`,
        ];
  const counted = Object.entries(figures).map(([what, count]) => `${count} ${what}`);
  console.log(`${suite}: ${[...counted, ...told].join(", ")} (seed ${SEED})`);
}

/** Median and highest, for the summary. */
export function spread(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN);
  return `${at(0.5)}/${at(0.95)}/${at(1)} ms`;
}
