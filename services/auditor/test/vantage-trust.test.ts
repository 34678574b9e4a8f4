import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { pem, ROOT_KEY, second, vantagePoint, watching, whole } from "./trust-world.ts";

test("a second trust root of the same version that is shown at a vantage point alone is a critical alarm at the first look", async () => {
  await using elsewhere = await vantagePoint();
  const { book, look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
  elsewhere.show(second(1));
  expect(await look(whole(1))).toEqual([
    `split-view: ${elsewhere.url}/tuf shows another 1.snapshot.json of version 1 than the main place; the keys of the trust root signed it`,
  ]);
  expect(book.open).toMatchObject([{ severity: "critical", check: `trust root at ${elsewhere.url}/tuf` }]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
});

test.for([
  [
    "release",
    () => second(9),
    /^split-view: .* shows 9\.(?:snapshot|targets)\.json, which the main place does not have; the keys of the trust root signed it$/,
  ],
  ["root", () => ({ ...whole(1), further: pem(ROOT_KEY.publicKey) }), /^split-view: .* shows 2\.root\.json, which/],
] as const)(
  "a next %s that a vantage point shows for a moment, and the main place never, is an alarm",
  async ([, next, told]) => {
    await using elsewhere = await vantagePoint();
    const { look } = await watching(undefined, [elsewhere.url]);
    // Root 2 is looked for with all else, once a minute: the first time.
    elsewhere.show(next());
    expect(await look(whole(1))).toEqual([]);
    elsewhere.show(whole(1));
    const seen: string[] = [];
    for (let at = 0; at < 24; at++) seen.push(...(await look(whole(1), 30)));
    expect(seen).toContainEqual(expect.stringMatching(told));
  },
);

test("a vantage point that is ahead, or behind for a while, is no alarm; one that stays behind is", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(2));
  for (let at = 0; at < 10; at++) expect(await look(whole(1), 30)).toEqual([]);
  for (let at = 0; at < 3; at++) expect(await look(whole(2))).toEqual([]);
  for (let at = 0; at < 16; at++) expect(await look(whole(3), 30)).toEqual([]);
  for (let at = 0; at < 8; at++) await look(whole(3), 30);
  expect(await look(whole(3))).toEqual([
    `trust-rollback: ${elsewhere.url}/tuf goes on showing version 2 of timestamp.json, where the main place shows 3`,
  ]);
  elsewhere.show(whole(3));
  for (let at = 0; at < 24; at++) expect(await look(whole(3), 30)).toEqual([]);
});

test("a vantage point that stays behind by two changes of the key that signs releases is late, and not forged", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  const [two, three, four] = [1, 2, 3].map(() => generateKeyPairSync("ed25519"));
  const online = pem(two!.publicKey);
  const newest = { online, later: [three!, four!].map(({ publicKey }) => pem(publicKey)), by: four!.privateKey };
  elsewhere.show({ ...whole(2), online, by: two!.privateKey });
  for (let at = 0; at < 19; at++) expect(await look({ ...whole(4), ...newest }, 30)).toEqual([]);
  for (let at = 0; at < 3; at++) await look({ ...whole(4), ...newest }, 30);
  expect(await look({ ...whole(4), ...newest })).toEqual([expect.stringMatching(/^trust-rollback: .* version 2 of/)]);
  elsewhere.show({ ...whole(3), online, later: newest.later.slice(0, 1), by: three!.privateKey });
  expect(await look({ ...whole(4), ...newest })).toEqual([]);
  elsewhere.show({ ...whole(2), online, by: ROOT_KEY.privateKey });
  expect(await look({ ...whole(4), ...newest })).toEqual([expect.stringMatching(/^trust-invalid: .* did not sign it/)]);
});

/** What is changed where nobody has the trust root's keys. */
const forge = (path: string) => (files: Map<string, string>) => {
  const { signed } = JSON.parse(files.get(path)!) as { signed: object };
  files.set(path, JSON.stringify({ signed: { ...signed, x: 1 }, signatures: [{ keyid: "o", sig: "00".repeat(64) }] }));
};

test.for([
  ["/tuf/root.json", 1, /shows another root\.json .* refuse it, but for those that begin there without a checksum$/],
  ["/tuf/timestamp.json", 1, /shows another timestamp\.json of version 1 .* and clients refuse it$/],
  ["/tuf/1.snapshot.json", 1, /shows another 1\.snapshot\.json of version 1 .* and clients refuse it$/],
  ["/tuf/timestamp.json", 9, /shows version 9 of timestamp\.json; .* and clients refuse it$/],
  ["/tuf/9.targets.json", 9, /shows 9\.targets\.json, which the main place does not have; .* and clients refuse it$/],
] as const)(
  "%s of version %i at a vantage point that nobody with the trust root's keys signed is told as forged, and as no second trust root",
  async ([path, version, told]) => {
    await using elsewhere = await vantagePoint();
    const { book, look } = await watching(undefined, [elsewhere.url]);
    elsewhere.show(whole(version), forge(path));
    expect(await look(whole(1))).toEqual([expect.stringMatching(told)]);
    expect(book.open).toMatchObject([{ trouble: "trust-invalid", severity: "critical", evidence: expect.any(String) }]);
    elsewhere.show(whole(1));
    expect(await look(whole(1))).toEqual([]);
  },
);

// Were each verified it would take longer than a test may.
test("a snapshot with the ID of one key three thousand times is told as forged, and keeps no process busy", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1), (files) => {
    const { signed } = JSON.parse(files.get("/tuf/1.snapshot.json")!) as { signed: object };
    const signatures = Array.from({ length: 3_000 }, () => ({ keyid: "o", sig: "00".repeat(64) }));
    files.set("/tuf/1.snapshot.json", JSON.stringify({ signed: { ...signed, x: "a".repeat(1_400_000) }, signatures }));
  });
  expect(await look(whole(1))).toEqual([
    expect.stringMatching(/another 1\.snapshot\.json of version 1 .* and clients refuse it$/),
  ]);
});

test("a timestamp that is longer than clients read is no alarm for a minute, and then a damaged one", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1), (files) => void files.set("/tuf/timestamp.json", `{"signed":"${"a".repeat(16_384)}"}`));
  for (let seconds = 0; seconds < 60; seconds += 5) expect(await look(whole(1))).toEqual([]);
  expect(await look(whole(1))).toEqual([
    expect.stringMatching(/^trust-invalid: .* has 16397 bytes, and clients read 16384 at most$/),
  ]);
});

test.for([70_000, 300_000])(
  "a next root with %i bytes beside its keys hides nothing of what else is shown there, after a restart too",
  async (length) => {
    await using elsewhere = await vantagePoint();
    const start = Date.now();
    const next = { ...second(1), further: pem(ROOT_KEY.publicKey), besideRoot: { x: "a".repeat(length) } };
    elsewhere.show(next);
    const told = [expect.stringMatching(/^split-view: .* shows another 1\.\w+\.json of version 1/)];
    const before = await watching(undefined, [elsewhere.url], start);
    for (let at = 0; at < 3; at++) expect(await before.look(whole(1))).toEqual(told);
    const { look } = await watching(undefined, [elsewhere.url], start + 60_000);
    expect(await look(whole(1))).toEqual(told);
  },
);

test("a second trust root that the keys signed is told, though what stands before it is forged", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(second(1), forge("/tuf/root.json"));
  expect(await look(whole(1))).toEqual([
    expect.stringMatching(/^split-view: .* another 1\.snapshot\.json of version 1/),
  ]);
});

test("a vantage point that showed a trust root and shows none any more is an alarm in a minute, until it does", async () => {
  await using elsewhere = await vantagePoint();
  const { book, look } = await watching(undefined, [elsewhere.url]);
  for (let at = 0; at < 3; at++) expect(await look(whole(1), 60)).toEqual([]);
  expect(book.checks.map(({ name }) => name)).not.toContain(`trust root at ${elsewhere.url}/tuf`);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
  elsewhere.show(whole(1), (files) => files.clear());
  for (let seconds = 0; seconds < 60; seconds += 5) expect(await look(whole(1))).toEqual([]);
  expect(await look(whole(1))).toEqual([
    expect.stringMatching(/^unreachable: the trust root at .* it shows none any more$/),
  ]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
});

test("an older release at a vantage point that nobody signed is told as forged, and one that was signed is behind", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(2));
  expect(await look(whole(3))).toEqual([]);
  elsewhere.show(whole(2), forge("/tuf/2.targets.json"));
  expect(await look(whole(3))).toEqual([
    expect.stringMatching(/^trust-invalid: .* 2\.targets\.json, .* clients refuse it$/),
  ]);
});

test("a file of a mirror that is cut off is no alarm for a minute, and then a damaged one", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1), (files) => void files.set("/tuf/1.targets.json", '{"signed":'));
  for (let seconds = 0; seconds < 60; seconds += 5) expect(await look(whole(1))).toEqual([]);
  expect(await look(whole(1))).toEqual([expect.stringMatching(/^trust-invalid: .*targets: is not JSON$/)]);
});

test.for([true, false])(
  "a release that a vantage point showed for a moment is awaited over a restart of the auditor, and a late timestamp (%s) too",
  async (isLate) => {
    await using elsewhere = await vantagePoint();
    const start = Date.now();
    const before = await watching(undefined, [elsewhere.url], start);
    elsewhere.show(second(9));
    expect(await before.look(whole(1))).toEqual([]);
    if (!isLate) elsewhere.show(whole(1));
    for (let at = 0; at < 10; at++) expect(await before.look(whole(1), 30)).toEqual([]);
    const { look } = await watching(undefined, [elsewhere.url], start + 305_000);
    for (let at = 0; at < 9; at++) expect(await look(whole(1), 30)).toEqual([]);
    expect(await look(whole(1), 31)).toEqual([
      expect.stringMatching(/^split-view: .* shows 9\.|goes on showing version 9/),
    ]);
  },
);

test.for([
  [2, 1],
  [1, 2],
] as const)(
  "releases %i and %i that are apart for a moment before a stop, and others after it, are no alarm before ten minutes",
  async ([main, other]) => {
    await using elsewhere = await vantagePoint();
    const start = Date.now();
    const before = await watching(undefined, [elsewhere.url], start);
    elsewhere.show(whole(other));
    expect(await before.look(whole(main))).toEqual([]);
    // The one behind followed while the auditor was down; there is a next release at the first look.
    const { look } = await watching(undefined, [elsewhere.url], start + 3_600_000);
    elsewhere.show(whole(other + 1));
    for (let at = 0; at < 19; at++) expect(await look(whole(main + 1), 30)).toEqual([]);
    if (main < other) return;
    for (let at = 0; at < 3; at++) await look(whole(main + 1), 30);
    expect(await look(whole(main + 1))).toEqual([
      expect.stringMatching(/^trust-rollback: .* goes on showing version 2 of timestamp\.json/),
    ]);
  },
);

test.for([
  ["goes on being shown", true],
  ["is shown no more", false],
] as const)(
  "a release that a vantage point showed before the clock was set back by a month, and that %s, is told in ten minutes",
  async ([, goesOn]) => {
    await using elsewhere = await vantagePoint();
    const start = Date.now();
    const before = await watching(undefined, [elsewhere.url], start);
    elsewhere.show(second(9));
    expect(await before.look(whole(1))).toEqual([]);
    if (!goesOn) elsewhere.show(whole(1));
    const { look } = await watching(undefined, [elsewhere.url], start - 30 * 86_400_000);
    const seen: string[] = [];
    for (let at = 0; at < 24; at++) {
      if (at === 19) expect(seen).toEqual([]);
      seen.push(...(await look(whole(1), 30)));
    }
    expect(seen).toContainEqual(
      expect.stringMatching(/^split-view: .* shows 9\.\w+\.json, which the main place does not have/),
    );
  },
);

test.for([
  [1, true],
  [9, false],
  [10, false],
] as const)(
  "a release 9 that a vantage point showed before the auditor was down for an hour, with version %i at the main place after it, is told: %s",
  async ([version, isTold]) => {
    await using elsewhere = await vantagePoint();
    const start = Date.now();
    const before = await watching(undefined, [elsewhere.url], start);
    elsewhere.show(whole(9));
    expect(await before.look(whole(1))).toEqual([]);
    elsewhere.show(whole(version));
    const { look } = await watching(undefined, [elsewhere.url], start + 3_600_000);
    const seen: string[] = [];
    for (let at = 0; at < 10; at++) seen.push(...(await look(whole(version))));
    const told = expect.stringMatching(/^split-view: .* shows 9\.\w+\.json, which the main place does not have/);
    expect(seen.length > 0).toBe(isTold);
    for (const one of seen) expect(one).toEqual(told);
    expect(await look(whole(version))).toEqual([]);
  },
);

test("a second trust root that was shown for a moment, and is published as another one, stays an alarm for a while", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(second(2));
  expect(await look(whole(1))).toEqual([]);
  elsewhere.show(whole(2));
  for (let at = 0; at < 10; at++) {
    expect(await look(whole(2), 30)).toContainEqual(
      expect.stringMatching(/^split-view: .* another 2\.\w+\.json of version 2/),
    );
  }
  for (let at = 0; at < 40; at++) await look(whole(2), 30);
  expect(await look(whole(2))).toEqual([]);
});
