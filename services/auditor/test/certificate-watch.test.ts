import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { der, DerReader, TlsWriter } from "@chancery/encoding";
import type { Queryable } from "@chancery/postgres";
import { afterEach, beforeEach, expect, test } from "vitest";
import { authority, leafRequest, sct } from "../../../libs/x509/test/world.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { readCertificate } from "../src/domain/certificate/certificate.ts";
import { LogFolder } from "../src/state/log-folder.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import { CertificateWatch } from "../src/watch/certificate-watch.ts";
import { LogWatch } from "../src/watch/log-watch.ts";
import { PromisedCertificates } from "../src/watch/promised-certificates.ts";
import { DrawnLog } from "./drawn-log.ts";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ISSUED = leafRequest().notBefore.getTime();

let directory: string;
const opened: LogFolder[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-certificates-"));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder[Symbol.asyncDispose]();
  // That an alarm is over is written without anyone waiting for it.
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** A CA, the log it shows its certificates to, and its ledger. */
async function installation() {
  const ca = await authority();
  const issuer = readCertificate(ca.intermediate.der);
  const root = readCertificate(ca.root.der);
  const log = new DrawnLog([]);
  const [key] = log.log.identity.keys;
  const logId = hashOf(key!.export({ type: "spki", format: "der" }));
  const extras: Uint8Array[] = [];
  const ledger: Record<string, unknown>[] = [];

  const submit = (precertificate: Uint8Array, tbs: Uint8Array, time: number) => {
    const entry = new TlsWriter().uint16(0).uint64(BigInt(time)).uint16(1).bytes(hashOf(issuer.spki)).opaque24(tbs);
    log.leaves.push(entry.opaque16(new Uint8Array()).finish());
    const chain = new TlsWriter().opaque24(issuer.der).opaque24(root.der).finish();
    extras.push(new TlsWriter().opaque24(precertificate).opaque24(chain).finish());
  };
  const issue = async (request = leafRequest(), delay = 500) => {
    const { der: precertificate, tbs } = await ca.issuer.precertificate(request);
    const time = ISSUED + delay;
    const signed = new TlsWriter().uint16(0).uint64(BigInt(time)).uint16(1).bytes(hashOf(issuer.spki)).opaque24(tbs);
    const signature = await log.signer.sign(signed.opaque16(new Uint8Array()).finish());
    const written = new TlsWriter().uint16(0x0403).opaque16(signature).finish();
    const certificate = await ca.issuer.certificate(request, [sct({ logId, timestamp: time, signature: written })]);
    const { serial, spki } = readCertificate(certificate);
    ledger.push({
      time: BigInt(time + ledger.length),
      ct_index: BigInt(log.leaves.length),
      serial: Uint8Array.fromHex(serial.toHex().replace(/^(00)+/, "")),
      certificate_hash: hashOf(certificate),
      key_hash: hashOf(spki),
      claims_hash: hashOf(Buffer.from("claims")),
      issuer: "https://issuer.example.com",
      subject: "subject",
      san_type: "email",
      san: "dev@example.com",
      would_refuse: null,
      certificate,
    });
    submit(precertificate, tbs, time);
    return { precertificate, tbs, certificate };
  };
  const query = async (sql: string, [first]: readonly unknown[] = []) => {
    if (sql.includes("ANY")) return ledger.map(({ serial }) => ({ serial }));
    if (sql.includes("time = $1")) return ledger.filter(({ time }) => time === first);
    return ledger.filter(({ time }) => (time as bigint) > (first as bigint));
  };
  const asked: string[] = [];
  const fetch = async (url: string) => {
    asked.push(url);
    const { searchParams } = new URL(url);
    const [start, end] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
    const entries = log.leaves.slice(start, end + 1).map((leaf, at) => ({
      leaf_input: Buffer.from(leaf).toString("base64"),
      extra_data: Buffer.from(extras[start + at]!).toString("base64"),
    }));
    return Response.json({ entries });
  };
  return { log, chain: [issuer, root], extras, ledger, issue, submit, asked, db: { query } as Queryable, fetch };
}

const now = () => ISSUED + 3_600_000;

async function watching({ log, chain, db, fetch }: Awaited<ReturnType<typeof installation>>) {
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, await state.alarms(), [], now);
  const folder = await LogFolder.open(join(directory, "logs", "drawn"));
  opened.push(folder);
  const watch = new LogWatch(log.log, [log.served()], folder, { report: alarms, now });
  const around = { way: { fetch }, ctLog: "own" as const, report: alarms, now, db, authorities: () => [chain] };
  const promised = new PromisedCertificates();
  const certificates = new CertificateWatch(watch, {
    ...around,
    promised,
    federatedIssuers: ["https://dex.example.com"],
    pause: async () => {},
    pauseInLedger: async () => {},
  });
  const pass = async () => {
    await log.publish();
    await watch.pass();
    await certificates.checkNew();
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`).toSorted();
  };
  return {
    pass,
    alarms,
    promised,
    checkNew: () => certificates.checkNew(),
    checkAllLedgered: () => certificates.checkAllLedgered(),
    checkAll: async () => {
      await certificates.checkAllLogged();
      await certificates.checkAllLedgered();
    },
  };
}

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
  for (let at = 0; at < 3; at++) await world.issue();
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
  promised.promise(readCertificate(certificate), now() - 50_000);
  expect(await pass()).toEqual([]);
  promised.promise(readCertificate(certificate), now() - 61_000);
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
  promised.promise(readCertificate(certificate), now() - 61_000);
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

const serial = (last: number) => Uint8Array.from({ length: 20 }, (_, at) => (at === 19 ? last : 1));

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

test("a certificate that never was in the CT log is told as that, whatever else is wrong with it, until its row is taken away", async () => {
  const world = await installation();
  const { pass } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  expect(await pass()).toEqual([]);
  await world.issue(leafRequest({ serial: serial(2), notAfter: new Date(ISSUED + 20 * 60_000) }));
  world.log.leaves.pop();
  const told = [expect.stringMatching(/^unlogged-certificate: .*02 of the ledger names no entry of the CT log$/)];
  expect(await pass()).toEqual(told);
  expect(await (await watching(world)).pass()).toEqual(told);
  world.ledger.pop();
  expect(await pass()).toEqual([]);
  expect(await (await watching(world)).pass()).toEqual([]);
});

test("a row of a small ledger that is edited is seen by the next look, which reads no certificate again that did not change", async () => {
  const world = await installation();
  const { pass, alarms, checkAllLedgered } = await watching(world);
  for (const last of [1, 2, 3]) await world.issue(leafRequest({ serial: serial(last) }));
  expect(await pass()).toEqual([]);
  world.asked.splice(0);
  await checkAllLedgered();
  expect(alarms.checks.find(({ name }) => name === "certificates in the ledger")).toMatchObject({ state: "passed" });
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

test.for([
  [
    "time",
    (time: unknown) => (time as bigint) + 16_000n,
    /its row has the time 2026-.*, 17\.\d+ s after the certificate/,
  ],
  [
    "time",
    (time: unknown) => (time as bigint) - 3_000n,
    /its row has the time 2026-.*, -1\.\d+ s after the certificate/,
  ],
  ["issuer", () => "https://other.example.com", /has the issuer https:\/\/other\.example\.com, the certificate/],
  ["subject", () => "somebody else", /has the subject somebody else, the certificate in it subject$/],
  ["san_type", () => "uri", /has the kind of name uri, the certificate in it email$/],
] as const)("a row whose %s its certificate denies is an alarm until it is mended", async ([column, change, told]) => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue(leafRequest({ serial: serial(1) }));
  await world.issue();
  expect(await pass()).toEqual([]);
  const row = world.ledger[0]!;
  const honest = row[column];
  row[column] = change(honest);
  await checkAll();
  const [alarm = "", ...others] = await pass();
  expect([alarm, others]).toEqual([expect.stringMatching(told), []]);
  expect(alarm).toMatch(/^changed-ledger: /);
  row[column] = honest;
  await checkAll();
  expect(await pass()).toEqual([]);
});

test("a token's issuer that names another one in its certificates, as it is configured to, is no alarm", async () => {
  const world = await installation();
  const { pass, checkAll } = await watching(world);
  await world.issue();
  world.ledger[0]!["issuer"] = "https://dex.example.com";
  expect(await pass()).toEqual([]);
  await checkAll();
  expect(await pass()).toEqual([]);
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
  expect(alarms.checks.find(({ name }) => name === "new certificates in the ledger")).toMatchObject({
    state: "unknown",
    what: expect.stringContaining("is proven up to 1 entries, and no further by now"),
  });
});
