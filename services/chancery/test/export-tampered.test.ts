import { createHash, createPublicKey } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chancery } from "./export-world.ts";
import { beginLedger, openLedger } from "../src/export/ledger-export.ts";
import type { ExportedLog } from "../src/export/manifest.ts";
import { openSite } from "../src/export/site.ts";
import type { Position } from "../src/export/source.ts";
import { deleted, type Statement, TamperedStack } from "./tampered-stack.ts";
import { authority, leafRequest, sct } from "../../../libs/x509/test/world.ts";

const CERTIFICATES = 3;
const ENTRIES = 23;

let folder: string;
let world: TamperedStack;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-certificates-"));
  world = await TamperedStack.start({ data: join(folder, "data") });
  for (let at = 0; at < CERTIFICATES; at++) await world.issue(1);
  await world.logV1(ENTRIES);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

async function exported(what: "certificates" | "entries", ...flags: string[]) {
  const name = `${what}-${++made}`;
  const file = join(folder, name);
  const { code, out, err } = await chancery("export", what, "--out", file, "--data", world.stack.data, ...flags);
  const left = (await readdir(folder)).filter((one) => one.startsWith(name));
  return { file, code, out, err, left: left.map((one) => one.slice(name.length)).toSorted() };
}

test.for([
  ["san", "san", "'evil@example.com'"],
  ["san_type", "san", "'uri'"],
  ["time", "time", "time - 60000"],
  ["issuer", "issuer", "'https://other.example.com'"],
  ["subject", "subject", "'somebody else'"],
] as const)(
  "a row with a %s that its certificate denies is told, and not signed for",
  async ([column, member, value]) => {
    const [row] = await world.owner.query<{ honest: string }>(
      `SELECT ${column}::text AS honest FROM fulcio.certificate WHERE ct_index = 1`,
    );
    await world.run([[`UPDATE fulcio.certificate SET ${column} = ${value} WHERE ct_index = 1`]]);
    const { code, err, left } = await exported("certificates");
    const told = await fetch(`${world.stack.url}/api/chancery/v1/certificates`);
    const back = column === "time" ? "$1::text::bigint" : "$1";
    await world.run([[`UPDATE fulcio.certificate SET ${column} = ${back} WHERE ct_index = 1`, row?.honest]]);
    expect([code, err]).toEqual([1, expect.stringContaining(`has another ${member} than the certificate`)]);
    expect(left).toEqual([".part", ".state"]);
    const { results } = (await told.json()) as { results: { contradicts?: string }[] };
    expect(results.flatMap(({ contradicts = [] }) => contradicts)).toEqual([member]);
  },
);

test("entries of a time tell which indexes it came to, and are refused where a moved time would leave some out", async () => {
  const rekor = await world.logId("rekor");
  const rows = "SELECT index, time FROM log.entry WHERE log = $1 ORDER BY index";
  const honest = await world.owner.query<{ index: bigint; time: bigint }>(rows, [rekor]);
  const first = honest[0]!.time;
  const set = (index: bigint, time: bigint) =>
    ["UPDATE log.entry SET time = $3 WHERE log = $1 AND index = $2", rekor, index, time] as const;
  // A second apart, as in a log that is not hurried.
  await world.run(honest.map(({ index }) => set(index, first + 1_000n * index)));
  const at = (seconds: number) => new Date(Number(first) + 1_000 * seconds).toISOString();
  const range = ["--log", "rekor", "--from", at(4), "--to", at(20)];
  const whole = await exported("entries", ...range);
  expect(whole.code, whole.err).toBe(0);
  const lines = (await readFile(whole.file, "utf8")).trimEnd().split("\n");
  const indexes = lines.map((line) => Number((JSON.parse(line) as { logIndex: string }).logIndex));
  expect(indexes).toEqual(Array.from({ length: 16 }, (_, index) => index + 4));
  const verified = await chancery("export", "verify", whole.file, `${whole.file}.manifest`, "--data", world.stack.data);
  expect([verified.code, verified.out]).toEqual([0, expect.stringContaining(", of them those from index 4 to 19")]);
  // Where a bisection looks first: by it nothing up to there would be of that time.
  const middle = BigInt(Math.floor(ENTRIES / 2));
  await world.run([set(middle, first)]);
  const { code, err, left } = await exported("entries", ...range);
  const all = await exported("entries", "--log", "rekor");
  await world.run(honest.map(({ index, time }) => set(index, time)));
  expect([code, err, left]).toEqual([1, expect.stringContaining(`entry ${middle} has an earlier one than`), []]);
  expect(all.code, all.err).toBe(0);
});

/** As of a while later: a row that is on its way by then has come. Resumed after each page and at the end. */
async function heldAgainstTheCtLog(): Promise<ExportedLog[]> {
  await using opened = new AsyncDisposableStack();
  const site = await openSite({ data: world.stack.data }, {}, opened, () => {});
  const later = Date.now() + 120_000;
  const filters = { all: {}, range: { from: undefined, to: undefined } };
  const held = await beginLedger(site, "certificates", filters, () => later);
  const begun = {
    kind: "certificates",
    format: "jsonl",
    created: "2026-11-22T00:00:00Z",
    filters: {},
    ...held,
  } as const;
  let position: Position | undefined;
  const logs: ExportedLog[] = [];
  for (const _ of ["begun", "resumed"]) {
    const source = openLedger(site, begun, []);
    for await (const lines of source.lines(position)) position = lines.position;
    logs.push(...source.logs);
  }
  return logs;
}

test("an export of certificates tells that each entry of the CT log has its line", async () => {
  const whole = { from: "0", to: String(CERTIFICATES), size: String(CERTIFICATES) };
  const logs = await heldAgainstTheCtLog();
  expect(logs).toEqual([expect.objectContaining(whole), expect.objectContaining(whole)]);
  expect(logs.map(({ missing }) => missing)).toEqual([undefined, undefined]);
  const { file } = await exported("certificates");
  const { out } = await chancery("export", "verify", file, `${file}.manifest`, "--data", world.stack.data);
  expect(out).toContain("complete  each entry of the CT log has its line\n");
  const chosen = await exported("certificates", "--san", "dev@example.com");
  const told = await chancery("export", "verify", chosen.file, `${chosen.file}.manifest`, "--data", world.stack.data);
  expect([told.code, told.out]).toEqual([0, expect.stringContaining("complete  not said: filters chose")]);
});

test("a deleted row is told by an export of certificates, one of the last minute by where it ends", async () => {
  const { change, back } = await deleted(world.owner, "fulcio.certificate", "ct_index = $1", [1]);
  await world.run(change);
  const logs = await heldAgainstTheCtLog();
  const { file, code, err } = await exported("certificates");
  await world.run(back);
  const missing = { count: "1", first: ["1"] };
  const all = { from: "0", to: String(CERTIFICATES), missing };
  expect(logs).toEqual([expect.objectContaining(all), expect.objectContaining(all)]);
  expect(code, err).toBe(0);
  const { out } = await chancery("export", "verify", file, `${file}.manifest`, "--data", world.stack.data);
  expect(out).toMatch(
    /complete {2}each entry (?:from index 0 to before 1 of the CT log has its line\n|of .* but for 1 \(1\): the CA)/,
  );
});

/** The row of a CT entry names another. */
const claim = (from: number, to: number) =>
  ["UPDATE fulcio.certificate SET ct_index = $2 WHERE ct_index = $1", from, to] as const;

test("a deleted row is not hidden by another that names its CT entry, nor by two of one", async () => {
  const { change, back } = await deleted(world.owner, "fulcio.certificate", "ct_index = $1", [1]);
  await world.run([...change, claim(2, 1)]);
  const other = await exported("certificates");
  await world.run([claim(1, 2), ...back, claim(2, 1)]);
  const twice = await exported("certificates");
  const last = await world.owner.query<{ serial: Uint8Array }>(
    "SELECT serial FROM fulcio.certificate ORDER BY time DESC LIMIT 1",
  );
  await world.run([["UPDATE fulcio.certificate SET ct_index = 2 WHERE serial = $1", last[0]?.serial]]);
  expect([other.code, other.err]).toEqual([
    1,
    expect.stringContaining("names the CT entry 1 is not the one that stands"),
  ]);
  expect([twice.code, twice.err]).toEqual([1, expect.stringMatching(/the CT entry 1/)]);
  expect((await heldAgainstTheCtLog())[0]?.to).toBe(String(CERTIFICATES));
});

/** Within the minute that a row may take, no entry has to have its row. */
async function fromTheFirst(): Promise<string[]> {
  const [row] = await world.owner.query<{ first: bigint }>("SELECT min(time) AS first FROM fulcio.certificate");
  return ["--from", new Date(Number(row?.first ?? 0n) - 1_000).toISOString()];
}

const verified = (file: string) =>
  chancery("export", "verify", file, `${file}.manifest`, "--data", world.stack.data).then(({ out }) => out);

test.for([
  ["that --from leaves little time for", fromTheFirst],
  ["that a filter chose", async () => ["--san", "dev@example.com"]],
] as const)(
  "a row %s is held against the CT entry it names, and not signed for if it is another's",
  async ([, flags]) => {
    const honest = await exported("certificates", ...(await flags()));
    expect([honest.code, await verified(honest.file)]).toEqual([
      0,
      expect.stringContaining(`held      the certificate of each line is in the CT log of ${CERTIFICATES} entries\n`),
    ]);
    await world.run([claim(2, 9), claim(1, 2), claim(9, 1)]);
    const swapped = await exported("certificates", ...(await flags()));
    await world.run([claim(2, 9), claim(1, 2), claim(9, 1)]);
    expect([swapped.code, swapped.err]).toEqual([1, expect.stringMatching(/names the CT entry [12] is not the one/)]);
  },
);

test("a row that names no CT entry is found by its certificate's timestamp", async () => {
  await world.run([["UPDATE fulcio.certificate SET ct_index = NULL WHERE ct_index = 1"]]);
  const [whole, chosen] = [await exported("certificates"), await exported("certificates", "--san", "dev@example.com")];
  const logs = await heldAgainstTheCtLog();
  await world.run([["UPDATE fulcio.certificate SET ct_index = 1 WHERE ct_index IS NULL"]]);
  const held = `held      the certificate of each line is in the CT log of ${CERTIFICATES} entries\n`;
  for (const { file } of [whole, chosen]) expect(await verified(file)).toContain(held);
  expect(logs.map(({ missing, to }) => [missing, to])).toEqual([
    [undefined, String(CERTIFICATES)],
    [undefined, String(CERTIFICATES)],
  ]);
});

/** As whoever has the CA's key and the database could: no CT log holds it. */
async function unlogged(
  last: number,
  scts: Parameters<Awaited<ReturnType<typeof authority>>["issuer"]["certificate"]>[1],
) {
  const ca = await authority();
  const time = Math.floor(Date.now() / 1000) * 1000;
  const serial = Uint8Array.from({ length: 20 }, (_, at) => (at === 19 ? last : 1));
  const request = leafRequest({ serial, notBefore: new Date(time), notAfter: new Date(time + 600_000) });
  const der = await ca.issuer.certificate(request, scts);
  const [hash, keyHash] = [der, request.spki].map((bytes) => createHash("sha256").update(bytes).digest());
  const columns = [
    request.serial,
    hash,
    keyHash,
    Buffer.alloc(32, 7),
    time,
    "https://issuer.example.com",
    "subject",
    der,
  ];
  const insert: Statement = [
    `INSERT INTO fulcio.certificate (serial, certificate_hash, key_hash, claims_hash, time, issuer, subject, certificate, san_type, san)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'email', 'dev@example.com')`,
    ...columns,
  ];
  const remove: Statement = ["DELETE FROM fulcio.certificate WHERE certificate_hash = $1", hash];
  return { insert, remove, serial: Buffer.from(request.serial).toString("hex") };
}

test("rows that name no CT entry are named, in the manifest and by both commands: of another log's certificate, and of one that says it is in ours", async () => {
  const key = createPublicKey(await readFile(join(world.stack.data, "keys", "ctlog.pem")));
  const logId = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
  const rows = [await unlogged(1, [sct()]), await unlogged(2, [sct({ logId, timestamp: Date.now() })])];
  await world.run(rows.map(({ insert }) => insert));
  const [whole, chosen] = [await exported("certificates"), await exported("certificates", "--san", "dev@example.com")];
  const recent = await exported("certificates", ...(await fromTheFirst()));
  await world.run(rows.map(({ remove }) => remove));
  for (const { code, out, err, file } of [whole, chosen, recent]) {
    expect([code, err]).toEqual([0, `chancery: reads the installation in ${world.stack.data}\n`]);
    const told = /2 of them NOT held against the CT log, which they name no entry of: ([0-9a-f]+), ([0-9a-f]+)\n/v.exec(
      out,
    );
    expect(told?.slice(1).toSorted()).toEqual(rows.map(({ serial }) => serial).toSorted());
    expect(await readFile(`${file}.manifest`, "utf8")).toContain(`"unheld": {\n        "count": "2"`);
    expect(await verified(file)).toMatch(/held .* all lines but 2; those .*: [0-9a-f]+, [0-9a-f]+\n/v);
  }
});
