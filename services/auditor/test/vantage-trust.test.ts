import { expect, test } from "vitest";
import { pem, ROOT_KEY, second, vantagePoint, watching, whole } from "./trust-world.ts";

test("a second trust root of the same version that is shown at a vantage point alone is a critical alarm at the first look", async () => {
  await using elsewhere = await vantagePoint();
  const { book, look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
  elsewhere.show(second(1));
  expect(await look(whole(1))).toEqual([
    `split-view: ${elsewhere.url}/tuf shows another 1.snapshot.json of version 1 than the main place`,
  ]);
  expect(book.open).toMatchObject([{ severity: "critical", check: `trust root at ${elsewhere.url}/tuf` }]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
});

test.for([
  [
    "release",
    () => second(9),
    /^split-view: .* shows 9\.(?:snapshot|targets)\.json, which the main place does not have$/,
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
