import { serialNumber } from "@chancery/x509";
import { expect, test } from "vitest";
import { leafRequest } from "../../../libs/x509/test/world.ts";
import { auditing, installation, type Installation, serial, settleAll, watching } from "./certificate-world.ts";

const FORMER = "https://dex.of-before.example.com";
const NAMED = "https://issuer.example.com";

/** As the CA writes them where an issuer with `issuer-claim` vouches: the row has its name, the certificate another. */
async function federatedRows(world: Installation, serials: readonly number[]) {
  for (const last of serials) {
    await world.issue(leafRequest({ serial: serialNumber(serial(last)) }));
    world.ledger.at(-1)!["issuer"] = FORMER;
  }
}

const severities = ({ alarms }: Awaited<ReturnType<typeof watching>>) =>
  alarms.open.map(({ severity }) => severity).toSorted();

test("rows of an issuer that federated once are one warning on an upgrade, over restarts, until an operator says that it did", async () => {
  const world = await installation();
  await world.issue(leafRequest({ serial: serialNumber(serial(1)) }));
  await federatedRows(world, [2, 3, 4]);
  const first = await watching(world);
  await first.pass();
  await first.checkAll();
  const told = [
    expect.stringMatching(
      /^unconfirmed-issuer: 3 rows of the ledger, of 2026-.* to 2026-.*, have the issuer https:\/\/dex\.of-before\.example\.com, and their certificates https:\/\/issuer\.example\.com/,
    ),
  ];
  expect(await first.pass()).toEqual(told);
  expect(severities(first)).toEqual(["warning"]);
  auditing.elapsed += 86_400_000;
  const later = await watching(world);
  await later.checkAll();
  expect(await later.pass()).toEqual(told);
  await settleAll("dex was configured until the 3rd of October");
  expect(await later.pass()).toEqual([]);
  const last = await watching(world);
  await last.checkAll();
  expect(await last.pass()).toEqual([]);
  // Told of it after all.
  const told2 = await watching(world, { federated: FORMER });
  await told2.checkAll();
  expect(await told2.pass()).toEqual([]);
});

test("a row whose issuer was taken for a former one cannot be changed again, and one more of it is told, settled or not", async () => {
  const world = await installation();
  await federatedRows(world, [1, 2]);
  const first = await watching(world);
  await first.pass();
  await first.checkAll();
  await settleAll("dex was configured until the 3rd of October");
  expect(await first.pass()).toEqual([]);
  world.ledger[0]!["issuer"] = "https://other.example.com";
  await first.checkAll();
  const changed = expect.stringMatching(/^changed-ledger: .* has the issuer https:\/\/other/);
  // Of the other it is told anew: the operator's word was on two.
  expect(await first.pass()).toEqual([changed, expect.stringMatching(/^unconfirmed-issuer: 1 row of the ledger/)]);
  world.ledger[0]!["issuer"] = FORMER;
  await first.checkAll();
  expect(await first.pass()).toEqual([]);
  // While this auditor did not look.
  auditing.elapsed += 86_400_000;
  await federatedRows(world, [3]);
  const later = await watching(world);
  await later.pass();
  await later.checkAll();
  expect(await later.pass()).toEqual([expect.stringMatching(/^unconfirmed-issuer: 3 rows of the ledger/)]);
});

test("a row that comes with a foreign issuer while the auditor watches is critical, also after a restart", async () => {
  const world = await installation();
  auditing.elapsed = -60_000;
  const first = await watching(world);
  expect(await first.pass()).toEqual([]);
  await federatedRows(world, [1]);
  const told = [expect.stringMatching(/^changed-ledger: .*has the issuer https:\/\/dex.*--federated-issuer/)];
  expect(await first.pass()).toEqual(told);
  auditing.elapsed = 86_400_000;
  const later = await watching(world);
  await later.checkAll();
  expect(await later.pass()).toEqual(told);
  expect(severities(later)).toEqual(["critical"]);
});

test.for([
  ["before the auditor's first look", "https://none.example.com"],
  ["though its issuer federates people", FORMER],
])("a workload's row with another issuer than its certificate is critical %s", async ([, federated]) => {
  const world = await installation();
  const san = { type: "uri", value: "https://github.com/a/b/.github/workflows/c.yml@refs/heads/main" } as const;
  await world.issue(leafRequest({ san }));
  Object.assign(world.ledger[0]!, { san_type: "uri", san: san.value, issuer: FORMER });
  const { pass, checkAll } = await watching(world, { federated: federated! });
  await checkAll();
  expect(await pass()).toEqual([
    expect.stringMatching(
      new RegExp(`^changed-ledger: .* has the issuer ${FORMER}, the certificate in it ${NAMED}$`, "v"),
    ),
  ]);
});
