import { encodeBase64, encodePem, utf8 } from "@chancery/encoding";
import { leafHash } from "@chancery/tlog";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leafOfRow } from "../../../services/auditor/src/database/leaf-of-row.ts";
import { SearchKeys } from "../src/index.ts";
import { leafText, packLeaf, unpackLeaf } from "../src/packed-leaf.ts";
import { testServer } from "./postgres.ts";
import { World } from "./world.ts";

const server = testServer();
const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, at) => (at * 167 + seed * 31) % 256);
const pem = (label: string, der: Uint8Array) => encodeBase64(utf8(encodePem(label, der)));

/** As Rekor v1 logs a hashedrekord. */
function hashedrekord(key: string, seed = 1): Uint8Array {
  const signature = { content: encodeBase64(bytes(71, seed)), publicKey: { content: key } };
  const data = { hash: { algorithm: "sha256", value: bytes(32, seed).toHex() } };
  return utf8(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec: { data, signature } }));
}

const LEAVES: Readonly<Record<string, Uint8Array>> = {
  "a hashedrekord with a certificate": hashedrekord(pem("CERTIFICATE", bytes(750))),
  "a hashedrekord with a key": hashedrekord(pem("PUBLIC KEY", bytes(91))),
  "one with a chain": hashedrekord(
    encodeBase64(utf8(encodePem("CERTIFICATE", bytes(750)) + encodePem("CERTIFICATE", bytes(500)))),
  ),
  "one whose PEM is written in lines of another length": hashedrekord(
    encodeBase64(utf8(encodePem("CERTIFICATE", bytes(300)).replace("\n", "\r\n"))),
  ),
  "one whose PEM has an empty block": hashedrekord(encodeBase64(utf8(encodePem("CERTIFICATE", new Uint8Array())))),
  "text that only looks like base64": utf8(`{"text":"${"A".repeat(64)}=${"A".repeat(63)}","more":"${"=".repeat(64)}"}`),
  "base64 with bits that mean nothing": utf8(`{"text":"${"A".repeat(66)}B="}`),
  "quotes that are escaped": utf8(JSON.stringify({ text: `"${"A".repeat(64)}"`, [`"${"A".repeat(68)}`]: 1 })),
  "white space among base64": utf8(`{"text":"${"AAAA AAA ".repeat(8)}"}`),
  "text beyond ASCII": utf8(JSON.stringify({ text: `é€😀${"A".repeat(64)}`, ü: "A".repeat(64) })),
  "the longest": utf8(`{"text":"${"A".repeat(65_535 - 11)}"}`),
  "one that is longer": utf8(`{"text":"${"A".repeat(65_536)}"}`),
  "what is not JSON": bytes(500, 0),
  "what begins as what is packed": Uint8Array.of(1, 0, 0, 1, 7),
  nothing: new Uint8Array(),
};

describe.each(Object.entries(LEAVES))("%s", (_, leaf) => {
  test("comes out as it went in, here and as the auditor reads it", () => {
    const packed = packLeaf(leaf, leafText(leaf));
    // What is not written as it is logged does not unpack to itself: it is then stored as it is.
    const stored = Buffer.compare(unpackLeaf(packed), leaf) === 0 ? packed : leaf;
    expect(unpackLeaf(stored)).toEqual(leaf);
    expect(leafOfRow(stored)).toEqual(leaf);
  });
});

test("a certificate takes the room of its bytes", () => {
  const leaf = LEAVES["a hashedrekord with a certificate"]!;
  expect([leaf.length, packLeaf(leaf, leafText(leaf)).length]).toEqual([1745, 1048]);
});

test("whatever JSON there is comes out as it went in", () => {
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map(encodeBase64),
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((der) => pem("CERTIFICATE", der)),
    fc.uint8Array({ maxLength: 100 }).map((octets) => octets.toHex()),
  );
  const json = fc.jsonValue().chain((value) => fc.array(text).map((texts) => utf8(JSON.stringify({ value, texts }))));
  fc.assert(
    fc.property(json, (leaf) => {
      expect(unpackLeaf(packLeaf(leaf, leafText(leaf)))).toEqual(leaf);
    }),
  );
});

test("whatever lies in the database is read, and by both readers alike", () => {
  const packed = fc
    .tuple(fc.constantFrom(...Object.values(LEAVES)), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
    .map(([leaf, changes]) => {
      const stored = packLeaf(leaf, leafText(leaf)).slice(0, 4000);
      for (const [at, octet] of changes) stored[at % Math.max(1, stored.length)] = octet;
      return stored;
    });
  fc.assert(
    fc.property(fc.oneof(packed, fc.uint8Array()), (stored) => {
      expect(leafOfRow(stored)).toEqual(unpackLeaf(stored));
    }),
  );
});

const entryOf = (leaf: Uint8Array) => ({
  identity: leafHash(leaf),
  leaf: () => leaf,
  extra: new Uint8Array(),
  searchKeys: SearchKeys.NONE,
});

describe("in PostgreSQL", () => {
  test("leaves of every kind are logged, read and proven", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    const leaves = Object.values(LEAVES).filter((leaf) => leaf.length <= 65_535);
    for (const leaf of leaves) await world.append(log, entryOf(leaf));
    await world.check(log, leaves.length);
    for (const [at, leaf] of leaves.entries()) expect((await log.entry(BigInt(at)))?.leaf).toEqual(leaf);
    expect((await log.entries(0n, leaves.length)).map(({ leaf }) => leaf)).toEqual(leaves);
    const [row] = await db.query<{ length: number }>("SELECT length(leaf) FROM log.entry WHERE index = 0");
    expect(row?.length).toBe(1048);
  });

  test("leaves of before, which lie there as they are, are read beside those of now", async () => {
    const { db, store } = await server.database();
    const world = new World({ store: await store() });
    const log = await world.start();
    const leaf = LEAVES["a hashedrekord with a certificate"]!;
    await world.append(log, entryOf(leaf));
    await world.append(log, entryOf(hashedrekord(pem("CERTIFICATE", bytes(750)), 2)));
    await db.query("ALTER TABLE log.entry DISABLE TRIGGER append_only");
    await db.query("GRANT UPDATE ON log.entry TO CURRENT_USER");
    await db.query("UPDATE log.entry SET leaf = $1 WHERE index = 0", [leaf]);
    await world.check(log, 2);
    expect((await log.entries(0n, 2)).map((entry) => entry.leaf.length)).toEqual([1745, 1745]);
    expect((await world.append(log, entryOf(leaf))).duplicate).toBe(true);
  });
});
