import { createHash } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { logSchema, PostgresLogStore, PostgresSearchIndex } from "@chancery/log";
import { Database, grantUse, migrate } from "@chancery/postgres";
import { describe, expect, test } from "vitest";
import { PublishedTree, rebuildIndex, verifyIndex } from "../src/index.ts";
import { type TestDatabase, testDatabases } from "./postgres.ts";
import { aCertificate, anArtifact, aStatement, dsse, hashedrekord, intoto2, keyPem } from "./proposals.ts";
import { newSearchKeys, type RunningSearch, startSearch } from "./running-search.ts";
import { hashedRekordRequest } from "./running-rekor-v2.ts";

const database = testDatabases();
const quiet = () => {};
const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest();
const hex = (content: string | Uint8Array) => sha256(content).toString("hex");

async function indexOf(db: Database, name = "rekor"): Promise<PostgresSearchIndex> {
  return (await PostgresSearchIndex.open(db, name))!;
}

async function treeOf({ reader }: PostgresSearchIndex): Promise<PublishedTree> {
  return new PublishedTree(reader, (await reader.published())!.head);
}

async function verified(db: Database, name?: string): Promise<string[]> {
  const index = await indexOf(db, name);
  const { damaged, differences } = await verifyIndex(index, await treeOf(index), quiet);
  expect(damaged.count).toBe(0n);
  return differences.map(({ index: place, what }) => `${place ?? ""} ${what}`.trim());
}

/** Resolves with of how many entries something was missing. */
async function rebuilt(db: Database, name?: string): Promise<bigint> {
  const index = await indexOf(db, name);
  const { added, damaged } = await rebuildIndex(index, await treeOf(index), quiet);
  expect(damaged.count).toBe(0n);
  return added;
}

/** As a superuser who means harm, or a disk that does. */
async function tamper(db: Database, sql: string): Promise<void> {
  for (const table of ["search", "name"]) await db.query(`ALTER TABLE log.${table} DISABLE TRIGGER append_only`);
  await db.query(sql);
  for (const table of ["search", "name"]) await db.query(`ALTER TABLE log.${table} ENABLE TRIGGER append_only`);
}

async function someEntries(rekor: RunningSearch, count: number): Promise<void> {
  const person = await aCertificate([{ type: "email", value: "someone@example.com" }], {
    issuer: "https://issuer.example",
  });
  for (let made = 0; made < count; made++) {
    await rekor.logged(await hashedrekord({ ...person, verifier: person.leaf, artifact: anArtifact() }));
  }
}

async function world() {
  const place = await database();
  const rekor = await startSearch(await place.store());
  await someEntries(rekor, 3);
  await rekor.logged(await dsse({ payload: aStatement("ab".repeat(32)) }));
  await rekor.logged(await intoto2());
  await rekor.loggedV2(hashedRekordRequest("v2"));
  return { ...rekor, ...place };
}

/** The same log in the tables of before, with its keys in the table of before. */
async function asBefore(from: TestDatabase, to: TestDatabase, texts: readonly (readonly string[])[]): Promise<void> {
  await migrate(to.db, logSchema.name, logSchema.migrations.slice(0, 2));
  for (const [table, columns] of [
    ["log", "name, origin, key_id"],
    ["tree", "log, size, time, frozen, root, edge"],
    ["published", "log, size, time, root, note"],
    ["entry", "index, time, log, identity, leaf, extra"],
    ["identity", "index, log, hash"],
    ["tile", "index, log, level, start, hashes"],
  ] as const) {
    const rows = await from.db.query<Record<string, unknown>>(`SELECT ${columns} FROM log.${table} ORDER BY 1, 2`);
    for (const row of rows) {
      const values = Object.values(row);
      const places = values.map((_, at) => `$${at + 1}`).join(", ");
      await to.db.query(`INSERT INTO log.${table} (${columns}) VALUES (${places})`, values);
    }
  }
  for (const [index, own] of texts.entries()) {
    for (const text of own) {
      const key = sha256(text.toLowerCase()).subarray(0, 16);
      await to.db.query("INSERT INTO log.search_key (log, index, key) VALUES (1, $1, $2)", [
        index,
        Uint8Array.from(key),
      ]);
    }
  }
}

test("entries whose facts are long are read one after the other, whole as they must be", async () => {
  await using rekor = await world();
  const { db } = rekor;
  for (let made = 0; made < 3; made++) {
    const subject = Array.from({ length: 100 }, (_, at) => ({
      name: `${at}`,
      digest: { sha256: hex(`${made} ${at}`) },
    }));
    await rekor.logged(await dsse({ payload: JSON.stringify({ ...JSON.parse(aStatement()), subject }) }));
  }
  const index = await indexOf(db);
  const { reader } = index;
  let [underWay, most, read] = [0, 0, 0];
  const counting = {
    tiles: reader.tiles.bind(reader),
    published: () => reader.published(),
    entriesAt: (indexes: readonly bigint[], bytes: number) => reader.entriesAt(indexes, bytes),
    entries: async (start: bigint, count: number) => {
      most = Math.max(most, ++underWay);
      read++;
      return await reader.entries(start, count).finally(() => underWay--);
    },
  };
  const { differences } = await verifyIndex(Object.assign(index, { reader: counting }), await treeOf(index), quiet);
  expect(differences).toEqual([]);
  expect([read, most]).toEqual([3, 1]);
});

describe("the index of a log", () => {
  test("is that of its entries as it is written, and a rebuild finds nothing to do", async () => {
    await using rekor = await world();
    const { db } = rekor;
    expect(await verified(db)).toEqual([]);
    expect(await verified(db, "rekor-v2")).toEqual([]);
    const rows = "SELECT count(*) AS rows FROM log.search";
    const before = await db.query(rows);
    expect(await rebuilt(db)).toBe(0n);
    expect(await db.query(rows)).toEqual(before);
    // One row for a signature over an artifact; as many as an attestation has digests.
    const each = await db.query<{ rows: bigint }>(
      "SELECT count(*) AS rows FROM log.search GROUP BY place ORDER BY place",
    );
    expect(each.map(({ rows: own }) => Number(own))).toEqual([1, 1, 1, 3, 2, 1]);
  });

  test("is that of an intoto entry whose key was sent without its last newline, as sigstore-js sends it", async () => {
    await using rekor = await world();
    const proposal = await intoto2();
    const text = JSON.stringify(proposal);
    const key = /"publicKey":"([^"]+)"/.exec(text)?.[1] ?? "";
    const bare = Buffer.from(Buffer.from(key, "base64").toString().trimEnd()).toString("base64");
    expect(bare).not.toBe(key);
    await rekor.logged(JSON.parse(text.replaceAll(key, bare)));
    expect(await verified(rekor.db)).toEqual([]);
  });

  test("without a row is told of entry by entry and key by key, and mended", async () => {
    await using rekor = await world();
    const { db } = rekor;
    await tamper(db, "DELETE FROM log.search WHERE place & 1099511627775 = 1 AND place >> 40 = 1");
    await tamper(db, "UPDATE log.search SET key2 = NULL WHERE place & 1099511627775 = 2 AND place >> 40 = 1");
    const found = await verified(db);
    expect(found).toHaveLength(8);
    expect(found.filter((each) => each.startsWith("1 its key term"))).toHaveLength(4);
    const name = sha256("someone@example.com").subarray(0, 16).toString("hex");
    expect(found.at(-1)).toBe(`2 its key key2 ${name} ("someone@example.com") is missing`);
    expect(await rekor.found({ san: "someone@example.com" })).toEqual(["rekor/0"]);
    expect(await rebuilt(db)).toBe(2n);
    expect(await verified(db)).toEqual([]);
    expect(await rekor.found({ san: "someone@example.com" })).toEqual(["rekor/2", "rekor/1", "rekor/0"]);
  });

  test("with more than there should be is told of, and a search believes none of it", async () => {
    await using rekor = await world();
    const { db } = rekor;
    const strange = sha256("stranger@example.com").subarray(0, 16).toString("hex");
    await tamper(db, `INSERT INTO log.search (place, key2) VALUES ((1::bigint << 40) + 1, '${strange}')`);
    await tamper(
      db,
      "INSERT INTO log.search (place, term3) SELECT place, term3 FROM log.search WHERE place = (1::bigint << 40) + 2",
    );
    await tamper(
      db,
      `INSERT INTO log.name (log, name, key) VALUES (1, 'nobody@example.com', '${hex("nobody@example.com").slice(0, 32)}')`,
    );
    const found = await verified(db);
    expect(found).toEqual([
      `1 its key key2 ${strange} is not the entry's`,
      expect.stringMatching(/^2 its key term3 [0-9a-f]{16} is there 2 times$/),
      'the name "nobody@example.com" is of no entry',
    ]);
    expect(await rekor.found({ san: "stranger@example.com" })).toEqual([]);
    expect(await rekor.found({ sanPrefix: "nobody@" })).toEqual([]);
  });

  test("without a name is told of, and mended", async () => {
    await using rekor = await world();
    const { db } = rekor;
    await tamper(db, "DELETE FROM log.name");
    expect(await verified(db)).toEqual([0, 1, 2].map((at) => `${at} its name "someone@example.com" is missing`));
    expect(await rekor.found({ sanPrefix: "some" })).toEqual([]);
    await rebuilt(db);
    expect(await verified(db)).toEqual([]);
    expect(await rekor.found({ sanPrefix: "some" })).toHaveLength(3);
  });

  test("has a name that looks like another text behind sha256:, which said it was of no entry for ever", async () => {
    await using rekor = await world();
    const { db } = rekor;
    const artifact = anArtifact();
    const digest = hex(artifact);
    const names = [
      { type: "url", value: "sha256:foo" },
      { type: "dns", value: "foo" },
      { type: "url", value: `sha256:${digest}` },
      { type: "dns", value: digest },
    ] as const;
    const certified = await aCertificate([...names]);
    await rekor.logged(await hashedrekord({ ...certified, verifier: certified.leaf, artifact }));
    expect(await verified(db)).toEqual([]);
    for (const { value } of names) {
      expect(await rekor.found({ san: value })).toEqual(["rekor/5"]);
      expect(await rekor.found({ sanPrefix: value })).toEqual(["rekor/5"]);
    }
    expect(await rekor.found({ digest })).toEqual(["rekor/5"]);
    expect(await rekor.retrieve({ hash: digest })).toHaveLength(1);
    // As it was stored before.
    const lost = sha256("sha256:foo").subarray(0, 16).toString("hex");
    await tamper(db, `UPDATE log.search SET key2 = NULL WHERE key2 = '${lost}'`);
    expect(await verified(db)).toHaveLength(2);
    expect(await rebuilt(db)).toBe(1n);
    expect(await verified(db)).toEqual([]);
    expect(await rekor.found({ san: "sha256:foo" })).toEqual(["rekor/5"]);
  });

  test("can be rebuilt by two at once while entries come, by a role that may only read and add", async () => {
    await using rekor = await world();
    const { db, url } = rekor;
    await tamper(db, "DELETE FROM log.search");
    await db.query("CREATE ROLE rebuilder LOGIN PASSWORD 'rebuilder'");
    await grantUse(db, [logSchema], "rebuilder");
    await using limited = await Database.open(url.replace(/\/\/[^@]*@/, "//rebuilder:rebuilder@"), { max: 4 });
    await using twin = await Database.open(url.replace(/\/\/[^@]*@/, "//rebuilder:rebuilder@"), { max: 4 });
    const rebuilds = [limited, twin].map(async (each) => await rebuilt(each));
    const [added] = await Promise.all([Promise.all(rebuilds), someEntries(rekor, 5)]);
    expect(added.reduce((sum, each) => sum + each, 0n)).toBe(5n);
    await rebuilt(limited, "rekor-v2");
    expect(await verified(limited)).toEqual([]);
    expect(await verified(limited, "rekor-v2")).toEqual([]);
  });
});

describe("an installation of before", () => {
  const person = aCertificate([{ type: "email", value: "Old@Example.com" }], {
    issuer: "https://issuer.example",
    "build-trigger": "push",
  });

  test("is found as before from the first start on, says what is missing, and is found whole once it is rebuilt", async () => {
    const keys = newSearchKeys();
    const [now, before] = [await database(), await database()];
    const { signer, leaf } = await person;
    const artifact = anArtifact();
    const other = ephemeralSigner("ecdsa-p256");
    const payload = aStatement("ef".repeat(32));
    {
      await using rekor = await startSearch(await now.store(), keys);
      await rekor.logged(await hashedrekord({ signer, verifier: leaf, artifact }));
      await rekor.logged(await intoto2(other, payload));
    }
    const byKey = (pem: string) => [hex(pem), `sha256:${hex(pem)}`];
    await asBefore(now, before, [
      [...byKey(leaf), "old@example.com", `sha256:${hex(artifact)}`],
      [...byKey(keyPem(other)), `sha256:${hex(payload)}`, `sha256:${"ef".repeat(32)}`],
    ]);
    // What was kept beside an entry was its attestation alone.
    await before.db.query("ALTER TABLE log.entry DISABLE TRIGGER append_only");
    await before.db.query("UPDATE log.entry SET extra = $1 WHERE index = 1", [new TextEncoder().encode(payload)]);
    await before.db.query("ALTER TABLE log.entry ENABLE TRIGGER append_only");

    const store = await PostgresLogStore.open(before.db);
    await using rekor = await startSearch(store, keys);
    const [first, second] = await Promise.all(
      [0, 1].map(async (at) => (await rekor.get(`/api/chancery/v1/entries/rekor/${at}`)).json.entryId),
    );
    const retrieved = async () => ({
      email: await rekor.retrieve({ email: "old@example.com" }),
      hash: await rekor.retrieve({ hash: hex(artifact) }),
      subject: await rekor.retrieve({ hash: "ef".repeat(32) }),
      key: await rekor.retrieve({ publicKey: { format: "x509", content: Buffer.from(leaf).toString("base64") } }),
      keyAsHash: await rekor.retrieve({ hash: hex(leaf) }),
      both: await rekor.retrieve({ email: "old@example.com", hash: hex(artifact), operator: "and" }),
      neither: await rekor.retrieve({ email: "old@example.com", hash: "ef".repeat(32), operator: "and" }),
    });
    const expected = {
      email: [first],
      hash: [first],
      subject: [second],
      key: [first],
      keyAsHash: [first],
      both: [first],
      neither: [],
    };
    expect(await retrieved()).toEqual(expected);

    const third = await rekor.logged(await hashedrekord({ signer, verifier: leaf, artifact: anArtifact() }));
    expect(await rekor.retrieve({ email: "OLD@example.com" })).toEqual([third, first]);
    const incomplete = await rekor.search({ buildTrigger: "push" });
    expect(incomplete.results).toHaveLength(1);
    expect(incomplete.complete.map((each: { log: string }) => each.log)).toEqual(["rekor-v2"]);
    expect(incomplete.incomplete).toMatchObject([
      { log: "rekor", size: "3", unindexed: "2", remedy: "chancery index rebuild" },
    ]);
    expect((await rekor.search({})).complete).toHaveLength(2);

    expect(await rebuilt(before.db)).toBe(2n);
    expect(await verified(before.db)).toEqual([]);
    const complete = await rekor.search({ buildTrigger: "push" });
    expect(complete.results.map((each: { logIndex: string }) => each.logIndex)).toEqual(["2", "0"]);
    expect(complete).not.toHaveProperty("incomplete");
    expect(await rekor.found({ subjectDigest: "ef".repeat(32) })).toEqual(["rekor/1"]);
    expect(await rekor.found({ predicateType: "https://slsa.dev/provenance/v0.2" })).toEqual(["rekor/1"]);
    expect(await rekor.found({ sanPrefix: "old@" })).toEqual(["rekor/2", "rekor/0"]);
    expect(await retrieved()).toEqual({
      ...expected,
      email: [third, first],
      key: [third, first],
      keyAsHash: [third, first],
    });
  });

  test("refuses a process of before that still runs, which would write what is not found", async () => {
    const place = await database();
    await place.store();
    const write = "INSERT INTO log.search_key (log, index, key) VALUES (1, 1, 'k')";
    // Which it tells its clients with 503, and not as an internal error.
    await expect(place.db.query(write)).rejects.toMatchObject({
      name: "Unavailable",
      cause: { code: "57PCH", message: expect.stringContaining("this database has moved on") },
    });
  });
});
