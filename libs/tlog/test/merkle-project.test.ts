import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { verifyConsistency, verifyInclusion } from "../src/index.ts";

/**
 * The proofs, good and bad, that the implementations of transparency logs in Go share, where somebody has them:
 * `MERKLE_TESTDATA` is the folder `testdata` of a clone of github.com/transparency-dev/merkle.
 */
const FOLDER = process.env["MERKLE_TESTDATA"];

interface Inclusion {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string | null;
  readonly leafHash: string | null;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

interface Consistency {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string | null;
  readonly root2: string | null;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

const bytes = (base64: string | null) => new Uint8Array(Buffer.from(base64 ?? "", "base64"));
const path = (proof: readonly string[] | null) => (proof ?? []).map(bytes);

function isRefused(verify: () => void): boolean {
  try {
    verify();
    return false;
  } catch {
    return true;
  }
}

function read(kind: string): (readonly [string, unknown])[] {
  if (FOLDER === undefined) return [];
  return readdirSync(join(FOLDER, kind), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(join(FOLDER, kind, name), "utf8")) as unknown] as const);
}

describe.skipIf(FOLDER === undefined)("proofs of the merkle project (skipped without MERKLE_TESTDATA)", () => {
  test("inclusion", () => {
    const files = read("inclusion") as [string, Inclusion][];
    expect(files.length).toBeGreaterThan(90);
    const wrong = files.filter(([, { leafIdx, treeSize, root, leafHash, proof, wantErr }]) => {
      const [index, size] = [BigInt(leafIdx), BigInt(treeSize)];
      const verify = () =>
        verifyInclusion({ index, size, path: path(proof) }, bytes(leafHash), { size, root: bytes(root) });
      return isRefused(verify) !== wantErr;
    });
    expect(wrong).toEqual([]);
  });

  test("consistency", () => {
    const files = read("consistency") as [string, Consistency][];
    expect(files.length).toBeGreaterThan(90);
    const wrong = files.filter(([, { size1, size2, root1, root2, proof, wantErr }]) => {
      const [from, to] = [BigInt(size1), BigInt(size2)];
      const verify = () =>
        verifyConsistency(
          { from, to, path: path(proof) },
          { size: from, root: bytes(root1) },
          { size: to, root: bytes(root2) },
        );
      return isRefused(verify) !== wantErr;
    });
    expect(wrong).toEqual([]);
  });
});
