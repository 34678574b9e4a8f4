import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Auditor, settleable, settleAlarm } from "@chancery/auditor";
import { copyInstallation, freePort } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broughtIn, issueElsewhere } from "./issued-elsewhere.ts";
import { olderTrust, renewTrust } from "./older-trust.ts";
import { startTestStack } from "./start-stack.ts";
import {
  deleted,
  failing,
  openAlarms,
  openTroubles,
  type Statement,
  TamperedStack,
  type Tampering,
  checkpointPaths,
  withCheckpoint,
} from "./tampered-stack.ts";
import { both, flip, LOWEST, otherKey, PAIRS, PLACES, point, tileOf } from "./tamperings.ts";

/*
 * Thirteen kinds of tampering, ten places and more each. After each change every check is made once: that the change is
 * found does not depend on time here. How soon it is found by the auditor's own loops is measured by `npm run bench auditor`.
 */

const V1 = 300;
/** A checkpoint of each is remembered: all but the last are stale. */
const ROUNDS = 12;
const V2 = 20;
const CERTIFICATES = 33;
/** Elsewhere, by the same CA: with an SCT for another log by the same key, and with none. */
const [TWINS, MUTE] = [12, 3];

let folder: string;
let world: TamperedStack;
let auditor: Auditor;
let ids: Record<"rekor" | "rekor-v2" | "ctlog", number>;
let stale: { size: bigint; time: bigint; root: Uint8Array; note: Uint8Array }[] = [];
let unlogged: Tampering[] = [];
let issuedAt: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "auditor-tampering-"));
  // The trusted root names the port: with another it would be published anew.
  const flags = { data: join(folder, "data"), port: String(await freePort()) };
  await (await startTestStack(flags))[Symbol.asyncDispose]();
  await copyInstallation(flags.data, join(folder, "twin"));
  world = await TamperedStack.start(flags);
  const remember = async () => {
    const rows = await world.owner.query<(typeof stale)[number]>(
      "SELECT p.size, p.time, p.root, p.note FROM log.published p JOIN log.log l ON l.id = p.log WHERE l.name = 'rekor'",
    );
    stale.push(...rows);
  };
  for (const _ of Array.from({ length: ROUNDS })) {
    await world.logV1(V1 / ROUNDS);
    await remember();
  }
  stale = stale.slice(0, -1);
  await world.logV2(V2);
  await world.issue(CERTIFICATES);
  issuedAt = Date.now();
  unlogged = (await issueElsewhere(join(folder, "twin"), TWINS, MUTE)).map(broughtIn);
  for (const { where } of unlogged) cannotBeMended.add(where);
  ids = {
    rekor: await world.logId("rekor"),
    "rekor-v2": await world.logId("rekor-v2"),
    ctlog: await world.logId("ctlog"),
  };
  auditor = await world.auditor("audited");
  await auditor.sweep();
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** The row of an entry in log.search. */
const place = (log: "rekor" | "rekor-v2", index: number): bigint => (BigInt(ids[log]) << 40n) | BigInt(index);

const swap = (a: number, b: number) =>
  both(
    `${a} and ${b}`,
    ["UPDATE log.entry SET index = -1 WHERE log = $1 AND index = $2", ids.rekor, a],
    ["UPDATE log.entry SET index = $2 WHERE log = $1 AND index = $3", ids.rekor, a, b],
    ["UPDATE log.entry SET index = $2 WHERE log = $1 AND index = -1", ids.rekor, b],
  );

const KINDS: Record<string, { troubles: string[]; places: () => Promise<Tampering[]> }> = {
  "a bit of an entry": {
    troubles: ["changed-entry", "changed-tile"],
    places: async () =>
      PLACES.map((index) =>
        both(`entry ${index}`, [flip("entry", "leaf", 30, "log = $1 AND index = $2"), ids.rekor, index]),
      ),
  },
  "a bit of a leaf hash": {
    troubles: ["changed-tile", "changed-index"],
    places: async () => [
      ...PLACES.slice(0, 6).map((index) =>
        both(`of entry ${index}`, [flip("tile", "hashes", `($2 % 256 - start) * 32 + 5`, LOWEST), ids.rekor, index]),
      ),
      ...[0, 5, 15, 31, 32].map((index) =>
        both(`row of CT entry ${index}`, [flip("leaf_hash", "hash", 3, "log = $1 AND index = $2"), ids.ctlog, index]),
      ),
    ],
  },
  "a bit of a tile": {
    troubles: ["changed-tile"],
    places: async () =>
      PLACES.toReversed().map((index, at) =>
        both(`hash ${index}, octet ${at}`, [
          flip("tile", "hashes", `($2 % 256 - start) * 32 + ${at}`, LOWEST),
          index < V2 ? ids["rekor-v2"] : ids.rekor,
          index,
        ]),
      ),
  },
  "a bit of a node": {
    troubles: ["changed-tile", "changed-state", "fork", "head-order"],
    places: async () => [
      ...[0, 8, 15, 31].map((octet) =>
        both(`level 1, octet ${octet}`, [flip("tile", "hashes", octet, "log = $1 AND level = 1"), ids.rekor]),
      ),
      ...[0, 31, 32, 63].map((octet) =>
        both(`edge of the tree, octet ${octet}`, [flip("tree", "edge", octet, "log = $1"), ids.rekor]),
      ),
      ...[0, 31].map((octet) => both(`root, octet ${octet}`, [flip("tree", "root", octet, "log = $1"), ids.ctlog])),
    ],
  },
  "a bit of an index row": {
    troubles: ["changed-index"],
    places: async () => [
      ...PLACES.map((index) =>
        both(`identity of entry ${index}`, [flip("identity", "hash", 9, "log = $1 AND index = $2"), ids.rekor, index]),
      ),
      ...[3, 255, 256, 280, 299].map((index) =>
        both(`search keys of entry ${index}`, [otherKey("key1"), place("rekor", index)]),
      ),
    ],
  },
  "a deleted entry": {
    troubles: ["changed-entry", "changed-tile"],
    places: async () =>
      Promise.all(
        PLACES.map((index) => deleted(world.owner, "log.entry", "log = $1 AND index = $2", [ids.rekor, index])),
      ),
  },
  "two entries that changed places": {
    troubles: ["changed-entry", "changed-tile"],
    places: async () => {
      return [...PLACES.slice(1).map((index) => swap(index - 1, index)), swap(0, 299)];
    },
  },
  "a stale checkpoint": {
    troubles: ["rollback", "head-order"],
    places: async () => {
      const [now] = await world.owner.query<(typeof stale)[number]>("SELECT * FROM log.published WHERE log = $1", [
        ids.rekor,
      ]);
      const publish = ({ size, time, root, note }: (typeof stale)[number]): Statement => [
        "UPDATE log.published SET size = $2, time = $3, root = $4, note = $5 WHERE log = $1",
        ids.rekor,
        size,
        time,
        root,
        note,
      ];
      return stale.map((old) => ({ where: `of size ${old.size}`, change: [publish(old)], back: [publish(now!)] }));
    },
  },
  "a missing partial tile": {
    troubles: ["changed-tile"],
    places: async () => {
      const rows = await world.owner.query<{ log: number; level: number; index: bigint; start: number }>(
        `SELECT t.log, t.level, t.index, t.start FROM log.tile t JOIN log.tree r ON r.log = t.log
         WHERE t.index = r.size >> (8 * (t.level + 1)) ORDER BY t.log, t.level, t.start DESC`,
      );
      const chosen = rows.filter((_, at) => at % Math.max(1, Math.floor(rows.length / 11)) === 0).slice(0, 12);
      return Promise.all(
        chosen.map(({ log, level, index, start }) =>
          deleted(world.owner, "log.tile", "log = $1 AND level = $2 AND index = $3 AND start = $4", [
            log,
            level,
            index,
            start,
          ]),
        ),
      );
    },
  },
  "a certificate that is not in the CT log": {
    troubles: ["unlogged-certificate"],
    places: async () => {
      const rows = await world.owner.query<{ serial: Uint8Array; ct_index: bigint }>(
        "SELECT serial, ct_index FROM fulcio.certificate ORDER BY ct_index",
      );
      // What was issued a moment ago may be ahead of the tree that was proven.
      await delay(Math.max(0, issuedAt + 6_100 - Date.now()));
      const moved = [0, 1, 2, 16, 31, 32].map((at) => {
        const { serial, ct_index: own } = rows[at]!;
        // Beyond the log, at another's entry, nowhere.
        const to = [own + 1_000_000n, (own + 7n) % BigInt(CERTIFICATES), null][at % 3]!;
        return { where: `serial ${serial.toHex()} at ${to}`, change: [point(serial, to)], back: [point(serial, own)] };
      });
      return [...unlogged, ...moved];
    },
  },
  "a column of the ledger": {
    troubles: ["changed-ledger"],
    places: async () => {
      const columns = [
        ["time", "time + 2000"],
        ["time", "time - 60000"],
        ["subject", "'somebody else'"],
        ["issuer", "'https://other.example.com'"],
        ["san_type", "'uri'"],
        ["claims_hash", "set_byte(claims_hash, 3, get_byte(claims_hash, 3) # 1)"],
        ["would_refuse", "'only-releases'"],
      ] as const;
      return Promise.all(
        columns.flatMap(([column, value]) => [rewritten(0, column, value), rewritten(32, column, value)]),
      );
    },
  },
  "a deleted row of the ledger": {
    troubles: ["lost-ledger"],
    places: async () =>
      Promise.all(
        [0, 1, 2, 8, 15, 16, 17, 24, 30, 31, 32].map((index) =>
          deleted(world.owner, "fulcio.certificate", "ct_index = $1", [index]),
        ),
      ),
  },
  "an entry that is not indexed": {
    troubles: ["changed-index"],
    places: async () =>
      Promise.all([
        ...PLACES.slice(0, 6).map((index) => deleted(world.owner, "log.search", "place = $1", [place("rekor", index)])),
        ...[0, 10, 19].map((index) => deleted(world.owner, "log.search", "place = $1", [place("rekor-v2", index)])),
        ...[1, 256, 299].map((index) =>
          deleted(world.owner, "log.identity", "log = $1 AND index = $2", [ids.rekor, index]),
        ),
      ]),
  },
};

/** A row of the ledger with another value in a column. */
async function rewritten(index: number, column: string, value: string): Promise<Tampering> {
  const [row] = await world.owner.query<{ serial: Uint8Array; honest: string | null }>(
    `SELECT serial, to_jsonb(c)->>'${column}' AS honest FROM fulcio.certificate c WHERE ct_index = $1`,
    [index],
  );
  const honest = `(jsonb_populate_record(NULL::fulcio.certificate, jsonb_build_object('${column}', $2::text))).${column}`;
  const set = (to: string) => `UPDATE fulcio.certificate SET ${column} = ${to} WHERE`;
  return {
    where: `${column} = ${value} of the certificate at ${index}`,
    change: [[`${set(value)} ct_index = $1`, index]],
    back: [[`${set(honest)} serial = $1`, row?.serial, row?.honest]],
  };
}

/** Certificates that were issued elsewhere stay so when their row is taken away. */
const cannotBeMended = new Set<string>();

/** The operator's word on what is open. */
async function settleAll(): Promise<void> {
  const state = join(world.stack.data, "audited");
  for (const { id } of await settleable(state)) await settleAlarm(state, id, "brought in by a test", Date.now());
  await auditor.sweep();
}

test("what nobody touched raises no alarm", () => {
  expect(failing(auditor.status())).toEqual([]);
  expect(openTroubles(auditor.status()).filter((trouble) => trouble !== "disk" && trouble !== "clock")).toEqual([]);
  expect(auditor.status().logs.map(({ log, verifiedSize }) => [log, verifiedSize])).toEqual([
    ["rekor", String(V1)],
    ["rekor-v2", String(V2)],
    [expect.stringMatching(/^ctlog\//), String(CERTIFICATES)],
  ]);
});

describe.for(Object.keys(KINDS))("%s", (kind) => {
  test("is found in every place, and is over when it is mended", { timeout: 120_000 }, async () => {
    const { troubles, places } = KINDS[kind]!;
    const tamperings = await places();
    expect(new Set(tamperings.map(({ where }) => where)).size).toBe(tamperings.length);
    expect(tamperings.length).toBeGreaterThanOrEqual(10);
    const missed: string[] = [];
    for (const { where, change, back } of tamperings) {
      await world.run(change);
      await auditor.sweep();
      const found = openTroubles(auditor.status());
      await world.run(back);
      await auditor.sweep();
      if (cannotBeMended.has(where)) {
        if (!openTroubles(auditor.status()).includes("unlogged-certificate"))
          missed.push(`${where}: over without its row`);
        await settleAll();
      }
      const left = failing(auditor.status());
      const isFound = found.some((trouble) => troubles.includes(trouble));
      if (!isFound || left.length > 0) missed.push(`${where}: ${found.join()}; after it ${left.join()}`);
    }
    expect(missed).toEqual([]);
  });
});

const named = () => new Set(openAlarms(auditor.status()).map(({ subject, what }) => subject ?? what));

const TWICE = Object.keys(KINDS).filter((kind) => !/checkpoint|ledger|certificate/.test(kind));

describe.for(TWICE)("%s", (kind) => {
  test("two at once are both named, and each is over when it is mended", { timeout: 120_000 }, async () => {
    const tamperings = await KINDS[kind]!.places();
    const missed: string[] = [];
    for (const two of PAIRS.map((pair) => pair.map((at) => tamperings.at(at)!))) {
      if (kind.endsWith("partial tile") && tileOf(two[0]!) === tileOf(two[1]!)) continue;
      const alone: Set<string>[] = [];
      for (const { change, back } of two) {
        await world.run(change);
        await auditor.sweep();
        alone.push(named());
        await world.run(back);
      }
      const [first, second] = [alone[0]!.difference(alone[1]!), alone[1]!.difference(alone[0]!)];
      for (const { change } of two) await world.run(change);
      await auditor.sweep();
      if ([first, second].some((own) => named().isDisjointFrom(own)))
        missed.push(`${two[0]!.where}: ${[...named()].join("; ")}`);
      await world.run(two[0]!.back);
      await auditor.sweep();
      if (named().isDisjointFrom(second)) missed.push(`${two[1]!.where} alone`);
      await world.run(two[1]!.back);
      await auditor.sweep();
      if (named().size > 0) missed.push(`${two[1]!.where}: left ${[...named()].join("; ")}`);
    }
    expect(missed).toEqual([]);
  });
});

describe("what is no row of a table", () => {
  test("a forked checkpoint that one client is shown, at eleven sizes", { timeout: 120_000 }, async () => {
    const liar = await world.liar();
    const forge = await world.forger();
    const missed: number[] = [];
    const paths = await checkpointPaths(world.stack.url);
    for (const [at, size] of [...PLACES, V1].slice(1).entries()) {
      // Each alone: a forged checkpoint is never forgotten.
      const fresh = await world.auditor(`fork-${size}`, { vantagePoints: [liar.url] });
      const root = new Uint8Array(32).fill(size % 256);
      const path = paths[at % paths.length]!;
      liar.lies.set(path, (truth) => withCheckpoint(truth.toString(), (origin) => forge(origin, size, root)));
      await fresh.sweep();
      liar.lies.clear();
      await fresh.sweep();
      if (!openTroubles(fresh.status()).includes("fork")) missed.push(size);
      await fresh[Symbol.asyncDispose]();
    }
    expect(missed).toEqual([]);
  });

  test("TUF metadata that is older than what was seen, in fifteen ways", { timeout: 120_000 }, async () => {
    const liar = await world.liar();
    // A stranger: what it knows of the trust root is what it was served.
    const stranger = () => world.auditor("trust", { url: liar.url, insight: undefined, verifyIndex: undefined });
    const first = await stranger();
    const told: string[] = [];
    const releases = await renewTrust(world, async () => {
      await first.sweep();
      expect(failing(first.status())).toEqual([]);
      told.push(first.status().checks.find(({ name }) => name === "trust root")?.what ?? "");
    });
    expect(new Set(told).size).toBe(10);
    expect(told.at(-1)).toContain("TUF root 3, timestamp 10, snapshot 5, targets 3: signed, not older than any seen");
    await first[Symbol.asyncDispose]();
    const reopened = await stranger();
    await reopened.sweep();
    const cases = await olderTrust(world, releases);
    expect(cases).toHaveLength(15);
    for (const { older, lies } of cases) {
      for (const [path, lie] of lies) liar.lies.set(path, lie);
      await reopened.sweep();
      expect(openTroubles(reopened.status()), older).toEqual(["trust-rollback"]);
      liar.lies.clear();
      await reopened.sweep();
      expect(failing(reopened.status()), older).toEqual([]);
    }
    // Where a client begins, too, and within the minute in which not every file is asked for.
    liar.lies.set("/tuf/root.json", () => undefined);
    await reopened.sweep();
    expect(openTroubles(reopened.status())).toEqual(["trust-invalid"]);
  });
});
