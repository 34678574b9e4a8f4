import { sha256 } from "@chancery/crypto";
import { utf8 } from "@chancery/encoding";
import { leafHash } from "@chancery/tlog";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describePlace } from "../src/index.ts";
import { type Server, startServer, type StoredWorld } from "./logs.ts";

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const FORGED = utf8("forged");
/** A full lowest tile, and one that is not. */
const PLACES = [7, 299];
const LOWEST =
  "log = $1 AND level = 0 AND index = $2 / 256 AND start <= $2 % 256 AND start + length(hashes) / 32 > $2 % 256";

type Damage = [sql: string, ...params: unknown[]];

describe.for(["text", "tree head"] as const)("rows by which entries are found (%s)", (signs) => {
  let world: StoredWorld;
  beforeAll(async () => {
    world = await server.grow(signs, [300]);
  });

  async function told(...damages: Damage[]): Promise<string[]> {
    const places: string[] = [];
    const kind = signs === "text" ? ("rekor" as const) : undefined;
    await world.checkDamaged(damages, { kind, found: ({ place }) => void places.push(describePlace(place)) });
    return places;
  }
  const body = (index: number): Damage => [
    "UPDATE log.entry SET leaf = $3 WHERE log = $1 AND index = $2",
    world.log,
    index,
    FORGED,
  ];
  const beside = (index: number): Damage => [
    "UPDATE log.entry SET identity = $3 WHERE log = $1 AND index = $2",
    world.log,
    index,
    sha256(utf8("another")),
  ];
  const inTile = (index: number): Damage => [
    `UPDATE log.tile SET hashes = overlay(hashes PLACING $3 FROM ($2 % 256 - start) * 32 + 1 FOR 32) WHERE ${LOWEST}`,
    world.log,
    index,
    leafHash(FORGED),
  ];
  const row = (index: number): Damage => [
    "UPDATE log.identity SET hash = $3 WHERE log = $1 AND index = $2",
    world.log,
    index,
    sha256(utf8(`another ${index}`)),
  ];

  test.for(PLACES)("of entry %i are not wrong because its leaf was changed", async (index) => {
    for (const damages of [[body(index)], [body(index), beside(index)]]) {
      expect(await told(...damages)).toEqual([`entry ${index}, leaf`]);
    }
  });

  test.for(PLACES)("of entry %i are not wrong because its leaf and its tile were changed", async (index) => {
    for (const damages of [
      [body(index), inTile(index)],
      [body(index), beside(index), inTile(index)],
    ]) {
      const places = await told(...damages);
      expect(places).toContainEqual(expect.stringMatching(/^checkpoint, root at size 300$/));
      expect(places.filter((place) => /row of entry|identity/.test(place))).toEqual([]);
    }
  });

  test("are wrong beside a tile that was changed and entries that were not, for the signed root vouches for them", async () => {
    const flip =
      "UPDATE log.tile SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 1) WHERE log = $1 AND level = 1";
    expect(await told([flip, world.log], row(9), row(290))).toEqual(
      expect.arrayContaining(["tile 1/0, hash 0", "identity row of entry 9", "identity row of entry 290"]),
    );
  });

  test("are wrong beside another entry whose leaf was changed", async () => {
    const places = await told(body(7), row(9));
    // That row is another's, and its own is missing.
    expect(places).toEqual(["entry 7, leaf", "identity row of entry 9", "identity row of entry 9"]);
  });
});

test("what stands beside more leaves than are told of is counted", async () => {
  const world = await server.grow("text", Array<number>(12).fill(840));
  const changed: Damage = ["UPDATE log.entry SET identity = sha256(leaf) WHERE log = $1", world.log];
  let [told, unheld] = [0, 0];
  await world.checkDamaged([changed], {
    kind: "rekor",
    found: ({ place }, more = 0) => {
      if (place.kind === "entry" && place.field === "identity") told += 1;
      unheld += more;
    },
  });
  expect([told, unheld]).toEqual([10_000, 80]);
});
