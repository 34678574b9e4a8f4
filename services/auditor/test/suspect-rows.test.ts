import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SuspectRows } from "../src/watch/suspect-rows.ts";
import { leafRequest } from "../../../libs/x509/test/world.ts";
import { auditing, installation, serial, settleAll, watching } from "./certificate-world.ts";

const KEPT = 1_000;

/** As a version before wrote them. */
async function remembered(log: string, count: number) {
  const rows = Array.from({ length: count }, (_, at) => ({
    place: `${-9_000 - at}/02`,
    trouble: "changed-ledger",
    what: "settled",
    name: `the row ${at}`,
    serial: "2",
    certificate: "",
    isLogged: true,
  }));
  const folder = join(auditing.folder, "logs", log);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "suspects.json");
  await writeFile(path, JSON.stringify(rows));
  return { rows, path };
}

/** All that it keeps, each settled, so that they are no alarms here. */
async function fullOfOthers(log: string): Promise<void> {
  const { rows } = await remembered(log, KEPT);
  await mkdir(join(auditing.folder, "settled"), { recursive: true });
  for (const { name } of rows) {
    const what = `${name} is gone from it; what was told of its row: settled`;
    const settled = { alarm: name, trouble: "lost-ledger", what, because: "a test", at: "2026-11-22T00:00:00Z" };
    await writeFile(join(auditing.folder, "settled", `${name}.json`), JSON.stringify(settled));
  }
}

test("a bad row beyond those that are kept is told, also when it is taken away, over a restart, until it is mended or an operator settles it", async () => {
  const world = await installation();
  await fullOfOthers(world.log.log.name);
  const first = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await first.pass()).toEqual([]);
  const row = world.ledger[0]!;
  const honest = row["san"];
  row["san"] = "somebody@else.example.com";
  await first.checkAll();
  const beyond = expect.stringMatching(
    /^unkept-rows: more rows of the ledger were judged bad than the 1000 that are kept .* certificate (01)+ .* of 2026-/,
  );
  expect(await first.pass()).toEqual([expect.stringMatching(/^changed-ledger: .* has the name somebody@else/), beyond]);
  const place = world.ledger.pop()!;
  // The row itself was seen, and is lost; what was told of it is not forgotten.
  expect(await first.pass()).toContainEqual(beyond);
  const later = await watching(world);
  expect(await later.pass()).toContainEqual(beyond);
  world.ledger.push({ ...place, san: honest });
  await later.checkAll();
  expect(await later.pass()).toEqual([]);
  world.ledger[0]!["san"] = "somebody@else.example.com";
  await later.checkAll();
  expect(await later.pass()).toContainEqual(beyond);
  await settleAll("known");
  expect(await later.pass()).toEqual([]);
});

test("rows that a round could not judge, for the CT log refused every page, were told as more bad rows than are kept", async () => {
  const world = await installation();
  await fullOfOthers(world.log.log.name);
  let isRefusing = false;
  const fetch = async (url: string) => (isRefusing ? new Response("not you", { status: 403 }) : world.fetch(url));
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await (await watching(world)).pass()).toEqual([]);
  const later = await watching({ ...world, fetch });
  await later.look();
  isRefusing = true;
  await later.checkAllLedgered();
  expect(later.alarms.checks.map(({ what }) => what)).toContainEqual(expect.stringContaining("answers 403"));
  isRefusing = false;
  expect(await later.pass()).toEqual([]);
});

test("two checks that save bad rows at once both do, and what changes during a write is written", async () => {
  const { rows, path } = await remembered("ctlog_2026", 3);
  const suspects = new SuspectRows(path);
  await suspects.clear(rows[0]!.place);
  const first = suspects.save();
  await suspects.clear(rows[1]!.place);
  await Promise.all([first, suspects.save()]);
  const places = (await new SuspectRows(path).all()).map(({ place }) => place);
  expect(places).toEqual([rows[2]!.place]);
});
