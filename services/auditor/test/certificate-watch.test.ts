import { der, DerReader, TlsWriter } from "@chancery/encoding";
import { expect, test } from "vitest";
import { authority, leafRequest } from "../../../libs/x509/test/world.ts";
import { readCertificate } from "../src/domain/certificate/certificate.ts";
import { auditing, installation, ISSUED, now, serial, watching } from "./certificate-world.ts";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same precertificate under the other of its two signatures. */
function twinOf(precertificate: Uint8Array): Uint8Array {
  const { tbs, algorithm, signature } = readCertificate(precertificate);
  const pair = new DerReader(signature, "signature").sequence();
  const [r, s] = [pair.integer(), pair.integer()];
  return der.sequence(tbs, algorithm, der.bitString(der.sequence(der.integer(r), der.integer(P256_ORDER - s))));
}

test("a precertificate's signature twin that a stranger submits an hour later is no alarm", async () => {
  const world = await installation();
  const { pass, checkAll, alarms } = await watching(world);
  const { precertificate, tbs } = await world.issue();
  expect(await pass()).toEqual([]);
  world.submit(twinOf(precertificate), tbs, ISSUED + 3_600_000);
  expect(await pass()).toEqual([]);
  await checkAll();
  expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
});

test("a chain beside a precertificate, which no hash covers, that is another than the CA's is an alarm until it is mended", async () => {
  const world = await installation();
  const { pass, checkAll, alarms } = await watching(world);
  const { precertificate } = await world.issue();
  expect(await pass()).toEqual([]);
  const [honest] = world.extras;
  const other = (await authority()).intermediate.der;
  for (const chain of [[], [other], world.chain.map(({ der: one }) => one).toReversed()]) {
    const written = chain.reduce((list, one) => list.opaque24(one), new TlsWriter()).finish();
    world.extras[0] = new TlsWriter().opaque24(precertificate).opaque24(written).finish();
    await checkAll();
    expect(alarms.open.map(({ what }) => what)).toContain("beside CT leaf 0 stands another chain than the CA's");
    world.extras[0] = honest!;
    await checkAll();
    expect(await pass()).toEqual([]);
  }
});

test("a certificate that is in the log since the last look, minutes ago on a busy machine, is no alarm", async () => {
  const world = await installation();
  const { pass, checkNew, alarms } = await watching(world);
  await world.issue();
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(2) }));
  await world.log.publish();
  await checkNew();
  expect(alarms.open).toEqual([]);
  expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
});

test("a CT log that answers with fewer entries than it was asked for is asked for the others", async () => {
  const world = await installation();
  const fetch = (url: string) => world.fetch(url.replace(/start=(\d+)&end=.*/, "start=$1&end=$1"));
  const { pass, checkAll, alarms } = await watching({ ...world, fetch });
  for (const last of [1, 2, 3]) await world.issue(leafRequest({ serial: serial(last) }));
  expect(await pass()).toEqual([]);
  await checkAll();
  expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
  expect(world.asked.filter((url) => url.includes("start=2&end=2"))).not.toEqual([]);
});

test("a certificate that has an SCT and is not in the log a minute later is an alarm until it is", async () => {
  const world = await installation();
  const { pass, promised, alarms } = await watching(world);
  const { certificate } = await world.issue();
  const [leaf, extra, row] = [world.log.leaves.pop(), world.extras.pop(), world.ledger.pop()];
  await promised.promise(readCertificate(certificate), now() - 50_000);
  expect(await pass()).toEqual([]);
  auditing.elapsed += 11_000;
  expect(await pass()).toEqual([
    expect.stringMatching(/^unlogged-certificate: .* carries an SCT of the CT log, which/),
  ]);
  world.log.leaves.push(leaf!);
  world.extras.push(extra!);
  world.ledger.push(row!);
  expect(await pass()).toEqual([]);
  expect(alarms.checks.filter(({ state }) => state !== "passed")).toEqual([]);
});

test("a certificate whose entry was read before its promise was heard is no alarm", async () => {
  const world = await installation();
  const { pass, promised } = await watching(world);
  const { certificate } = await world.issue();
  expect(await pass()).toEqual([]);
  await promised.promise(readCertificate(certificate), now() - 61_000);
  expect(await pass()).toEqual([]);
});

test("a certificate that no look shows in the log is one, also one of tomorrow", async () => {
  const world = await installation();
  const { pass, checkNew, alarms } = await watching(world);
  await world.issue();
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(2) }));
  world.log.leaves.pop();
  world.ledger[1]!["time"] = BigInt(now()) + 86_400_000n;
  await checkNew();
  expect(alarms.open.map(({ trouble }) => trouble)).toEqual(["unlogged-certificate"]);
});

test("a certificate that begins long before the entry that its ledger row names is one", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  await world.issue(leafRequest(), 60_000);
  expect(await pass()).toEqual([expect.stringContaining("before the time of its CT entry")]);
});

test("a bad certificate hides none of those behind it, and stays an alarm over a restart", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  const notAfter = new Date(ISSUED + 20 * 60_000);
  await world.issue(leafRequest({ serial: serial(1), notAfter }));
  await world.issue(leafRequest({ serial: serial(2) }));
  await world.issue(leafRequest({ serial: serial(3), notAfter }));
  const told = [
    expect.stringContaining("010101 of the ledger lives for"),
    expect.stringContaining("010103 of the ledger lives for"),
    expect.stringContaining("precertificate at 0 of the CT log lives for"),
    expect.stringContaining("precertificate at 2 of the CT log lives for"),
  ];
  expect(await pass()).toEqual(told);
  expect(await pass()).toEqual(told);
  expect(await (await watching(world)).pass()).toEqual(told);
});

test("a changed leaf of the CT log hides none of those behind it, and is not forgotten by whoever has passed it", async () => {
  const world = await installation();
  let changed = [1];
  const fetch = async (url: string) => {
    const first = Number(new URL(url).searchParams.get("start"));
    const { entries } = (await (await world.fetch(url)).json()) as { entries: { leaf_input: string }[] };
    for (const [at, entry] of entries.entries()) {
      if (changed.includes(first + at)) entry.leaf_input = Buffer.from("another").toString("base64");
    }
    return Response.json({ entries });
  };
  const { pass, checkAll, alarms } = await watching({ ...world, fetch });
  for (const last of [1, 2, 3, 4]) await world.issue(leafRequest({ serial: serial(last) }));
  const [honest] = world.extras.slice(2);
  world.extras[2] = Buffer.concat([honest!.subarray(0, -1), Buffer.of(7)]);
  const told = [
    expect.stringContaining("certificate-mismatch: beside CT leaf 2 stands another chain than the CA's"),
    expect.stringContaining("changed-entry: rekor, entry 1, leaf: expected"),
  ];
  expect(await pass()).toEqual(told);
  await checkAll();
  expect(await pass()).toEqual(told);
  const again = await watching({ ...world, fetch });
  expect(await again.pass()).toEqual(told);
  changed = [1, 3];
  expect(await again.pass()).toEqual(told);
  await again.checkAll();
  expect(again.alarms.open.map(({ what }) => what)).toContainEqual(expect.stringContaining("entry 3, leaf"));
  [changed, world.extras[2]] = [[], honest!];
  await again.checkAll();
  expect(await again.pass()).toEqual([]);
  expect(alarms.open).not.toEqual([]);
}, 60_000);

test("a row of a small ledger that is edited is seen by the next look, which reads no certificate again that did not change", async () => {
  const world = await installation();
  const { pass, alarms, checkAllLedgered } = await watching(world);
  for (const last of [1, 2, 3]) await world.issue(leafRequest({ serial: serial(last) }));
  expect(await pass()).toEqual([]);
  world.asked.splice(0);
  await checkAllLedgered();
  expect(alarms.checks.find(({ name }) => name === "certificates in the ledger and rekor")).toMatchObject({
    state: "passed",
  });
  expect(world.asked).toEqual([]);
  world.ledger[1]!["san"] = "someone@else.example";
  await checkAllLedgered();
  expect(alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`)).toEqual([
    expect.stringMatching(/^changed-ledger: the certificate 0*(01){19}02 of the ledger: its row has the name someone@/),
  ]);
  world.ledger[1]!["san"] = "dev@example.com";
  await checkAllLedgered();
  expect(alarms.open).toEqual([]);
});

test("certificates behind what was proven of the CT log are unknown, and no alarm each", async () => {
  const world = await installation();
  const { pass, alarms } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await pass()).toEqual([]);
  world.log.lie = (_level, _index, truth) => truth?.map((octet, at) => (at === 3 ? octet ^ 1 : octet));
  for (const last of [2, 3, 4]) {
    await world.issue(leafRequest({ serial: serial(last) }));
    expect(await pass()).toEqual([expect.stringMatching(/^changed-tile: rekor, tile 0\/0, hash 0/)]);
  }
  expect(alarms.checks.find(({ name }) => name === "new certificates in the ledger and rekor")).toMatchObject({
    state: "unknown",
    what: expect.stringContaining("is proven up to 1 entry, and no further by now"),
  });
});

test("a certificate that an SCT promised is not forgotten by a restart", async () => {
  const world = await installation();
  const { pass, promised } = await watching(world);
  const { certificate } = await world.issue();
  for (const list of [world.log.leaves, world.extras, world.ledger]) list.pop();
  await promised.promise(readCertificate(certificate), now() - 50_000);
  expect(await pass()).toEqual([]);
  auditing.elapsed += 11_000;
  expect(await (await watching(world)).pass()).toEqual([
    expect.stringMatching(/^unlogged-certificate: .* carries an SCT of the CT log, which/),
  ]);
});

test("a CT log in which all is well does not end the alarms of another", async () => {
  const world = await installation();
  const { pass, alarms } = await watching(world, { name: "ctlog/2026" });
  await world.issue(leafRequest({ notAfter: new Date(ISSUED + 20 * 60_000) }));
  const told = [
    expect.stringMatching(/^certificate-profile: .* of the ledger lives for/),
    expect.stringMatching(/^certificate-profile: the precertificate at 0 of the CT log lives for/),
  ];
  expect(await pass()).toEqual(told);
  const other = await installation();
  await other.issue();
  const second = await watching(other, { name: "ctlog/2027", book: alarms });
  expect(await second.pass()).toEqual(told);
  await second.checkAll();
  expect(await pass()).toEqual(told);
  const states = new Map(alarms.checks.map(({ name, state }) => [name, state]));
  expect(states.get("new certificates in ctlog/2026")).toBe("failing");
  expect(states.get("new certificates in ctlog/2027")).toBe("passed");
});

test("eleven pages of old certificates that are refused keep no new one from being judged, and are asked for after it", async () => {
  const world = await installation();
  const { precertificate, tbs } = await world.issue();
  // Twins of the same one, as anyone may submit them.
  for (let count = 1; count < 11 * 256; count++) world.submit(precertificate, tbs, ISSUED + 500);
  let isRefusing = true;
  const pages: number[] = [];
  const fetch = async (url: string) => {
    const page = Number(new URL(url).searchParams.get("start")) >> 8;
    pages.push(page);
    return isRefusing && page < 11 ? new Response("damaged", { status: 503 }) : world.fetch(url);
  };
  const { pass } = await watching({ ...world, fetch });
  await pass();
  await pass();
  const notAfter = new Date(ISSUED + 20 * 60_000);
  await world.issue(leafRequest({ serial: serial(2), notAfter }));
  pages.length = 0;
  expect(await pass()).toContainEqual(expect.stringContaining(`precertificate at ${11 * 256} of the CT log lives for`));
  expect(pages[0]).toBe(11);
  expect(new Set(pages.slice(1)).size).toBeLessThanOrEqual(9);
  isRefusing = false;
  await pass();
  expect(await pass()).toEqual([
    expect.stringContaining("ledger lives for"),
    expect.stringContaining(`precertificate at ${11 * 256} of the CT log lives for`),
  ]);
});

test("the first round since the start rests less than those after it, says how far it is, and has passed before it rests at its end", async () => {
  const world = await installation();
  const { precertificate, tbs } = await world.issue();
  for (let count = 1; count < 600; count++) world.submit(precertificate, tbs, ISSUED + 500);
  const rests: string[] = [];
  const check = "certificates in ctlog/2026";
  const { pass, checkAll, alarms } = await watching(world, {
    name: "ctlog/2026",
    pause: async (_, isFirst) => {
      const { state, what } = alarms.checks.find(({ name }) => name === check)!;
      rests.push(`${isFirst ? "first" : "later"}: ${state} ${what.replace(/ so far.*| correspond.*/, "")}`);
    },
  });
  expect(await pass()).toEqual([]);
  await checkAll();
  expect(rests).toEqual([
    "first: unknown 256 of 600 precertificates were checked",
    "first: unknown 512 of 600 precertificates were checked",
    "later: passed every one of 600 precertificates",
  ]);
  rests.length = 0;
  await checkAll();
  expect(rests).toEqual(Array.from({ length: 3 }, () => "later: passed every one of 600 precertificates"));
});

test("a first round in which the log could not be proven, and so told nothing, keeps the next from no haste", async () => {
  const world = await installation();
  const { precertificate, tbs } = await world.issue();
  for (let count = 1; count < 300; count++) world.submit(precertificate, tbs, ISSUED + 500);
  const rests: boolean[] = [];
  const { pass, look, checkAll } = await watching(world, { pause: async (_, isFirst) => void rests.push(isFirst) });
  await pass();
  world.log.note = Buffer.from("no checkpoint");
  await look();
  await checkAll();
  await pass();
  await checkAll();
  await checkAll();
  expect(rests).toEqual([true, false, true, false, false, false]);
});

/** A CT log of so many pages, of which tests may have some refused, and what the round through all of it says at each rest. */
async function refusingRounds(pages: number) {
  const world = await installation();
  const { precertificate, tbs } = await world.issue();
  for (let count = 1; count < pages * 256; count++) world.submit(precertificate, tbs, ISSUED + 500);
  const refused = new Set<number>();
  const fetch = async (url: string) => {
    const page = Number(new URL(url).searchParams.get("start")) >> 8;
    return refused.has(page) ? new Response("not you", { status: 403 }) : world.fetch(url);
  };
  const rests: string[] = [];
  const watched = await watching(
    { ...world, fetch },
    {
      pause: async () => {
        auditing.elapsed += 30_000;
        const { state } = alarms.checks.find(({ name }) => name === "certificates in rekor") ?? {};
        rests.push(`${state} ${alarms.open.length}`);
      },
    },
  );
  const { alarms, checkAllLogged, pass } = watched;
  await pass();
  await checkAllLogged();
  const round = async () => {
    rests.length = 0;
    await checkAllLogged();
    return [...rests];
  };
  return { alarms, refused, round, world };
}

const times = (count: number, what: string) => Array.from({ length: count }, () => what);

test("a server that refuses every old certificate stayed passed until the end of the round, which takes hours", async () => {
  const { alarms, refused, round } = await refusingRounds(13);
  for (let page = 0; page < 13; page++) refused.add(page);
  // What does not answer is an alarm half a minute after the eleventh refusal: one for all rests and rounds.
  expect(await round()).toEqual([...times(11, "unknown 0"), ...times(2, "failing 1")]);
  expect(alarms.open[0]?.what).toMatch(/could not be checked, 12 parts of it: \S+ answers 403: not you$/);
  const told = alarms.checks.find(({ name }) => name === "certificates in rekor");
  expect(told?.what).toContain("could not be checked, 13 parts of it");
  expect(await round()).toEqual(times(13, "failing 1"));
  refused.clear();
  expect((await round()).at(-1)).toBe("passed 0");
  expect(alarms.alarms).toHaveLength(1);
  expect(alarms.alarms[0]?.times).toBeUndefined();
});

test("a few old certificates that are refused are unknown while the round goes on, and told at its end", async () => {
  const { alarms, refused, round } = await refusingRounds(4);
  refused.add(1);
  expect(await round()).toEqual(["passed 0", "unknown 0", "unknown 0", "unknown 0"]);
  // The next does not take back what this one told.
  expect(await round()).toEqual(["unknown 0", "failing 1", "failing 1", "failing 1"]);
  expect((await round())[0]).toBe("failing 1");
  expect(alarms.alarms.map(({ trouble, times: often }) => [trouble, often])).toEqual([["unreachable", undefined]]);
  refused.clear();
  expect((await round()).at(-1)).toBe("passed 0");
});

test("a bad certificate that a round finds is told when it rests, and not hours later", async () => {
  const { alarms, round, world } = await refusingRounds(4);
  world.extras[300] = world.extras[300]!.slice(0, -1);
  expect(await round()).toEqual(["passed 0", "failing 1", "failing 1", "failing 1"]);
  expect(alarms.open[0]?.what).toContain("300");
});

test("the round through all ended at the eleventh page that was refused, and never saw what lies behind it", async () => {
  const world = await installation();
  const { precertificate, tbs } = await world.issue();
  for (let count = 1; count < 13 * 256; count++) world.submit(precertificate, tbs, ISSUED + 500);
  let refused = 0;
  const pages: number[] = [];
  const fetch = async (url: string) => {
    const page = Number(new URL(url).searchParams.get("start")) >> 8;
    pages.push(page);
    return page < refused ? new Response("damaged", { status: 503 }) : world.fetch(url);
  };
  const { pass, alarms, checkAllLogged } = await watching({ ...world, fetch });
  await pass();
  [refused, pages.length] = [12, 0];
  await checkAllLogged();
  expect(new Set(pages)).toEqual(new Set(Array.from({ length: 13 }, (_, page) => page)));
  const round = alarms.checks.find(({ name }) => name === "certificates in rekor");
  expect(round?.what).toContain("could not be checked, 12 parts of it");
});
