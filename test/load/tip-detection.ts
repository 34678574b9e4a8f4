import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Lie, LyingProxy } from "./lying-proxy.ts";
import { type TipTampering, tipTamperings } from "./tip-tampering.ts";
import { forge, ROUNDS, startTipWorld, type TipWorld } from "./tip-world.ts";

/** The goal. */
const MOST_SECONDS = 10;
/** What is not found by then is not found. */
const FOUND_WITHIN_MS = 60_000;
const OVER_WITHIN_MS = 200_000;
const LOOK_MS = 100;
/** At no particular time of the auditor's loops. */
const SOME_MS = 5_000;

interface Alarm {
  readonly trouble: string;
  readonly check: string;
  readonly what: string;
  readonly resolved?: string;
}
interface Audit {
  readonly alarms: readonly Alarm[];
  readonly checks: readonly { readonly name: string; readonly state: string; readonly what: string }[];
}

/** By which names a lane's alarms are told apart. */
const LANES: Readonly<Record<TipTampering["lane"], RegExp>> = {
  rekor: /\brekor\b(?!-v2)/,
  "rekor-v2": /\brekor-v2\b/,
  ctlog: /\bctlog\b|certificate|ledger/,
  trust: /^trust/,
  fork: /^checkpoint of rekor at /,
};

/** From a change to what is newest to its alarm. Resolves to whether each was found in time. */
export async function measureDetection(kinds: readonly string[], print: (line: string) => void): Promise<boolean> {
  await using world = await startTipWorld();
  const all = [...(await tipTamperings(world.tip)), trustGoesBack(world), forkedCheckpoint(world)];
  const unknown = kinds.filter((kind) => all.every((one) => one.kind !== kind));
  if (unknown.length > 0)
    throw new Error(`--kinds: ${unknown.join()} is none of ${[...new Set(all.map(({ kind }) => kind))].join()}`);
  const chosen = all.filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
  const audits = { beside: new Audits(world.stack.url), stranger: new Audits(world.stranger) };
  await untilJudged(audits.beside);
  await untilPassed(audits.stranger, "trust root");
  print(`from a change to what is newest to its alarm, ${ROUNDS} times each, on a running installation:`);
  const measure = async (lane: TipTampering["lane"]) => {
    let isInTime = true;
    for (const one of chosen.filter((tampering) => tampering.lane === lane)) {
      const seconds = await timesOf(one, lane === "trust" ? audits.stranger : audits.beside);
      const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
      print(`  ${one.kind.padEnd(12)} ${one.what.padEnd(56)} ${told(least)}–${told(most)}`);
      isInTime &&= most <= MOST_SECONDS;
    }
    return isInTime;
  };
  const inTime = await Promise.all((["rekor", "rekor-v2", "ctlog", "trust"] as const).map(measure));
  // Last: what was forked once is an alarm for ever.
  return [...inTime, await measure("fork")].every(Boolean);
}

function told(seconds: number): string {
  return seconds === Infinity ? `not within ${FOUND_WITHIN_MS / 1000} s` : `${seconds.toFixed(1)} s`;
}

async function timesOf(
  { lane, what, troubles, change, back, says = () => "" }: TipTampering,
  audits: Audits,
): Promise<number[]> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await delay(Math.random() * SOME_MS);
    const isIts = (alarm: Alarm) =>
      LANES[lane].test(alarm.check) && `${alarm.check} ${alarm.what}`.includes(says(round));
    await change(round);
    const changed = performance.now();
    const isFound = await audits.until(changed + FOUND_WITHIN_MS, (open) =>
      open.some((alarm) => isIts(alarm) && troubles.includes(alarm.trouble)),
    );
    seconds.push(isFound ? (performance.now() - changed) / 1000 : Infinity);
    await back(round);
    if (says(round) !== "") continue;
    const over = performance.now() + OVER_WITHIN_MS;
    if (!(await audits.until(over, (open) => !open.some(isIts)))) throw new Error(`${what}: is mended, and goes on`);
  }
  return seconds;
}

/** Who waits for an alarm asks at the same time as the others. */
class Audits {
  readonly #url: string;
  #asked: Promise<Audit> | undefined;

  constructor(server: string) {
    this.#url = `${server}/api/chancery/v1/audit`;
  }

  async until(end: number, is: (open: readonly Alarm[], audit: Audit) => boolean): Promise<boolean> {
    while (performance.now() < end) {
      const audit = await (this.#asked ??= this.#ask());
      if (
        is(
          audit.alarms.filter(({ resolved }) => resolved === undefined),
          audit,
        )
      )
        return true;
    }
    return false;
  }

  async #ask(): Promise<Audit> {
    await delay(LOOK_MS);
    this.#asked = undefined;
    return (await (await fetch(this.#url)).json()) as Audit;
  }
}

/** What is new is at rest once each entry was judged. */
async function untilJudged(audits: Audits): Promise<void> {
  const isIdle = await audits.until(performance.now() + OVER_WITHIN_MS, (open, { checks }) => {
    const states = checks.filter(({ name }) => !/^(clock|disk|canary)/.test(name));
    return open.every(({ check }) => /^(clock|disk)/.test(check)) && states.every(({ state }) => state === "passed");
  });
  if (!isIdle) throw new Error("the auditor does not come to rest");
}

async function untilPassed(audits: Audits, check: string): Promise<void> {
  const is = (_: readonly Alarm[], { checks }: Audit) =>
    checks.some(({ name, state }) => name === check && state === "passed");
  if (!(await audits.until(performance.now() + OVER_WITHIN_MS, is))) throw new Error(`${check} did not pass`);
}

/** Validly signed all of it, each round another way. */
function trustGoesBack({ proxy, releases }: TipWorld): TipTampering {
  const at = (index: number) => {
    const release = releases.at(index);
    if (release === undefined) throw new Error("no older trust root");
    return release;
  };
  const newest = at(-1);
  const name = (role: "root" | "snapshot" | "targets") => `${newest[role].metadata.signed.version}.${role}.json`;
  const ways: readonly (readonly [string, Uint8Array | undefined])[] = [
    ["timestamp.json", at(-2).timestamp.bytes],
    ["timestamp.json", at(0).timestamp.bytes],
    [name("snapshot"), at(-2).snapshot.bytes],
    [name("targets"), at(-2).targets.bytes],
    [name("root"), undefined],
  ];
  const change = async (round: number) => {
    const [file, bytes] = ways[round] ?? ["timestamp.json", at(-2).timestamp.bytes];
    proxy.lies.set(`/tuf/${file}`, () => bytes);
  };
  const what = "TUF metadata of before: timestamp, snapshot, targets, root";
  return { kind: "trust", what, lane: "trust", troubles: ["trust-rollback"], change, back: async () => clear(proxy) };
}

/** Of the size that the log has by then, shown to one of its readers. */
function forkedCheckpoint({ stack, proxy }: TipWorld): TipTampering {
  const change = async (round: number) => {
    const note = await (await fetch(`${stack.url}/api/v1/log/checkpoint`)).text();
    const [origin = "", size = "0"] = note.split("\n");
    const lie: Lie = () => forged;
    const forged = await forge(stack.data, origin, BigInt(size), randomBytes(32));
    // Where the auditor reads a shard of the v1 log.
    proxy.lies.set(`/${round}/api/v1/log/shards/${origin.split(" - ")[1]}/checkpoint`, lie);
  };
  const what = "a forked checkpoint, shown to one vantage point";
  return {
    kind: "fork",
    what,
    lane: "fork",
    troubles: ["fork"],
    change,
    back: async () => clear(proxy),
    says: (round) => `/${round}/`,
  };
}

function clear({ lies }: LyingProxy): void {
  lies.clear();
}
