import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeEntryBundle,
  encodeEntryBundlePath,
  encodeTilePath,
  parseEntryBundle,
  parseEntryBundlePath,
  parseTilePath,
  TILE_WIDTH,
  tileWidth,
} from "../src/index.ts";

const INDEX = fc.oneof(fc.nat({ max: 1_100 }), fc.nat({ max: 2 ** 53 - 1 }));
const WIDTH = fc.integer({ min: 1, max: 256 });

describe("tile paths", () => {
  test.for([
    [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
    [{ level: 0, index: 999, width: 256 }, "tile/0/999"],
    [{ level: 3, index: 1000, width: 1 }, "tile/3/x001/000.p/1"],
    [{ level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"],
    [{ level: 63, index: 5, width: 255 }, "tile/63/005.p/255"],
    [{ level: 0, index: 2 ** 53 - 1, width: 256 }, "tile/0/x009/x007/x199/x254/x740/991"],
  ] as const)("%o is spelled %s", ([tile, path]) => {
    expect(encodeTilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  test("every coordinate is read back from its spelling", () => {
    fc.assert(
      fc.property(fc.nat({ max: 63 }), INDEX, WIDTH, (level, index, width) => {
        expect(parseTilePath(encodeTilePath({ level, index, width }))).toEqual({ level, index, width });
        expect(parseEntryBundlePath(encodeEntryBundlePath({ index, width }))).toEqual({ index, width });
      }),
    );
  });

  // Attack A25: a second name for a tile, or a way out of its folder.
  test.for([
    "",
    "/tile/0/000",
    "tile/0/000/",
    "tile//000",
    "tile/00/000",
    "tile/01/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/00",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/0/x000/x001/000",
    "tile/0/X001/000",
    "tile/0/001/000",
    "tile/0/x001",
    "tile/0/x00a/000",
    "tile/0/../000",
    "tile/0/%2e%2e/000",
    "tile/0/x001%2f000",
    "tile/0//000",
    "tile/0/000\0",
    "tile/0/000\n",
    "tile/0/000.p",
    "tile/0/000.p/",
    "tile/0/000.p/0",
    "tile/0/000.p/01",
    "tile/0/000.p/256",
    "tile/0/000.p/999",
    "tile/0/000.p/-1",
    "tile/0/000.P/1",
    "tile/0/000.p/1/",
    "tile/0/x009/x007/x199/x254/x740/992",
    "tile/0/x009/x223/x372/x036/x854/x775/808",
    "tile/0/٠٠٠",
    "Tile/0/000",
    "tile/entries/000",
    "tile/0/ 000",
  ])("%j names no tile", (path) => {
    expect(() => parseTilePath(path)).toThrow(expect.objectContaining({ code: "malformed" }) as Error);
  });

  test("a full tile has no second name as a partial one of 256", () => {
    expect(() => parseTilePath("tile/0/000.p/256")).toThrow("partial width is not 1 to 255");
  });

  test.for(["tile/entries/", "tile/entries/00", "tile/entries/0/000", "entries/000", "tile/data/000", "tile/0/000"])(
    "%j names no entry bundle",
    (path) => {
      expect(() => parseEntryBundlePath(path)).toThrow(expect.objectContaining({ code: "malformed" }) as Error);
    },
  );

  test("whatever is taken is the only spelling of what it names", () => {
    const part = fc.constantFrom("tile/", "0", "1", "7", "x", "/", "000", "x001", ".p/", "12", "..", "entries/");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = `tile/0/${parts.join("")}`;
        const parsed = attempt(() => parseTilePath(text));
        if (parsed !== undefined) expect(encodeTilePath(parsed)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("tile widths", () => {
  // "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, one full
  // level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1."
  test.for([
    [0, 272, 256],
    [0, 273, 112],
    [0, 274, 0],
    [1, 0, 256],
    [1, 1, 17],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
    [3, 0, 0],
  ] as const)("in a tree of 70,000, tile %i/%i is %i wide", ([level, index, width]) => {
    expect(tileWidth(level, index, 70_000n)).toBe(width);
  });

  test("an empty tree has no tile", () => {
    expect(tileWidth(0, 0, 0n)).toBe(0);
  });

  test("a tree of 256 has one full tile and a partial one above it", () => {
    expect([tileWidth(0, 0, 256n), tileWidth(0, 1, 256n), tileWidth(1, 0, 256n)]).toEqual([256, 0, 1]);
  });
});

describe("entry bundles", () => {
  test("length, then bytes, entry after entry", () => {
    const bundle = encodeEntryBundle([Uint8Array.of(7), new Uint8Array(), new Uint8Array(258)]);
    expect(bundle.subarray(0, 7)).toEqual(Uint8Array.of(0, 1, 7, 0, 0, 1, 2));
    expect(bundle.length).toBe(7 + 258);
  });

  test("every bundle is read back", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: TILE_WIDTH }), (bundled) => {
        expect(parseEntryBundle(encodeEntryBundle(bundled))).toEqual(bundled);
      }),
    );
  });

  test("an entry of 65,535 bytes is the largest", () => {
    expect(parseEntryBundle(encodeEntryBundle([new Uint8Array(65_535)]))).toHaveLength(1);
    expect(() => encodeEntryBundle([new Uint8Array(65_536)])).toThrow(
      expect.objectContaining({ code: "too-large" }) as Error,
    );
  });

  test.for([
    ["no entries", new Uint8Array()],
    ["half a length", Uint8Array.of(0)],
    ["a length beyond its end", Uint8Array.of(0, 2, 1)],
    ["257 entries", new Uint8Array(2 * 257)],
  ] as const)("with %s is malformed", ([, bytes]) => {
    expect(() => parseEntryBundle(bytes)).toThrow(expect.objectContaining({ code: "malformed" }) as Error);
  });

  test("of no entries, or of more than a tile's, is never written", () => {
    expect(() => encodeEntryBundle([])).toThrow("0 entries");
    expect(() => encodeEntryBundle(Array.from({ length: 257 }, () => new Uint8Array()))).toThrow("257 entries");
  });
});

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
