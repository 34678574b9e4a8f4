import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { Database } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  acceptAnchor,
  type Anchor,
  type AnchoredHead,
  FileAnchor,
  type Integrate,
  type LogReader,
  type LogStore,
  type LogWriter,
  MemoryLogStore,
  PostgresLogStore,
  type StoredLog,
  type TransparencyLog,
} from "../src/index.ts";
import { adding, placed } from "./contract.ts";
import { testServer } from "./postgres.ts";
import { newEntries, newEntry, range, RememberingSigner, World } from "./world.ts";

const server = testServer();
let directory: string;
let made = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "refusals-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

class RewindableAnchor implements Anchor {
  head: AnchoredHead | undefined;

  async read() {
    return this.head;
  }

  async compareAndSwap(_expected: AnchoredHead | undefined, next: AnchoredHead) {
    this.head = next;
    return true;
  }
}

/** A database address that leads to one server now and to another later. */
class FailingOver implements LogStore {
  current: StoredLog;
  readonly #reader: LogReader;

  constructor(first: StoredLog) {
    this.current = first;
    this.#reader = first.reader;
  }

  async find() {
    const writer: LogWriter = {
      tree: () => this.current.writer.tree(),
      commit: (identities, integrate) => this.current.writer.commit(identities, integrate),
      publish: (checkpoint) => this.current.writer.publish(checkpoint),
      freeze: () => this.current.writer.freeze(),
    };
    return { reader: this.#reader, unsigned: this.#reader, writer };
  }

  async create(): Promise<StoredLog> {
    throw new Error("not created here");
  }
}

/** Entries that get into the tree past the engine, without anchor or signature. */
const growBy = (count: number): Integrate => adding(range(count).map((name) => placed(`unsigned ${name}`)));

const newAnchor = () => FileAnchor.open(directory, `anchor-${++made}`);

/** Nothing was signed since, nothing is taken, and the reason is said in a sentence. */
async function expectRefused(log: TransparencyLog, world: World, signed: number, reason: RegExp): Promise<void> {
  expect(await log.readiness()).toMatch(reason);
  const refused = await log.append(newEntry("refused")).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RefusedToSign);
  expect((refused as RefusedToSign).message).toMatch(reason);
  await expect(log.freeze()).rejects.toBeInstanceOf(RefusedToSign);
  expect(world.signer.signed).toHaveLength(signed);
}

/** A database of its own with a log of 10 entries, and a copy of it taken at 10, continued to 20 in the original. */
async function restoredFromBackup() {
  const { name, db, store } = await server.database();
  const world = new World({ store: await store(), anchor: await newAnchor() });
  const log = await world.start();
  await world.appendAll(log, newEntries(10));
  await log.close();
  // A template must have no other session.
  await db.close();
  const backup = await server.database(name);
  const original = await server.database(name);
  const continued = world.with({ store: await original.store() });
  const second = await continued.start();
  await continued.appendAll(second, newEntries(10, 10));
  return { world: continued, log: second, original, backup };
}

describe("a database put back to an older state", () => {
  test("is refused at start, serves what it has, and never an older checkpoint as the newest", async () => {
    const { world, log, backup } = await restoredFromBackup();
    await log.close();
    const signed = world.signer.signed.length;
    const restored = world.with({ store: await backup.store() });
    const refused = await restored.start();
    await expectRefused(
      refused,
      world,
      signed,
      /its database is older than what was signed: it holds 10 entries, a tree of 20 was signed/,
    );
    await expect(refused.published()).rejects.toBeInstanceOf(RefusedToSign);
    expect(await refused.entries(0n, 100)).toHaveLength(10);
    expect((await refused.inclusionProof(3n, 10n)).path).not.toEqual([]);
  });

  test("is refused while running, and stays refused when the right one is back", async () => {
    const { world, log, backup } = await restoredFromBackup();
    await log.close();
    const right = await world.store.find(world.name);
    const wrong = await (await backup.store()).find(world.name);
    const failingOver = new FailingOver(right!);
    const running = await world.with({ store: failingOver }).start();
    await running.append(newEntry("fine"));
    const signed = world.signer.signed.length;
    failingOver.current = wrong!;
    await expect(running.append(newEntry("into the past"))).rejects.toBeInstanceOf(RefusedToSign);
    failingOver.current = right!;
    await expectRefused(running, world, signed, /older than what was signed: it holds 10 entries, a tree of 21/);
    expect((await running.published()).head.size).toBe(21n);
  });

  test.each([
    [20, /its database is not what was signed: another tree of the same 20 entries was/],
    [25, /the tree of 25 entries is not what the signed tree of 20 became/],
  ])("is refused when it has grown to %i entries on its own since", async (size, reason) => {
    const world = new World({ store: new MemoryLogStore() });
    await world.appendAll(await world.start(), newEntries(20));
    const forked = world.with({ store: new MemoryLogStore() });
    const fork = await forked.store.create(world.name, world.signer, 1);
    await fork.writer.commit([], growBy(size));
    await expectRefused(await forked.start(), world, 2, reason);
    await expect(acceptAnchor(forked)).rejects.toThrow();
  });
});

describe("an anchor", () => {
  test("without its log in the database keeps a new one from being made", async () => {
    const world = new World({ store: new MemoryLogStore(), anchor: await newAnchor() });
    const log = await world.start();
    await world.appendAll(log, newEntries(3));
    const emptied = world.with({ store: new MemoryLogStore(), created: false });
    const refused = await emptied.start();
    await expectRefused(
      refused,
      world,
      2,
      /it is not in the database, and its anchor says that a tree of 3 entries was signed/,
    );
    expect(await refused.entries(0n, 10)).toEqual([]);
    await expect(refused.published()).rejects.toBeInstanceOf(RefusedToSign);
  });

  test("that is missing is refused until it is accepted", async () => {
    const world = new World({ store: new MemoryLogStore() });
    await world.appendAll(await world.start(), newEntries(3));
    const lost = world.with({ anchor: await newAnchor() });
    await expectRefused(await lost.start(), world, 2, /its anchor is missing and its database holds 3 entries/);
    expect(await acceptAnchor(lost)).toMatchObject({ before: undefined, after: { size: 3n } });
    const log = await lost.start();
    await lost.append(log, newEntry("again"));
    await lost.check(log, 4);
  });

  test("that is older than what was published is refused until it is accepted", async () => {
    const anchor = new RewindableAnchor();
    const world = new World({ store: new MemoryLogStore(), anchor });
    const log = await world.start();
    await world.append(log, newEntry(0));
    const old = await anchor.read();
    await world.append(log, newEntry(1));
    anchor.head = old;
    const signed = world.signer.signed.length;
    await expectRefused(
      await world.start(),
      world,
      signed,
      /its anchor is older than what was published: it knows a tree of 1 entry, 2 were published/,
    );
    expect(await acceptAnchor(world)).toMatchObject({ before: { size: 1n }, after: { size: 2n } });
    const accepted = await world.start();
    await world.append(accepted, newEntry(2));
    await world.check(accepted, 3);
  });

  test("further behind the database than a crash leaves it is refused", async () => {
    const world = new World({ store: new MemoryLogStore() });
    await (await world.start()).append(newEntry(0));
    const stored = await world.store.find(world.name);
    await stored!.writer.commit([], growBy(5000));
    const signed = world.signer.signed.length;
    await expectRefused(
      await world.start(),
      world,
      signed,
      /older than its database by 5000 entries, and a crash leaves at most 4096/,
    );
  });

  test("of another key or another origin is refused", async () => {
    const anchor = await newAnchor();
    const world = new World({ store: new MemoryLogStore(), anchor });
    await world.appendAll(await world.start(), newEntries(3));
    for (const [signer, reason] of [
      [new RememberingSigner(world.signer.origin), /its anchor is of another key/],
      [new RememberingSigner("other.example"), /its anchor is of origin log.example, not other.example/],
    ] as const) {
      const other = world.with({ signer });
      await expectRefused(await other.start(), other, 0, reason);
      const mixed = other.with({ store: new MemoryLogStore() });
      await mixed.store.create(mixed.name, signer, 1);
      await expectRefused(await mixed.start(), mixed, 0, reason);
      await expect(acceptAnchor(mixed)).rejects.toBeInstanceOf(RefusedToSign);
    }
  });

  test("is not accepted for a database that contradicts it", async () => {
    const { world, log, backup } = await restoredFromBackup();
    await log.close();
    await expect(acceptAnchor(world.with({ store: await backup.store() }))).rejects.toThrow(
      /older than what was signed/,
    );
    expect((await world.anchor.read())?.size).toBe(20n);
  });
});

describe("two installations on one database", () => {
  test.each([
    [new RememberingSigner(), /its database was made for another key/],
    [new RememberingSigner("other.example"), /its database was made for origin log.example, not other.example/],
  ])("the second is refused for its key or origin", async (signer, reason) => {
    const world = new World({ store: new MemoryLogStore() });
    await world.appendAll(await world.start(), newEntries(3));
    const other = world.with({ signer, anchor: await newAnchor() });
    await expectRefused(await other.start({ create: true }), other, 0, reason);
    await expect(acceptAnchor(other)).rejects.toThrow(reason);
    expect(await other.anchor.read()).toBeUndefined();
  });
});

describe("a log is made only on purpose", () => {
  test("opening one that nobody made says so", async () => {
    const world = new World({ store: new MemoryLogStore(), created: true });
    const refusal = await world.start().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Misconfigured);
    expect(refusal).toMatchObject({
      message: expect.stringMatching(
        /^database: holds no log .*: it was emptied, .* bring the database back that holds the log$/,
      ),
    });
    expect(await world.store.find(world.name)).toBeUndefined();
    expect(world.signer.signed).toEqual([]);
  });

  test("a first start that crashed half-way is finished by the next first start, and by no other", async () => {
    const world = new World({ store: new MemoryLogStore() });
    await world.store.create(world.name, world.signer, 1);
    await expectRefused(await world.start({ create: false }), world, 0, /its anchor is missing/);
    const log = await world.start({ create: true });
    await world.append(log, newEntry(1));
    await world.check(log, 1);
  });

  test("two first starts at once make one log", async () => {
    const world = new World({ store: new MemoryLogStore() });
    const logs = await Promise.all([world.start({ create: true }), world.start({ create: true })]);
    await Promise.all(logs.map((log, at) => world.append(log, newEntry(at))));
    await world.check(logs[0], 2);
  });
});

describe("a database that would forget what it committed", () => {
  test("is refused", async () => {
    const { url, db, store } = await server.database();
    const world = new World({ store: await store() });
    await world.append(await world.start(), newEntry(1));
    await db.query("ALTER ROLE chancery SET synchronous_commit = off");
    await using forgetful = await Database.open(url);
    const refused = await world.with({ store: await PostgresLogStore.open(forgetful) }).start();
    await db.query("ALTER ROLE chancery RESET synchronous_commit");
    await expectRefused(
      refused,
      world,
      2,
      /PostgreSQL runs with synchronous_commit off: acknowledged entries could be lost in a power cut/,
    );
    expect((await refused.published()).head.size).toBe(1n);
  });

  test("the embedded one cannot be made to", async () => {
    const { db } = await server.database();
    for (const setting of ["fsync", "full_page_writes", "synchronous_commit"]) {
      await db.query(`ALTER SYSTEM SET ${setting} = off`);
    }
    await db.query("SELECT pg_reload_conf(), pg_sleep(0.2)");
    expect(
      await db.query(
        "SELECT DISTINCT setting FROM pg_settings WHERE name ~ '^(fsync|full_page_writes|synchronous_commit)$'",
      ),
    ).toEqual([{ setting: "on" }]);
    await db.query("ALTER SYSTEM RESET ALL");
  });
});

describe("damage at rest", () => {
  test.each([
    ["the tree's edge", "UPDATE log.tree SET edge = set_byte(edge, 5, get_byte(edge, 5) # 1)"],
    ["the tree's root", "UPDATE log.tree SET root = set_byte(root, 5, get_byte(root, 5) # 1)"],
  ])("in %s is found before anything is signed", async (_what, sql) => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    await world.appendAll(log, newEntries(7));
    await db.query(sql);
    await expect(log.append(newEntry("next"))).rejects.toBeInstanceOf(RefusedToSign);
    await expectRefused(log, world, 2, /the stored tree of 7 entries does not hash to its root/);
    await expectRefused(await world.start(), world, 2, /the stored tree of 7 entries does not hash to its root/);
  });

  test("in a tile is found when the anchor has to be brought up to the tree through it", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    await world.appendAll(await world.start(), newEntries(7));
    const stored = await world.store.find(world.name);
    await stored!.writer.commit([], growBy(3));
    await db.query("ALTER TABLE log.tile DISABLE TRIGGER append_only");
    await db.query("GRANT UPDATE ON log.tile TO chancery");
    await db.query("UPDATE log.tile SET hashes = set_byte(hashes, 70, get_byte(hashes, 70) # 1) WHERE start = 0");
    await expectRefused(
      await world.start(),
      world,
      2,
      /the tree of 10 entries is not what the signed tree of 7 became/,
    );
  });

  test("in an entry is found by who logs it again", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    await world.appendAll(log, newEntries(7));
    await db.query("ALTER TABLE log.entry DISABLE TRIGGER append_only");
    await db.query("GRANT UPDATE ON log.entry TO chancery");
    await db.query("UPDATE log.entry SET leaf = set_byte(leaf, 2, 0) WHERE index = 4");
    await expect(log.append(newEntry(4))).rejects.toBeInstanceOf(RefusedToSign);
    expect(await log.readiness()).toMatch(/the stored entry 4 is not the one in its tree/);
  });
});
