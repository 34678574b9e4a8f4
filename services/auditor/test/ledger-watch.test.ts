import { expect, test } from "vitest";
import { leafRequest } from "../../../libs/x509/test/world.ts";
import { settleAlarm } from "../src/state/settled-alarms.ts";
import { auditing, hashOf, installation, ISSUED, serial, settleAll, watching } from "./certificate-world.ts";

test("a certificate that never was in the CT log stays an alarm when its row is taken away, until the log holds it", async () => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(2), notAfter: new Date(ISSUED + 20 * 60_000) }));
  const [leaf, extra] = [world.log.leaves.pop(), world.extras.pop()];
  const told = [expect.stringMatching(/^unlogged-certificate: .*02 of the ledger names no entry of the CT log$/)];
  expect(await pass()).toEqual(told);
  expect(await (await watching(world)).pass()).toEqual(told);
  world.ledger.pop();
  expect(await pass()).toEqual(told);
  await checkAll();
  auditing.elapsed += 100 * 86_400_000;
  const later = await watching(world);
  expect(await later.pass()).toEqual(told);
  await later.checkAll();
  expect(await later.pass()).toEqual(told);
  world.log.leaves.push(leaf!);
  world.extras.push(extra!);
  const logged = await later.pass();
  expect(logged).toContainEqual(
    expect.stringMatching(/^lost-ledger: the certificate .*02 of the ledger is gone from it/),
  );
  expect(logged).toContainEqual(expect.stringContaining("precertificate at 1 of the CT log lives for"));
});

test("a certificate that never was in the CT log stays an alarm though an old row has its serial", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(1), notAfter: new Date(ISSUED + 20 * 60_000) }));
  for (const list of [world.log.leaves, world.extras]) list.pop();
  const told = [expect.stringMatching(/^unlogged-certificate: .*01 of the ledger names no entry/)];
  expect(await pass()).toEqual(told);
  world.ledger.pop();
  expect(await pass()).toEqual(told);
  expect(await (await watching(world)).pass()).toEqual(told);
});

test("a bad row that is moved behind the others and then taken away stays an alarm", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  await world.issue(leafRequest({ serial: serial(2) }));
  for (const list of [world.log.leaves, world.extras]) list.pop();
  const told = [expect.stringMatching(/^unlogged-certificate: .*02 of the ledger names no entry/)];
  expect(await pass()).toEqual(told);
  const row = world.ledger.pop()!;
  world.ledger.unshift({ ...row, time: 1n });
  expect(await pass()).toEqual(told);
  world.ledger.shift();
  expect(await pass()).toEqual(told);
});

test("a bad row that is taken away is over when an operator says so, and no other alarm with it", async () => {
  const world = await installation();
  const { pass, alarms } = await watching(world);
  const rows: Record<string, unknown>[] = [];
  const bringIn = async (last: number) => {
    await world.issue(leafRequest({ serial: serial(last) }));
    for (const list of [world.log.leaves, world.extras]) list.pop();
    rows.push(world.ledger.at(-1)!);
  };
  await bringIn(1);
  expect(await pass()).toHaveLength(1);
  world.ledger.pop();
  await settleAll("issued by hand on the 21st, and revoked");
  expect(await pass()).toEqual([]);
  expect(alarms.alarms[0]).toMatchObject({ reason: "an operator settled it: issued by hand on the 21st, and revoked" });
  world.ledger.push(rows[0]!);
  await bringIn(2);
  const told = [expect.stringMatching(/^unlogged-certificate: .*02 of the ledger names no entry/)];
  expect(await pass()).toEqual(told);
  world.ledger.splice(0);
  expect(await (await watching(world)).pass()).toEqual(told);
});

test("the alarm that stands for others came back when it was settled: those that it stands for are settled, one by one", async () => {
  const world = await installation();
  const { pass, alarms } = await watching(world);
  for (let last = 1; last <= 13; last++) {
    await world.issue(leafRequest({ serial: serial(last) }));
    for (const list of [world.log.leaves, world.extras]) list.pop();
  }
  expect(await pass()).toHaveLength(11);
  const sum = alarms.open.find(({ what }) => what.startsWith("more than are told one by one"));
  await expect(settleAlarm(auditing.folder, sum?.id ?? "", "all known", 0)).rejects.toThrow(
    /stands for others .* settle those that are told/,
  );
  await settleAll("brought in by a test");
  const rest = await pass();
  expect(rest).toHaveLength(3);
  expect(rest.filter((one) => one.includes("more than are told"))).toEqual([]);
  await settleAll("brought in by a test");
  expect(await pass()).toEqual([]);
  expect(await pass()).toEqual([]);
});

test("a precertificate that the ledger never held is told for longer than a day, over a restart, until an operator says why", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  await world.issue();
  world.ledger.pop();
  expect(await pass()).toEqual([]);
  auditing.elapsed += 61_000;
  const told = [expect.stringMatching(/^unledgered-certificate: CT entry 0 is a precertificate of our CA/)];
  expect(await pass()).toEqual(told);
  auditing.elapsed += 25 * 3_600_000;
  expect(await pass()).toEqual(told);
  auditing.elapsed += 25 * 3_600_000;
  const later = await watching(world);
  expect(await later.pass()).toEqual(told);
  await later.checkAll();
  expect(await later.pass()).toEqual(told);
  await settleAll("the machine lost power at that minute");
  expect(await later.pass()).toEqual([]);
  await later.checkAll();
  auditing.elapsed += 61_000;
  const last = await watching(world);
  await last.checkAll();
  expect(await last.pass()).toEqual([]);
});

test.for([0, 1, 2])(
  "row %i that was seen and is gone is a critical alarm, over restarts, until it is back",
  async (at) => {
    const world = await installation();
    const { pass } = await watching(world);
    for (const last of [1, 2, 3]) await world.issue(leafRequest({ serial: serial(last) }));
    expect(await pass()).toEqual([]);
    const [row] = world.ledger.splice(at, 1);
    const told = [
      expect.stringMatching(/^lost-ledger: the row of the certificate (01)+0\d is gone from the ledger, where/),
    ];
    expect(await pass()).toEqual(told);
    auditing.elapsed += 100 * 86_400_000;
    const later = await watching(world);
    await later.checkAll();
    expect(await later.pass()).toEqual(told);
    expect(later.alarms.open.map(({ severity }) => severity)).toEqual(["critical"]);
    world.ledger.splice(at, 0, row!);
    await later.checkAll();
    expect(await later.pass()).toEqual([]);
  },
);

test("a row that is gone after it was an alarm for something else stays one", async () => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  await world.issue(leafRequest({ serial: serial(2) }));
  expect(await pass()).toEqual([]);
  world.ledger[0]!["san"] = "someone@else.example";
  await checkAll();
  expect(await pass()).toEqual([expect.stringMatching(/^changed-ledger: /)]);
  const [row] = world.ledger.splice(0, 1);
  const told = expect.stringMatching(/^lost-ledger: /);
  expect(await pass()).toContainEqual(told);
  await checkAll();
  expect(await (await watching(world)).pass()).toContainEqual(told);
  world.ledger.unshift(Object.assign(row!, { san: "dev@example.com" }));
  const later = await watching(world);
  await later.checkAll();
  expect(await later.pass()).toEqual([]);
});

test.for([
  ["claims_hash", () => hashOf(Buffer.from("other claims"))],
  ["would_refuse", () => "only-releases"],
  ["time", (time: unknown) => (time as bigint) + 2_000n],
] as const)(
  "a row whose %s, which no certificate holds, is another than when it was seen first is an alarm until it is mended",
  async ([column, change]) => {
    const world = await installation();
    const { pass, checkAll } = await watching(world);
    for (const last of [1, 2, 3]) await world.issue(leafRequest({ serial: serial(last) }));
    expect(await pass()).toEqual([]);
    const row = world.ledger[1]!;
    const honest = row[column];
    row[column] = change(honest);
    const told = [expect.stringMatching(/^changed-ledger: .* has another row than when it was seen first/)];
    await checkAll();
    expect(await pass()).toEqual(told);
    const later = await watching(world);
    await later.checkAll();
    expect(await later.pass()).toEqual(told);
    row[column] = honest;
    await later.checkAll();
    expect(await later.pass()).toEqual([]);
  },
);

test("a second row of a certificate is an alarm", async () => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue();
  expect(await pass()).toEqual([]);
  world.ledger.push({ ...world.ledger[0], time: (world.ledger[0]!["time"] as bigint) + 1n });
  await checkAll();
  expect(await pass()).toEqual([expect.stringContaining("has another row than when it was seen first")]);
});

test.for([
  [
    "time",
    (time: unknown) => (time as bigint) + 16_000n,
    /its row has the time 2026-.*, 17\.\d+ s after the certificate/,
  ],
  [
    "time",
    (time: unknown) => (time as bigint) - 3_000n,
    /its row has the time 2026-.*, -1\.\d+ s after the certificate/,
  ],
  ["issuer", () => "https://other.example.com", /has the issuer https:\/\/other\.example\.com, the certificate/],
  ["subject", () => "somebody else", /has the subject somebody else, the certificate in it subject$/],
  ["san_type", () => "uri", /has the kind of name uri, the certificate in it email$/],
] as const)("a row whose %s its certificate denies is an alarm until it is mended", async ([column, change, told]) => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  await world.issue();
  expect(await pass()).toEqual([]);
  const row = world.ledger[0]!;
  const honest = row[column];
  row[column] = change(honest);
  await checkAll();
  const [alarm = "", ...others] = await pass();
  expect([alarm, others]).toEqual([expect.stringMatching(told), []]);
  expect(alarm).toMatch(/^changed-ledger: /);
  row[column] = honest;
  await checkAll();
  expect(await pass()).toEqual([]);
});

test("a token's issuer that names another one in its certificates, as it is configured to, is no alarm, nor after a start without it", async () => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue();
  world.ledger[0]!["issuer"] = "https://dex.example.com";
  expect(await pass()).toEqual([]);
  await checkAll();
  expect(await pass()).toEqual([]);
  const later = await watching(world, { federated: "https://none.example.com" });
  await later.checkAll();
  expect(await later.pass()).toEqual([]);
  world.ledger[0]!["issuer"] = "https://other.example.com";
  await later.checkAll();
  expect(await later.pass()).toEqual([expect.stringMatching(/^changed-ledger: .* has the issuer https:\/\/other/)]);
});

test("what was told of a row was forgotten when its entry could not be read for a moment, and the row then taken away", async () => {
  const world = await installation();
  await world.issue();
  let isRefusing = false;
  const fetch = async (url: string) => (isRefusing ? new Response("not you", { status: 403 }) : world.fetch(url));
  const { pass } = await watching({ ...world, fetch });
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(2) }));
  world.log.leaves.pop();
  world.extras.pop();
  Object.assign(world.ledger[1]!, { ct_index: 0n });
  const unlogged = [expect.stringMatching(/^unlogged-certificate: .* is not the one at 0 of the CT log$/)];
  expect(await pass()).toEqual(unlogged);
  isRefusing = true;
  expect(await pass()).toEqual(unlogged);
  isRefusing = false;
  world.ledger.pop();
  expect(await pass()).toEqual(unlogged);
});

test("a page of the CT log that is refused, with the entries of a dozen rows, kept every new row from being judged", async () => {
  const world = await installation();
  const { precertificate, tbs } = await world.issue(leafRequest({ serial: serial(1) }));
  for (let row = 2; row < 14; row++) await world.issue(leafRequest({ serial: serial(row) }));
  for (let count = 13; count < 256; count++) world.submit(precertificate, tbs, ISSUED + 500);
  expect(await (await watching(world)).pass()).toEqual([]);
  let isRefusing = false;
  const fetch = async (url: string) =>
    isRefusing && url.includes("start=0&") ? new Response("damaged", { status: 403 }) : world.fetch(url);
  const { alarms, look, pass, checkAllLedgered } = await watching({ ...world, fetch });
  await look();
  isRefusing = true;
  await checkAllLedgered();
  const name = `certificates in the ledger and ${world.log.log.name}`;
  expect(alarms.checks.find((check) => check.name === name)?.what).toMatch(/could not be checked: \S+ answers 403/);
  await world.issue(leafRequest({ serial: serial(20) }));
  world.ledger.at(-1)!["san"] = "somebody@else.example.com";
  expect(await pass()).toEqual([expect.stringMatching(/^changed-ledger: .* has the name somebody@else/)]);
});
