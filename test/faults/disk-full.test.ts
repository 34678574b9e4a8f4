import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ChanceryProcess, startChancery } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../../libs/postgres/src/index.ts";
import { minutes, times } from "./rig/dice.ts";
import { Journal } from "./rig/journal.ts";
import { newHashedRekord, type RekorAnswer, RekorClient } from "./rig/rekor-client.ts";
import { report, spread } from "./rig/site.ts";
import { askAgain, judgeStack } from "./rig/stack.ts";

const run = promisify(execFile);
const ROUNDS = times(5);
/** Room for the database and what it keeps of its write-ahead log, which it would let grow to a gibibyte. */
const DISK = "384m";
/** PostgreSQL is started again after at most 5 s, and then recovers. */
const RESUMES_MS = 30_000;

const data = await mkdtemp(join(tmpdir(), "faults-disk-"));
const disk = join(data, "postgres");
await makeInstallation();
const refusal = await run("mount", ["-t", "tmpfs", "-o", `size=${DISK},mode=0700`, "faults", disk]).then(
  () => undefined,
  (error: unknown) => ` [left out: no disk of its own can be mounted (${String(error).trim().split("\n").at(-1)})]`,
);

afterAll(async () => {
  if (refusal === undefined) await run("umount", ["--lazy", disk]);
  await rm(data, { recursive: true, force: true });
});

/** A first start on an ordinary disk, whose database then moves to where the small one will be mounted. */
async function makeInstallation(): Promise<void> {
  await (await startChancery({ data })).stop();
  await rename(disk, `${disk}.first`);
  await mkdir(disk);
}

/** Takes all the space there is left. */
async function fill(): Promise<void> {
  await using ballast = await open(join(disk, "ballast"), "w");
  for (let block = Buffer.alloc(1 << 20, 1); ;) {
    try {
      await ballast.write(block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      if (block.length < 512) return;
      block = block.subarray(0, block.length / 2);
    }
  }
}

/** PostgreSQL panics when it has to commit and cannot begin the next file of its write-ahead log. */
async function untilPanic(admin: Database): Promise<void> {
  for (let files = 0; files < 100; files++) {
    const gone = await admin.query("SELECT pg_current_xact_id(), pg_switch_wal()").then(
      () => false,
      () => true,
    );
    if (gone) return;
  }
  throw new Error("PostgreSQL did not panic");
}

/** What an administrator would connect with. */
async function administrator(): Promise<Database> {
  const password = (await readFile(join(disk, "password"), "utf8")).trim();
  const sockets = await readFile(join(disk, "socket-directory"), "utf8");
  return await Database.open(`postgres://chancery:${password}@/chancery?host=${encodeURIComponent(sockets)}`, {
    max: 1,
  });
}

describe.skipIf(refusal !== undefined)(`a full disk${refusal ?? ""}`, () => {
  const journal = new Journal();
  let stack: ChanceryProcess;
  let client: RekorClient;

  beforeAll(async () => {
    await run("cp", ["-a", `${disk}.first/.`, disk]);
    stack = await startChancery({ data });
    client = new RekorClient(stack.url, journal);
    expect((await client.log(newHashedRekord())).status).toBe(201);
  });

  afterAll(async () => {
    await stack?.stop();
  });

  /** Logs until there is no more room; an answer that is neither 201 nor 503 is a failure. */
  async function untilPutOff(): Promise<RekorAnswer> {
    for (;;) {
      const answer = await client.log(newHashedRekord());
      if (answer.status === 503) return answer;
      expect(answer, answer.text).toMatchObject({ status: 201 });
    }
  }

  async function expectGoesOn(since: number): Promise<number> {
    await askAgain(stack, journal);
    expect((await client.log(newHashedRekord())).status).toBe(201);
    expect(performance.now() - since).toBeLessThan(RESUMES_MS);
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
    return performance.now() - since;
  }

  test(
    `puts writers off, ${ROUNDS} times, stops no reader, and needs only space to end`,
    async () => {
      const waits: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await fill();
        const answer = await untilPutOff();
        expect(Number(answer.retryAfter)).toBeGreaterThan(0);
        for (let reads = 0; reads < 20; reads++) {
          expect((await fetch(`${stack.url}/api/v1/log`)).status).toBe(200);
          expect((await fetch(`${stack.url}/api/v1/log/entries?logIndex=${round}`)).status).toBe(200);
          // A small one may find room in a page that was half empty; the next one does not.
          await untilPutOff();
        }
        await rm(join(disk, "ballast"));
        waits.push(await expectGoesOn(performance.now()));
      }
      report("disk full", { rounds: ROUNDS, "space to all answered": spread(waits) });
    },
    minutes(2),
  );

  test(
    "that stops PostgreSQL itself, which cannot write its log, is got over in the same way",
    async () => {
      const waits: number[] = [];
      for (let round = 0; round < times(2); round++) {
        await using admin = await administrator();
        await admin.query("CHECKPOINT");
        await fill();
        await untilPanic(admin);
        await untilPutOff();
        expect((await fetch(`${stack.url}/api/v1/log`)).status).toBe(200);
        expect((await fetch(`${stack.url}/livez`)).status).toBe(200);
        await rm(join(disk, "ballast"));
        waits.push(await expectGoesOn(performance.now()));
      }
      await stack.stop();
      const verdict = await judgeStack(data, journal);
      report("disk of the write-ahead log full", { rounds: times(2), "space to all answered": spread(waits) }, verdict);
    },
    minutes(2),
  );
});
