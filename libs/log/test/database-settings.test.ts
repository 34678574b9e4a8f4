import { Database } from "@chancery/postgres";
import { expect, test } from "vitest";
import { PostgresLogStore } from "../src/index.ts";
import { testServer } from "./postgres.ts";
import { newEntries, range, World } from "./world.ts";

const server = testServer();

const ROUNDS = 10;
const AT_ONCE = 8;

/** Each once refused the log for a false reason, or failed entries while the log called itself ready. */
test.for([
  ["bytea_output", "escape"],
  ["default_transaction_isolation", "'repeatable read'"],
  ["default_transaction_isolation", "serializable"],
  ["default_transaction_read_only", "on"],
  ["lock_timeout", "'1ms'"],
])("with %s = %s for the whole database two processes log as ever", async ([setting, value]) => {
  const made = await server.database();
  await made.db.query(`ALTER DATABASE ${made.name} SET ${setting} = ${value}`);
  await using one = await Database.open(made.url);
  await using two = await Database.open(made.url);
  const world = new World({ store: await PostgresLogStore.open(one) });
  const log = await world.start();
  const logs = [log, await world.with({ store: await PostgresLogStore.open(two) }).start()];
  for (const round of range(ROUNDS)) {
    const entries = newEntries(AT_ONCE, round * AT_ONCE);
    await Promise.all(entries.map((entry, at) => world.append(logs[at % 2]!, entry)));
  }
  for (const each of logs) expect(await each.readiness()).toBeUndefined();
  await world.check(log, ROUNDS * AT_ONCE);
});
