import { encodeHex } from "@chancery/encoding";
import { Database } from "@chancery/postgres";
import { sha256 } from "@chancery/crypto";
import { expect, test } from "vitest";
import { testDatabases } from "./postgres.ts";
import { anArtifact, hashedrekord } from "./proposals.ts";
import { startSearch } from "./running-search.ts";

const database = testDatabases();

/** Holds both tables until `work` is done: whoever reads them waits. */
async function whileHeld<T>(url: string, work: () => Promise<T>): Promise<T> {
  await using holder = await Database.open(url, { max: 1 });
  return await holder.transaction(async (tx) => {
    await tx.query("SET LOCAL idle_in_transaction_session_timeout = 0");
    await tx.query("LOCK TABLE log.search, log.entry IN ACCESS EXCLUSIVE MODE");
    return work();
  });
}

test("a search has two seconds of the database, and whoever reads what he knows has longer", async () => {
  const place = await database();
  await using rekor = await startSearch(await place.store());
  const artifact = anArtifact();
  await rekor.logged(await hashedrekord({ artifact }));
  await rekor.logged(await hashedrekord());
  const hash = `sha256:${encodeHex(sha256(artifact))}`;
  // Four statements, as many as there are connections: none waits for another to be ended.
  const searches = () => [
    rekor.post("/api/v1/index/retrieve", { hash }),
    rekor.get(`/api/chancery/v1/search?digest=${hash}&log=rekor`),
    rekor.get(`/api/chancery/v1/identities?san=someone@example.com`),
  ];
  const held = await whileHeld(place.url, async () => {
    const reading = place.db.query<{ count: bigint }>("SELECT count(*) AS count FROM log.entry");
    return { answers: await Promise.all(searches()), reading };
  });
  const message = "search: took the database longer than 2 s; ask for less, or again";
  for (const [at, { status, headers, json }] of held.answers.entries()) {
    expect([status, headers["retry-after"], json], String(at)).toEqual([
      503,
      "2",
      { code: expect.anything(), message },
    ]);
  }
  expect(await held.reading).toEqual([{ count: 2n }]);
  expect((await Promise.all(searches())).map(({ status }) => status)).toEqual([200, 200, 200]);
});
