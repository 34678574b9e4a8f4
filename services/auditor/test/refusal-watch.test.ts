import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, migrate, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerSchema } from "../../fulcio/src/ledger/postgres-schema.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { RefusalWatch } from "../src/watch/refusal-watch.ts";

const START = Date.parse("2026-11-21T12:00:00Z");

let directory: string;
let server: EmbeddedPostgres;
let db: Database;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-refusals-"));
  server = await startEmbedded({ directory: join(directory, "postgres") });
  db = await Database.open(server.url, { max: 2 });
  await migrate(db, ledgerSchema.name, ledgerSchema.migrations);
  await db.query("CREATE TABLE fulcio.kept AS TABLE fulcio.refusal WITH NO DATA");
}, 120_000);
afterAll(async () => {
  await db.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

async function refuse(count: number, time: number): Promise<void> {
  await db.query(
    `INSERT INTO fulcio.refusal (time, count, code, reason, issuer, subject)
     SELECT $1::bigint + n, 1, 'token', 'reason ' || n, 'https://issuer.example', NULL FROM generate_series(1, $2::int) AS n`,
    [time, count],
  );
}

/** As whoever owns the machine could. */
async function tamper(sql: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    const changed = await tx.query(`${sql} RETURNING 1`);
    if (changed.length === 0) throw new Error(`changes nothing: ${sql}`);
  });
}

const TAKE = (where: string) => `WITH gone AS (DELETE FROM fulcio.refusal WHERE ${where} RETURNING *)
  INSERT INTO fulcio.kept SELECT * FROM gone`;
const BRING_BACK = "INSERT INTO fulcio.refusal OVERRIDING SYSTEM VALUE SELECT * FROM fulcio.kept";

test("refusals that are taken from the ledger or changed are found, whichever they are, and it is over when they are back", async () => {
  const state = await StateFolder.open(join(directory, "state"));
  const alarms = new AlarmBook(state, [], [], Date.now);
  let elapsed = 0;
  const begin = () => new RefusalWatch({ db, report: alarms, memory: state, elapsed: () => elapsed });
  let watch = begin();
  const looks = async (times = 3) => {
    for (let time = 0; time < times; time++) {
      elapsed += 61_000;
      await watch.check();
    }
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  const remembered = () => alarms.checks.find(({ name }) => name === "refusals")?.what;
  expect(await looks()).toEqual([]);
  await refuse(2_500, START);
  await refuse(10, START + 60_000);
  // A storm is counted, and written a minute after the time it states.
  await refuse(3, START + 20_000);
  expect(await looks(5)).toEqual([]);
  expect(remembered()).toContain("of 2513 refusals are remembered");

  const rows = await db.query<{ place: bigint }>("SELECT place FROM fulcio.refusal ORDER BY place");
  for (const at of [0, 1_000, 1_023, 1_024, 2_499, 2_500, 2_512]) {
    const place = rows[at]?.place;
    await tamper(TAKE(`place = ${place}`));
    expect(await looks(), `row ${at}`).toEqual([
      expect.stringMatching(/^lost-refusals: of \d+ rows of refusals from .* \d+ are there$/),
    ]);
    // Known to be gone by one who was started anew, too.
    watch = begin();
    expect(await looks()).toHaveLength(1);
    await tamper(BRING_BACK);
    await db.query("TRUNCATE fulcio.kept");
    expect(await looks(), `row ${at}`).toEqual([]);
  }
  await tamper(`UPDATE fulcio.refusal SET reason = 'another' WHERE place = ${rows[1_500]?.place}`);
  expect(await looks()).toEqual([expect.stringContaining("one is other than it was")]);
  await tamper(`UPDATE fulcio.refusal SET reason = 'reason 1501' WHERE place = ${rows[1_500]?.place}`);
  expect(await looks()).toEqual([]);

  await refuse(2_000, START + 120_000);
  expect(await looks(6)).toEqual([]);
  expect(remembered()).toContain("of 4513 refusals are remembered");
}, 120_000);

test("what may still be lost in a power cut is not remembered", async () => {
  const state = await StateFolder.open(join(directory, "power cut"));
  const alarms = new AlarmBook(state, [], [], Date.now);
  let elapsed = 0;
  const watch = new RefusalWatch({ db, report: alarms, memory: state, elapsed: () => elapsed });
  await watch.check();
  await refuse(1, START + 300_000);
  elapsed += 59_000;
  await watch.check();
  await tamper(`DELETE FROM fulcio.refusal WHERE time > ${START + 300_000}`);
  for (let time = 0; time < 10; time++) {
    elapsed += 61_000;
    await watch.check();
  }
  expect(alarms.open).toEqual([]);
});
