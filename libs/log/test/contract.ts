import { sha256 } from "@chancery/crypto";
import { equalBytes, utf8 } from "@chancery/encoding";
import { EMPTY_ROOT, EMPTY_TREE, growTree, leafHash } from "@chancery/tlog";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type Addition,
  type Integrate,
  type KeySearch,
  type LogKey,
  type LogStore,
  type PlacedEntry,
  SearchKeys,
  type StoredLog,
  type TreeState,
} from "../src/index.ts";
import { exactly, searchKey, searchKeysOf } from "./world.ts";

const KEY: LogKey = { origin: "contract.example", keyId: Uint8Array.of(1, 2, 3, 4) };

export function placed(text: string, parts: Partial<PlacedEntry> = {}): PlacedEntry {
  const leaf = utf8(text);
  const hash = leafHash(leaf);
  return {
    identity: hash,
    leaf,
    leafHash: hash,
    extra: new Uint8Array(),
    searchKeys: SearchKeys.NONE,
    names: [],
    ...parts,
  };
}

/** What the engine would make of these entries. */
export function addition(state: TreeState, entries: readonly PlacedEntry[], time = state.time + 1): Addition {
  const growth = growTree(
    state,
    entries.map((entry) => entry.leafHash),
  );
  return { entries, tiles: growth.tiles, tree: { size: growth.size, root: growth.root, edge: growth.edge, time } };
}

export const adding =
  (entries: readonly PlacedEntry[]): Integrate =>
  (state) =>
    addition(state, entries);

const checkpoint = (size: bigint) => ({ head: { size, root: EMPTY_ROOT }, time: Number(size), note: utf8(`${size}`) });

const keys = (at: number) => ["all", `mod2-${at % 2}`, `mod3-${at % 3}`, `only-${at}`];

const nameOf = (name: string) => ({ name, key: sha256(utf8(name)).subarray(0, 16) });

async function searchIn({ reader }: StoredLog, groups: string[][], range: Partial<KeySearch>) {
  const asked = groups.map((names) => names.map(searchKey));
  return await reader.search({ groups: asked, begin: 0n, end: 12n, order: "newest", candidates: 100, ...range });
}

async function foundIn(log: StoredLog, groups: string[][], range: Partial<KeySearch> = {}) {
  return (await searchIn(log, groups, range)).indexes;
}

let made = 0;

/** The contract of LogStore, against any implementation. */
export function storeContract(kind: string, openStore: () => Promise<LogStore>): void {
  describe(`a ${kind} log store`, () => {
    let store: LogStore;
    let name: string;
    let log: StoredLog;

    beforeEach(async () => {
      store = await openStore();
      name = `log-${++made}`;
      log = await store.create(name, KEY, 1000);
    });

    test("knows only what was created, and keeps what it was created with", async () => {
      expect(await store.find(`${name}-other`)).toBeUndefined();
      const again = await store.create(name, { origin: "late.example", keyId: Uint8Array.of(9) }, 2000);
      expect(await again.writer.tree()).toEqual({
        ...KEY,
        ...EMPTY_TREE,
        root: EMPTY_ROOT,
        time: 1000,
        frozen: false,
        published: undefined,
        volatile: undefined,
      });
      expect(await log.reader.published()).toBeUndefined();
    });

    test("of several makers one wins and all get its log", async () => {
      const makers = ["a", "b", "c", "d"].map((origin) => store.create(`${name}-raced`, { ...KEY, origin }, 1));
      const trees = await Promise.all((await Promise.all(makers)).map(({ writer }) => writer.tree()));
      expect(new Set(trees.map(({ origin }) => origin)).size).toBe(1);
    });

    test("logs of one store do not see each other", async () => {
      const other = await store.create(`${name}-two`, KEY, 1000);
      await log.writer.commit([], adding([placed("a", { searchKeys: searchKeysOf(["k"]), names: [nameOf("k")] })]));
      expect((await other.writer.tree()).size).toBe(0n);
      expect(await other.reader.findIndex("identity", leafHash(utf8("a")))).toBeUndefined();
      const asked = { groups: [[searchKey("k")]], begin: 0n, end: 10n, order: "newest", candidates: 10 } as const;
      expect(await other.reader.search(asked)).toEqual({ indexes: [], reached: undefined });
      expect(await other.reader.names("", 10)).toEqual([]);
      await other.writer.commit([leafHash(utf8("a"))], (state, known) => {
        expect(known).toEqual([undefined]);
        return addition(state, [placed("a")]);
      });
    });

    test("stores an addition whole, and tells of it afterwards", async () => {
      const entries = [placed("a"), placed("b", { identity: leafHash(utf8("certificate b")), extra: utf8("chain") })];
      await log.writer.commit([], adding(entries));
      const tree = await log.writer.tree();
      expect(tree).toMatchObject({
        size: 2n,
        time: 1001,
        root: growTree(
          EMPTY_TREE,
          entries.map((e) => e.leafHash),
        ).root,
      });
      expect(await log.reader.entries(0n, 9)).toEqual(
        entries.map(({ identity, leaf, extra }, at) => ({ index: BigInt(at), time: 1001, identity, leaf, extra })),
      );
      expect(
        await log.reader.tiles([
          { level: 0, index: 0 },
          { level: 1, index: 0 },
        ]),
      ).toEqual([Uint8Array.from([...entries[0]!.leafHash, ...entries[1]!.leafHash]), new Uint8Array()]);
      for (const [at, { identity, leafHash: hash }] of entries.entries()) {
        expect(await log.reader.findIndex("identity", identity)).toBe(BigInt(at));
        expect(await log.reader.findIndex("leaf-hash", hash)).toBe(BigInt(at));
      }
      expect(await log.reader.findIndex("leaf-hash", entries[1]!.identity)).toBeUndefined();
      await log.writer.commit([entries[1]!.identity, leafHash(utf8("c")), entries[0]!.identity], (_, known) => {
        expect(known).toEqual([1n, undefined, 0n]);
        return undefined;
      });
    });

    test("tells of identities that it is told of once it has the lock, after the others", async () => {
      const entries = [placed("a"), placed("b")];
      await log.writer.commit([], adding(entries));
      const [a, b, c] = [...entries.map((entry) => entry.identity), leafHash(utf8("c"))];
      let asked = 0;
      await log.writer.commit(
        [c!, b!],
        (_, known) => {
          expect(known).toEqual([undefined, 1n, 0n, undefined]);
          return undefined;
        },
        () => (asked++ === 0 ? [a, leafHash(utf8("d"))] : []),
      );
      expect(asked).toBe(1);
    });

    test("two entries of a batch that have the same leaf do not fail it: its hash finds the first", async () => {
      const twins = ["one", "other"].map((signature) => placed("leaf", { identity: leafHash(utf8(signature)) }));
      await log.writer.commit([], adding([placed("before"), ...twins, placed("after")]));
      expect((await log.writer.tree()).size).toBe(4n);
      expect(await log.reader.findIndex("leaf-hash", leafHash(utf8("leaf")))).toBe(1n);
      for (const [at, { identity }] of twins.entries()) {
        expect(await log.reader.findIndex("identity", identity)).toBe(BigInt(at + 1));
      }
    });

    test("adds up a tile from what each batch knew of it", async () => {
      const entries = Array.from({ length: 300 }, (_, at) => placed(String(at)));
      for (const [from, to] of [
        [0, 1],
        [1, 255],
        [255, 257],
        [257, 300],
      ] as const) {
        await log.writer.commit([], adding(entries.slice(from, to)));
      }
      const tiles = await log.reader.tiles([0, 1, 2].map((index) => ({ level: 0, index })));
      expect(tiles.map((tile) => tile.length / 32)).toEqual([256, 44, 0]);
      expect(tiles[0]!.subarray(255 * 32)).toEqual(entries[255]!.leafHash);
      const [above] = await log.reader.tiles([{ level: 1, index: 0 }]);
      expect(above).toHaveLength(32);
      const parts = [0, 7, 15].map((part) => ({ level: 0, index: 0, part }));
      expect(await log.reader.tiles(parts)).toEqual(
        parts.map(({ part }) => tiles[0]!.slice(part * 512, (part + 1) * 512)),
      );
      const last = [2, 3].map((part) => ({ level: 0, index: 1, part }));
      expect(await log.reader.tiles(last)).toEqual([tiles[1]!.slice(2 * 512), new Uint8Array()]);
    });

    test("leaves nothing behind of what its integration refuses or throws", async () => {
      await log.writer.commit([], () => undefined);
      const refusal = new Error("not today");
      await expect(
        log.writer.commit([], () => {
          throw refusal;
        }),
      ).rejects.toBe(refusal);
      expect((await log.writer.tree()).size).toBe(0n);
      await log.writer.commit([], adding([placed("a")]));
      expect((await log.writer.tree()).size).toBe(1n);
    });

    test("refuses a leaf that is not what its hash says, and an identity that is there", async () => {
      const wrong = placed("a", { leafHash: leafHash(utf8("b")) });
      await expect(log.writer.commit([], adding([wrong]))).rejects.toThrow();
      await log.writer.commit([], adding([placed("a")]));
      await expect(log.writer.commit([], adding([placed("a")]))).rejects.toThrow();
      expect((await log.writer.tree()).size).toBe(1n);
    });

    test("lets one writer in at a time, and each sees what the one before left", async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          log.writer.commit([leafHash(utf8(`w${at % 10}`))], (state, [known]) =>
            known === undefined ? addition(state, [placed(`w${at % 10}`)]) : undefined,
          ),
        ),
      );
      expect((await log.writer.tree()).size).toBe(10n);
      expect(await log.reader.entries(0n, 99)).toHaveLength(10);
    });

    test("reads leaves, and entries no further than some bytes of them and of what is beside them", async () => {
      const entries = [5, 1, 2, 1, 0, 5, 0].map((mib, at) =>
        placed(`${at}`, { extra: new Uint8Array(mib * 2 ** 20).fill(at) }),
      );
      await log.writer.commit([], adding(entries));
      const read = async (start: bigint, count: number) => {
        const found = await log.reader.entries(start, count);
        for (const { index, extra } of found) expect(equalBytes(extra, entries[Number(index)]!.extra)).toBe(true);
        return found.map(({ index }) => Number(index));
      };
      expect(await read(0n, 7)).toEqual([0]);
      // Four would be 4 MiB and their leaves.
      expect(await read(1n, 7)).toEqual([1, 2]);
      expect(await read(3n, 2)).toEqual([3, 4]);
      expect(await read(3n, 7)).toEqual([3, 4]);
      expect(await read(4n, 3)).toEqual([4]);
      expect(await read(5n, 2)).toEqual([5]);
      expect(await read(6n, 2)).toEqual([6]);
      expect(await read(7n, 2)).toEqual([]);
      const leaves = entries.map(({ leaf }) => leaf);
      expect(await log.reader.leaves(0n, 7)).toEqual(leaves);
      expect(await log.reader.leaves(2n, 3)).toEqual(leaves.slice(2, 5));
      expect(await log.reader.leaves(6n, 9)).toEqual(leaves.slice(6));
      expect(await log.reader.leaves(7n, 1)).toEqual([]);
    });

    test("reads as many entries as it is asked for where they are small", async () => {
      await log.writer.commit(
        [],
        adding(Array.from({ length: 1024 }, (_, at) => placed(`${at}`, { extra: utf8("e") }))),
      );
      for (const [start, count] of [
        [0, 1024],
        [1, 1023],
        [15, 2],
        [700, 17],
        [1000, 256],
      ] as const) {
        const expected = Array.from({ length: Math.min(count, 1024 - start) }, (_, at) => utf8(`${start + at}`));
        expect((await log.reader.entries(BigInt(start), count)).map(({ leaf }) => leaf)).toEqual(expected);
        expect(await log.reader.leaves(BigInt(start), count)).toEqual(expected);
      }
    });

    test("publishes forward only", async () => {
      expect(await log.writer.publish(checkpoint(0n))).toEqual(checkpoint(0n));
      expect(await log.writer.publish(checkpoint(5n))).toEqual(checkpoint(5n));
      expect(await log.writer.publish(checkpoint(3n))).toEqual(checkpoint(5n));
      expect(await log.writer.publish({ ...checkpoint(5n), note: utf8("again") })).toEqual(checkpoint(5n));
      expect(await log.reader.published()).toEqual(checkpoint(5n));
      expect((await log.writer.tree()).published).toEqual({ size: 5n, root: EMPTY_ROOT, time: 5 });
    });

    test("publishes a tree again only as of a later time", async () => {
      await log.writer.publish(checkpoint(5n));
      const later = { ...checkpoint(5n), time: 6, note: utf8("signed again") };
      expect(await log.writer.publish(later)).toEqual(later);
      expect(await log.writer.publish(checkpoint(5n))).toEqual(later);
      expect(await log.reader.published()).toEqual(later);
      expect((await log.writer.tree()).published).toEqual({ size: 5n, root: EMPTY_ROOT, time: 6 });
      expect(await log.writer.publish(checkpoint(7n))).toEqual(checkpoint(7n));
    });

    describe("of entries with keys", () => {
      beforeEach(async () => {
        const entries = Array.from({ length: 12 }, (_, at) => placed(`${at}`, { searchKeys: searchKeysOf(keys(at)) }));
        await log.writer.commit([], adding(entries));
      });

      test("finds those that have one key of each group, in order, within a range", async () => {
        expect(await foundIn(log, [["only-3"]])).toEqual([3n]);
        expect(await foundIn(log, [["only-3", "only-7", "nothing"]])).toEqual([7n, 3n]);
        expect(await foundIn(log, [["mod2-0", "mod3-0"]])).toEqual([10n, 9n, 8n, 6n, 4n, 3n, 2n, 0n]);
        expect(await foundIn(log, [["mod2-0"], ["mod3-0"]])).toEqual([6n, 0n]);
        expect(await foundIn(log, [["all"], ["mod2-1"], ["mod3-2"]])).toEqual([11n, 5n]);
        expect(await foundIn(log, [["all"], ["all"]])).toHaveLength(12);
        expect(await foundIn(log, [["all"], ["nothing"]])).toEqual([]);
        expect(
          await foundIn(log, [
            ["mod2-0", "only-7"],
            ["mod3-0", "mod3-1"],
          ]),
        ).toEqual([10n, 7n, 6n, 4n, 0n]);
        expect(await foundIn(log, [["all"]], { begin: 2n, end: 5n })).toEqual([4n, 3n, 2n]);
        expect(await foundIn(log, [["all"]], { begin: 2n, end: 5n, order: "oldest" })).toEqual([2n, 3n, 4n]);
        expect(await foundIn(log, [["all"], ["mod2-0"]], { end: 5n, order: "oldest" })).toEqual([0n, 2n, 4n]);
        expect(await foundIn(log, [["all"]], { begin: 5n, end: 5n })).toEqual([]);
      });

      test("looks at no more candidates than it may, and tells how far it came", async () => {
        expect(await searchIn(log, [["all"]], { candidates: 5 })).toEqual({
          indexes: [11n, 10n, 9n, 8n, 7n],
          reached: 7n,
        });
        expect(await searchIn(log, [["mod2-0", "mod2-1"]], { candidates: 3, order: "oldest" })).toEqual({
          indexes: [0n, 1n, 2n],
          reached: 2n,
        });
        expect(await searchIn(log, [["all"]], { candidates: 13 })).toMatchObject({ reached: undefined });
        for (const order of ["newest", "oldest"] as const) {
          let [begin, end] = [0n, 12n];
          const all: bigint[] = [];
          for (;;) {
            const { indexes, reached } = await searchIn(log, [["mod2-0"], ["mod3-0", "mod3-1"]], {
              begin,
              end,
              order,
              candidates: 2,
            });
            all.push(...indexes);
            if (reached === undefined) break;
            if (order === "newest") end = reached;
            else begin = reached + 1n;
          }
          expect(all).toEqual(order === "newest" ? [10n, 6n, 4n, 0n] : [0n, 4n, 6n, 10n]);
        }
      });

      test("reads entries at any indexes, in that order, and of what is beside them as much as is asked", async () => {
        await log.writer.commit([], adding([placed("beside", { extra: utf8("0123456789") })]));
        const read = await log.reader.entriesAt([12n, 99n, 3n], 4);
        expect(read.map(({ index, extra, extraLength }) => ({ index, extra, extraLength }))).toEqual([
          { index: 12n, extra: utf8("0123"), extraLength: 10 },
          { index: 3n, extra: utf8(""), extraLength: 0 },
        ]);
        expect(read[1]).toMatchObject((await log.reader.entries(3n, 1))[0]!);
      });

      test("misses none of them", async () => {
        expect(await log.reader.unindexed()).toBe(0n);
      });
    });

    test("tells keys of names by how these begin, octet by octet, each once", async () => {
      const last = "b\u{10ffff}\u{10ffff}x";
      const names = ["b", "Ba", "ba", "bé", "bz", "c", "b%", "b_x", last, "ba"].map(nameOf);
      await log.writer.commit([], adding([placed("a", { names: names.slice(0, 5) })]));
      await log.writer.commit([], adding([placed("b", { names: names.slice(3) })]));
      const keysOf = (...found: string[]) => found.map((each) => nameOf(each).key);
      expect(await log.reader.names("b", 100)).toEqual(keysOf("b", "b%", "b_x", "ba", "bz", "bé", last));
      expect(await log.reader.names("b", 2)).toEqual(keysOf("b", "b%"));
      expect(await log.reader.names("b%", 100)).toEqual(keysOf("b%"));
      expect(await log.reader.names("bé", 100)).toEqual(keysOf("bé"));
      expect(await log.reader.names("d", 100)).toEqual([]);
    });

    test("tells how many of its first entries are older than a time", async () => {
      for (const [time, count] of [
        [2000, 3],
        [3000, 1],
        [3000, 2],
        [5000, 4],
      ] as const) {
        await log.writer.commit([], (state) => {
          const entries = Array.from({ length: count }, (_, at) => placed(`${state.size} ${at}`));
          const added = addition(state, entries);
          return { ...added, tree: { ...added.tree, time } };
        });
      }
      const times = [0, 2000, 2001, 3000, 3001, 5000, 5001, Number.MAX_SAFE_INTEGER];
      expect(await log.reader.sizesAt(times, 10n)).toEqual(exactly(0n, 0n, 3n, 3n, 6n, 6n, 10n, 10n));
      expect(await log.reader.sizesAt(times, 4n)).toEqual(exactly(0n, 0n, 3n, 3n, 4n, 4n, 4n, 4n));
      expect(await log.reader.sizesAt([2001], 0n)).toEqual(exactly(0n));
    });

    test("stays frozen", async () => {
      await log.writer.freeze();
      await log.writer.freeze();
      expect((await log.writer.tree()).frozen).toBe(true);
    });
  });
}
