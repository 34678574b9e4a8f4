import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type ChanceryProcess, cleanEnvironment } from "@chancery/testing";
import { expect } from "vitest";
import { Database, startEmbedded } from "../../../libs/postgres/src/index.ts";
import type { Dice } from "./dice.ts";
import type { Journal } from "./journal.ts";
import { newHashedRekord, RekorClient } from "./rekor-client.ts";
import { FLAWLESS, judge, type Verdict } from "./verdict.ts";

/** Clients that log new entries until they are told to stop, or their connection breaks. */
export function loadStack(stack: ChanceryProcess, journal: Journal, clients: number): { stop(): Promise<void> } {
  const rekor = new RekorClient(stack.url, journal);
  const over = new AbortController();
  const client = async () => {
    while (!over.signal.aborted) {
      const answer = await rekor.log(newHashedRekord()).catch(() => undefined);
      if (answer === undefined) return;
      if (answer.status !== 201 && answer.status !== 503) journal.unexpected.push(`${answer.status} ${answer.text}`);
    }
  };
  const running = Array.from({ length: clients }, client);
  return {
    async stop() {
      over.abort();
      await Promise.all(running);
    },
  };
}

/** Asks again for all that was not answered, until it is. */
export async function askAgain(stack: ChanceryProcess, journal: Journal): Promise<void> {
  const rekor = new RekorClient(stack.url, journal);
  await Promise.all(
    journal.unanswered.map(async (entry) => {
      let last = "";
      for (let tries = 0; tries < 600; tries++) {
        const answer = await rekor.log(entry);
        if (answer.status === 201 || answer.status === 409) return;
        last = answer.text;
        expect(answer, last).toMatchObject({ status: 503 });
        await delay(50);
      }
      throw new Error(`put off 600 times, and at last told: ${last}`);
    }),
  );
}

export async function pauseOf(dice: Dice, low: number, high: number): Promise<void> {
  await delay(dice.between(low, high));
}

/** Holds what a stopped stack has on its disk to what it told. */
export async function judgeStack(data: string, journal: Journal): Promise<Verdict> {
  await using postgres = await startEmbedded({ directory: join(data, "postgres") });
  await using db = await Database.open(postgres.url, { max: 1 });
  const verdict = await judge(db, "rekor", journal);
  expect(journal.unexpected).toEqual([]);
  expect(verdict).toMatchObject(FLAWLESS);
  await fsck(data);
  return verdict;
}

/** All logs of it, with their keys and anchors, by the command that an operator has. */
async function fsck(data: string): Promise<void> {
  const program = join(import.meta.dirname, "..", "..", "..", "services", "chancery", "launch.mjs");
  const args = [program, "fsck", "--data", data, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: cleanEnvironment() });
  const logs = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { log: string; result: string });
  expect(logs.map(({ log }) => log)).toContain("rekor");
  expect(logs.filter(({ result }) => result !== "clean")).toEqual([]);
}
