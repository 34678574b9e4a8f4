import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LedgerFile, type SeenRow } from "../src/state/ledger-file.ts";

let directory: string;
const path = () => join(directory, "ledger");
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ledger-file-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const row = (time: number): SeenRow => ({
  time: BigInt(time),
  serial: time.toString(16).padStart(40, "0"),
  digest: time.toString(16).padStart(64, "0"),
});

test("rows are found by their times, also those that came late, and after a restart", async () => {
  const file = await LedgerFile.open(path());
  const inOrder = Array.from({ length: 3_000 }, (_, at) => row(at * 10));
  await file.append(inOrder.slice(0, 1_500));
  await file.append(inOrder.slice(1_500));
  const late = [row(5), row(15_005)];
  await file.append(late);
  for (const opened of [file, await LedgerFile.open(path())]) {
    expect(opened.count).toBe(3_002);
    expect(await opened.within(0n, 10n)).toEqual([row(0), row(10), row(5)]);
    expect(await opened.within(15_000n, 15_010n)).toEqual([row(15_000), row(15_010), row(15_005)]);
    expect(await opened.within(29_990n, 1n << 62n)).toEqual([row(29_990)]);
    expect(await opened.within(1n << 61n, 1n << 62n)).toEqual([]);
    expect(await opened.newest(3)).toEqual([row(29_990), ...late]);
  }
});

test("a row that a crash cut off is none, and is written over", async () => {
  const file = await LedgerFile.open(path());
  await file.append([row(1)]);
  await appendFile(path(), Buffer.alloc(63, 7));
  const opened = await LedgerFile.open(path());
  await opened.append([row(2)]);
  expect(await (await LedgerFile.open(path())).within(0n, 10n)).toEqual([row(1), row(2)]);
});

test("rows that are written at once are all there, and a time before 1970 has its place", async () => {
  const file = await LedgerFile.open(path());
  await Promise.all([file.append([row(3)]), file.append([row(4)]), file.append([{ ...row(5), time: -5n }])]);
  expect((await file.within(-10n, 10n)).map(({ time }) => time)).toEqual([3n, 4n, -5n]);
  expect(await (await LedgerFile.open(path())).within(-10n, -1n)).toEqual([{ ...row(5), time: -5n }]);
});

test("zeros that a crash left where rows should be are no rows, and nobody is told that they are gone", async () => {
  const file = await LedgerFile.open(path());
  await file.append([row(1)]);
  await appendFile(path(), Buffer.alloc(64 * 2_500));
  const opened = await LedgerFile.open(path());
  expect(opened.count).toBe(1);
  expect(await opened.newest(64)).toEqual([row(1)]);
  expect(await opened.within(-10n, 10n)).toEqual([row(1)]);
  await opened.append([{ ...row(2), isUnconfirmed: true }]);
  expect(await opened.newest(64)).toEqual([row(1), { ...row(2), isUnconfirmed: true }]);
  // As a program of before wrote behind them.
  await appendFile(path(), Buffer.alloc(64));
  const bytes = await readFile(path());
  await appendFile(path(), bytes.subarray(0, 64));
  const again = await LedgerFile.open(path());
  expect(await again.newest(1)).toEqual([row(1)]);
  expect(await again.newest(9_999)).toEqual([row(1), { ...row(2), isUnconfirmed: true }, row(1)]);
  expect(await again.within(-10n, 10n)).toEqual([row(1), { ...row(2), isUnconfirmed: true }, row(1)]);
});
