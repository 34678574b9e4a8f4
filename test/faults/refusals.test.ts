import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ephemeralSigner } from "../../libs/crypto/src/index.ts";
import { RefusedToSign } from "../../libs/fault/src/index.ts";
import type { LogOptions, TransparencyLog } from "../../libs/log/src/index.ts";
import { Database } from "../../libs/postgres/src/index.ts";
import { Dice, minutes, times } from "./rig/dice.ts";
import { entryNamed } from "./rig/entry.ts";
import { type PlainPostgres, startPlainPostgres } from "./rig/plain-postgres.ts";
import { type FaultLog, FaultSite, LOG, report } from "./rig/site.ts";

const ROUNDS = times(5);

let site: FaultSite;
let plain: PlainPostgres;
const bases: FaultLog[] = [];
let refused = 0;
const dice = new Dice("refusals");

beforeAll(async () => {
  site = await FaultSite.open();
  plain = await startPlainPostgres(join(site.directory, "plain"));
  for (let made = 0; made < 4; made++) {
    const base = await site.log();
    await grow(base, dice.between(2, 300), { create: true });
    bases.push(base);
  }
});

afterAll(async () => {
  await plain?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
  report("refusals", { refused, "signed after it": 0 });
});

/** A log as it must not go on, and how it is opened all the same. */
interface Wrong {
  readonly log: FaultLog;
  readonly options?: Partial<LogOptions>;
}

/** A new log with some entries that nobody has open. */
async function logged(): Promise<FaultLog> {
  return await site.log(dice.pick(bases));
}

async function grow(log: FaultLog, count: number, options: Partial<LogOptions> = {}): Promise<void> {
  await using db = await Database.open(log.url, { max: 2 });
  const opened = await log.open(db, options);
  const run = log.journal.signed.length;
  await log.append(
    opened,
    Array.from({ length: count }, (_, at) => `${log.database}.${run}.${at}`),
  );
  await opened.close();
}

/** What a backup brings back: the log of some time ago, and the log of now. */
async function backedUp(): Promise<{ now: FaultLog; backup: FaultLog }> {
  const backup = await logged();
  const now = await site.log(backup);
  await grow(now, dice.between(1, 300));
  return { now, backup };
}

/** Two that went on from one, by the same or by other lengths. */
async function diverged(by: number, other: number): Promise<Wrong> {
  const base = await logged();
  const signed = await site.log(base);
  const unsigned = await site.log(base);
  await grow(signed, by);
  await grow(unsigned, other);
  return { log: signed.over({ database: unsigned.database }) };
}

async function statement(url: string, sql: string): Promise<void> {
  await using db = await Database.open(url, { max: 1 });
  await db.query(sql);
}

/** Through what only an administrator may do, as a failing disk does without asking. */
async function flipBit(log: FaultLog, column: "edge" | "root"): Promise<Wrong> {
  const at = dice.between(0, 31);
  await statement(
    log.url,
    `UPDATE log.tree SET ${column} = set_byte(${column}, ${at}, get_byte(${column}, ${at}) # 4)`,
  );
  return { log };
}

const AT_START: Record<string, { readonly reason: RegExp; readonly arrange: () => Promise<Wrong> }> = {
  "a database put back to an older state": {
    reason: /its database is older than what was signed: it holds \d+ entr(y|ies), a tree of \d+ was signed/,
    arrange: async () => {
      const { now, backup } = await backedUp();
      return { log: now.over({ database: backup.database }) };
    },
  },
  "another tree of the same size": {
    reason: /its database is not what was signed: another tree of the same \d+ entr(y|ies) was/,
    arrange: async () => {
      const by = dice.between(1, 300);
      return await diverged(by, by);
    },
  },
  "a larger tree that is not what the signed one became": {
    reason: /the tree of \d+ entr(y|ies) is not what the signed tree of \d+ became|older than what was published/,
    arrange: async () => await diverged(dice.between(1, 20), dice.between(21, 300)),
  },
  "an empty database": {
    reason: /it is not in the database, and its anchor says that a tree of \d+ entr(y|ies) was signed/,
    arrange: async () => ({ log: (await logged()).over({ database: (await site.log()).database }) }),
  },
  "an empty database, on what says it is a first start": {
    reason: /it is not in the database, and its anchor says that a tree of \d+ entr(y|ies) was signed/,
    arrange: async () => ({
      log: (await logged()).over({ database: (await site.log()).database }),
      options: { create: true },
    }),
  },
  "a missing anchor": {
    reason: /its anchor is missing and its database holds \d+ entr(y|ies)/,
    arrange: async () => ({ log: (await logged()).over({ anchors: (await site.log()).anchors }) }),
  },
  "an anchor put back to an older state": {
    reason: /its anchor is older than what was published: it knows a tree of \d+ entr(y|ies), \d+ were published/,
    arrange: async () => {
      const { now, backup } = await backedUp();
      return { log: now.over({ anchors: backup.anchors }) };
    },
  },
  "an anchor older than the database by more than a crash leaves": {
    reason: /its anchor is older than its database by \d+ entr(y|ies), and a crash leaves at most 8/,
    arrange: async () => {
      const log = await logged();
      const crash = grow(log, dice.between(9, 300), {
        failpoint: (step) => {
          if (step === "committed") throw new Error("crash");
        },
      });
      await expect(crash).rejects.toThrow("crash");
      return { log, options: { limits: { ahead: 8 } } };
    },
  },
  "a damaged anchor": {
    reason: /: its anchor is damaged \(anchor: [^/]*\)$/,
    arrange: async () => {
      const log = await logged();
      const folder = join(log.anchors, LOG);
      const newest = join(folder, (await readdir(folder)).toSorted().at(-1)!);
      const bytes = await readFile(newest);
      bytes[dice.between(0, bytes.length - 1)]! ^= 1 << dice.between(0, 6);
      await writeFile(newest, bytes);
      return { log };
    },
  },
  "another key": {
    reason: /its (database was made for|anchor is of) another key/,
    arrange: async () => {
      const log = await logged();
      return { log, options: { signer: log.signer(ephemeralSigner("ed25519")) } };
    },
  },
  "another origin": {
    reason: /its (database was made for|anchor is of) origin faults.example, not other.example/,
    arrange: async () => {
      const log = await logged();
      return { log, options: { signer: log.signer(site.key, "other.example") } };
    },
  },
  "the database of another installation": {
    reason: /its database was made for another key/,
    arrange: async () => {
      const log = (await logged()).over({ anchors: (await site.log()).anchors });
      return { log, options: { create: true, signer: log.signer(ephemeralSigner("ed25519")) } };
    },
  },
  "a database put back to before it was frozen, with the same tree": {
    reason: /it was frozen for ever, and its database says that it takes entries again; bring the newer database back/,
    arrange: async () => {
      const before = await logged();
      const frozen = await site.log(before);
      await using db = await Database.open(frozen.url, { max: 2 });
      const opened = await frozen.open(db);
      await opened.freeze();
      await opened.close();
      return { log: frozen.over({ database: before.database }) };
    },
  },
  "a database whose flag was taken back, and that has grown since": {
    reason: /it was frozen for ever, and its database says that it takes entries again; bring the newer database/,
    arrange: async () => {
      const before = await logged();
      const grown = await site.log(before);
      const frozen = await site.log(before);
      await using db = await Database.open(frozen.url, { max: 2 });
      const opened = await frozen.open(db);
      await opened.freeze();
      await opened.close();
      await grow(grown, dice.between(1, 300));
      return { log: frozen.over({ database: grown.database }) };
    },
  },
  "a bit flipped in the tree's right edge": {
    reason: /the stored tree of \d+ entr(y|ies) does not hash to its root/,
    arrange: async () => await flipBit(await logged(), "edge"),
  },
  "a bit flipped in the tree's root": {
    reason: /the stored tree of \d+ entr(y|ies) does not hash to its root/,
    arrange: async () => await flipBit(await logged(), "root"),
  },
  "a database that commits without waiting for the disk": {
    reason: /PostgreSQL runs with synchronous_commit off: acknowledged entries could be lost in a power cut/,
    arrange: async () => {
      const log = await logged();
      await statement(log.url, `ALTER DATABASE ${log.database} SET synchronous_commit = off`);
      return { log };
    },
  },
};

/** Nothing is signed, nothing gets in, the reason is told to all who ask, and no older checkpoint is shown for the newest. */
async function expectRefused(log: FaultLog, opened: TransparencyLog, reason: RegExp, signed: number): Promise<void> {
  expect(await opened.readiness()).toMatch(reason);
  const answer = await opened.append(entryNamed("refused")).catch((error: unknown) => error);
  expect(answer).toBeInstanceOf(RefusedToSign);
  expect((answer as RefusedToSign).message).toMatch(reason);
  await expect(opened.freeze()).rejects.toBeInstanceOf(RefusedToSign);
  expect(await opened.readiness()).toMatch(reason);
  const newest = log.journal.signed.reduce((size, head) => (head.size > size ? head.size : size), 0n);
  const shown = await opened.published().catch((error: unknown) => error);
  if (!(shown instanceof RefusedToSign)) expect(shown).toMatchObject({ head: { size: newest } });
  expect(log.journal.signed.length).toBe(signed);
  refused++;
}

async function treeSize(db: Database): Promise<bigint | undefined> {
  return (await db.query<{ size: bigint }>("SELECT size FROM log.tree"))[0]?.size;
}

describe("at its start a log refuses", () => {
  test.each(Object.entries(AT_START))(
    "%s",
    async (_what, { reason, arrange }) => {
      for (let round = 0; round < ROUNDS; round++) {
        const { log, options } = await arrange();
        await using db = await Database.open(log.url, { max: 2 });
        const signed = log.journal.signed.length;
        const opened = await log.open(db, options);
        const size = await treeSize(db);
        await expectRefused(log, opened, reason, signed);
        expect(await treeSize(db)).toBe(size);
        // Asking again does not help, and neither does another start.
        await expectRefused(log, await log.open(db, options), reason, signed);
        await opened.close();
      }
    },
    minutes(1),
  );
});

interface Happening {
  readonly reason: RegExp;
  readonly happen: (log: FaultLog, opened: TransparencyLog) => Promise<void>;
  /**
   * It does no harm as long as the process lives, which knows what it signed last: its next entry would set the anchor
   * right again. It is readiness that notices.
   */
  readonly unnoticedByAppend?: true;
}

const RUNNING: Record<string, Happening> = {
  "its database is put back to an older state": {
    reason: /its database is older than what was signed/,
    happen: async (log) => await exchange(log.database, `${log.database}_backup`),
  },
  "its database is put back to before it was frozen, with the same tree": {
    reason: /it was frozen for ever, and its database says that it takes entries again/,
    // It is frozen to whoever appends, which is true.
    unnoticedByAppend: true,
    happen: async (log, opened) => {
      await opened.freeze();
      // By whom its triggers do not stop.
      await statement(log.url, "ALTER TABLE log.tree DISABLE TRIGGER frozen_for_ever");
      await statement(log.url, "UPDATE log.tree SET frozen = false");
    },
  },
  "a bit flips in its tree": {
    reason: /does not hash to its root/,
    happen: async (log) => {
      await flipBit(log, dice.pick(["edge", "root"]));
    },
  },
  "its database is set to commit without waiting for the disk": {
    reason: /PostgreSQL runs with synchronous_commit off/,
    happen: async (log) => {
      await statement(log.url, `ALTER DATABASE ${log.database} SET synchronous_commit = off`);
      await hangUp(log.database);
    },
  },
  "its anchor is put back to an older state": {
    reason: /its anchor is older than what was published/,
    unnoticedByAppend: true,
    happen: async (log) => {
      const folder = join(log.anchors, LOG);
      const [, ...newer] = (await readdir(folder)).toSorted();
      for (const name of newer) await rm(join(folder, name));
    },
  },
  "its anchor is damaged": {
    reason: /: its anchor is damaged \(anchor: [^/]*\)$/,
    unnoticedByAppend: true,
    happen: async (log) => {
      const folder = join(log.anchors, LOG);
      await writeFile(join(folder, (await readdir(folder)).toSorted().at(-1)!), "chancery anchor 1\n");
    },
  },
};

async function hangUp(database: string): Promise<void> {
  await statement(
    site.postgres.url,
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${database}'`,
  );
}

/** The running one's connections break, and the next ones lead to the backup. */
async function exchange(database: string, backup: string): Promise<void> {
  await statement(site.postgres.url, `ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
  await hangUp(database);
  await statement(site.postgres.url, `ALTER DATABASE ${database} RENAME TO ${database}_now`);
  await statement(site.postgres.url, `ALTER DATABASE ${backup} RENAME TO ${database}`);
}

describe("while it runs a log refuses to go on when", () => {
  test.each(Object.entries(RUNNING))(
    "%s",
    async (_what, { reason, happen, unnoticedByAppend }) => {
      for (let round = 0; round < ROUNDS; round++) {
        const log = await logged();
        await statement(site.postgres.url, `CREATE DATABASE ${log.database}_backup TEMPLATE ${log.database}`);
        await using db = await Database.open(log.url, { max: 2 });
        const opened = await log.open(db);
        await log.append(opened, [`running.${round}.1`]);
        await log.append(opened, [`running.${round}.2`]);
        await happen(log, opened);
        const signed = log.journal.signed.length;
        // A broken connection is no reason to refuse: what is asked again meets the reason.
        const look = async () => {
          if (unnoticedByAppend === true) return await opened.readiness();
          const answer = await opened.append(entryNamed(`after.${round}`)).catch((error: unknown) => error);
          return answer instanceof RefusedToSign ? answer.message : "";
        };
        await expect.poll(look, { timeout: 10_000 }).toMatch(reason);
        await expectRefused(log, opened, reason, signed);
        await opened.close();
      }
    },
    minutes(1),
  );
});

describe("a PostgreSQL that would forget in a power cut is refused", () => {
  test.each(["fsync", "full_page_writes", "synchronous_commit"])("with %s off", async (setting) => {
    for (let round = 0; round < ROUNDS; round++) {
      const name = `plain_${setting}_${round}`;
      await statement(plain.url, `CREATE DATABASE ${name}`);
      const empty = await site.log();
      await using db = await Database.open(plain.url.replace("/chancery?", `/${name}?`), { max: 1 });
      const running = await empty.open(db, { create: true });
      await empty.append(running, [`${round}.1`, `${round}.2`]);
      await statement(plain.url, `ALTER SYSTEM SET ${setting} = off`);
      await statement(plain.url, "SELECT pg_reload_conf(), pg_sleep(0.05)");
      const signed = empty.journal.signed.length;
      const reason = new RegExp(`PostgreSQL runs with ${setting} off`);
      await expect.poll(() => running.readiness(), { timeout: 5_000 }).toMatch(reason);
      await expectRefused(empty, running, reason, signed);
      await expectRefused(empty, await empty.open(db), reason, signed);
      await statement(plain.url, "ALTER SYSTEM RESET ALL");
      await statement(plain.url, "SELECT pg_reload_conf(), pg_sleep(0.05)");
    }
  });

  test("with data_sync_retry on, which takes a failed fsync for one that may be tried again", async () => {
    const directory = join(site.directory, "retrying");
    const log = await site.log();
    {
      await using sound = await startPlainPostgres(directory);
      await using db = await Database.open(sound.url, { max: 1 });
      const opened = await log.open(db, { create: true });
      await log.append(opened, ["before"]);
      await opened.close();
    }
    const signed = log.journal.signed.length;
    await using retrying = await startPlainPostgres(directory, "data_sync_retry=on");
    await using db = await Database.open(retrying.url, { max: 1 });
    await expectRefused(log, await log.open(db), /PostgreSQL runs with data_sync_retry on/, signed);
  });
});
