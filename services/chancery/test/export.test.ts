import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresIssuanceLedger } from "@chancery/fulcio";
import { Database, runningEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chancery, issueCertificate, logV1, logV2 } from "./export-world.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

const ENTRIES = 23;

let folder: string;
let running: TestStack;
let made = 0;

const path = (name: string) => join(folder, name);
const data = () => ["--data", running.data];
const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Exports to a new file, which must go well. */
async function exported(what: string, ...flags: string[]): Promise<{ file: string; text: string; out: string }> {
  const file = path(`${what}-${++made}`);
  const { code, out, err } = await chancery("export", what, "--out", file, ...data(), ...flags);
  expect([code, out], err).toEqual([0, expect.stringContaining("signed by")]);
  return { file, text: await readFile(file, "utf8"), out };
}

const verify = (file: string, ...flags: string[]) => chancery("export", "verify", file, `${file}.manifest`, ...flags);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-export-"));
  running = await startTestStack({ data: path("data") });
  const signer = await issueCertificate(running.url, "dev@example.com");
  await issueCertificate(running.url, "other@example.com");
  for (let at = 0; at < ENTRIES; at++) await logV1(running.url, signer, `artifact ${at}`);
  for (let at = 0; at < 3; at++) await logV2(running.url, signer, `artifact ${at}`);
  const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
  const ledger = await PostgresIssuanceLedger.open(db);
  const hostile = { code: "policy", count: 1, issuer: "https://issuer.example" } as const;
  const texts = [`=cmd|' /C calc'!A0`, `+1\r\n"quoted", comma`, "\u202Egnp.exe", "'apostrophe", "plain"];
  for (const [at, text] of texts.entries()) {
    await ledger.recordRefused({
      ...hostile,
      time: 1_700_000_000_000 + at,
      reason: text,
      subject: text,
      rule: undefined,
    });
  }
  await db.close();
  for (const log of ["rekor", "rekor-v2", "ctlog"]) {
    const key = createPublicKey(await readFile(join(running.data, "keys", `${log}.pem`)));
    await writeFile(path(`${log}.pub`), key.export({ type: "spki", format: "pem" }));
  }
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What is said of each log's entries. */
const rangesIn = (text: string) =>
  [...text.matchAll(/^ {2}(rekor\S*) .*root \w{64}(.*)$/gm)].map(([, log, said]) => `${log}${said}`);

/** How many the export says that it has, how many `verify`, and what that says of each log. */
async function words(...flags: string[]) {
  const { file, out } = await exported("entries", ...flags);
  const verified = (await verify(file, ...data())).out;
  return [/[\d,]+ entr\w+/.exec(out)?.[0], /holds: ([\d,]+ entr\w+)/.exec(verified)?.[1], rangesIn(verified)];
}

describe("an export of entries", () => {
  test("has each entry of both logs once, in order, as it stands in the log, and is signed by both", async () => {
    const { file, text, out } = await exported("entries");
    expect(out).toContain(`${ENTRIES + 3} entries`);
    expect(out).toContain("signed by rekor and rekor-v2");
    const lines = jsonLines(text);
    expect(lines.map(({ log, logIndex }) => `${String(log)} ${String(logIndex)}`)).toEqual([
      ...Array.from({ length: ENTRIES }, (_, at) => `rekor ${at}`),
      ...Array.from({ length: 3 }, (_, at) => `rekor-v2 ${at}`),
    ]);
    for (const { body, leafHash } of lines) {
      const leaf = Buffer.concat([Buffer.of(0), Buffer.from(String(body), "base64")]);
      expect(createHash("sha256").update(leaf).digest("hex")).toBe(leafHash);
    }
    const [first] = lines;
    const answer = await fetch(`${running.url}/api/v1/log/entries/${String(first!["entryId"])}`);
    const [entry] = Object.values((await answer.json()) as Record<string, { body: string; logIndex: number }>);
    expect([entry!.body, entry!.logIndex]).toEqual([first!["body"], 0]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).filter((name) => name.endsWith(".part") || name.endsWith(".state"))).toEqual([]);
  });

  test("holds under the keys of its logs, however they are given", async () => {
    const { file } = await exported("entries");
    const trustedRoot = path("trusted_root.json");
    await writeFile(trustedRoot, await (await fetch(`${running.url}/trust/trusted_root.json`)).text());
    const ways = [
      ["--key", path("rekor.pub"), "--key", path("rekor-v2.pub")],
      ["--trusted-root", trustedRoot],
      ["--data", running.data],
    ];
    for (const way of ways) {
      const { code, out } = await verify(file, ...way);
      expect(code, out).toBe(0);
      expect(out).toContain(`holds: ${ENTRIES + 3} entries`);
      expect(out).toContain("root of rekor from its entries, root of rekor-v2 from its entries");
    }
  });

  test("is the same file when it is made again while nothing was logged", async () => {
    const [one, other] = [await exported("entries", "--log", "rekor"), await exported("entries", "--log", "rekor")];
    expect(one.text).toBe(other.text);
  });

  test("of a time has what was logged in it", async () => {
    const { text } = await exported("entries", "--log", "rekor");
    expect(jsonLines(text)).toHaveLength(ENTRIES);
    expect((await exported("entries", "--to", "2020-01-01")).text).toBe("");
    expect(jsonLines((await exported("entries", "--from", "1h")).text)).toHaveLength(ENTRIES + 3);
    const nothing = await exported("entries", "--from", "2020-01-01", "--to", "2020-01-02", "--format", "csv");
    expect(nothing.text.split("\r\n")).toHaveLength(2);
    expect(await verify(nothing.file, ...data())).toMatchObject({ code: 0 });
  });

  test("is chosen by the search's own filters, with their meaning", async () => {
    const all = jsonLines((await exported("entries")).text);
    const key = (all[0] as { signers: { keyFingerprint: string }[] }).signers[0]!.keyFingerprint;
    const chosen: readonly [string[], string, number][] = [
      [["--san", "DEV@example.com"], "san=dev@example.com", ENTRIES + 3],
      [["--san", "nobody@example.com"], "san=nobody@example.com", 0],
      [["--san-domain", "example.com", "--log", "rekor-v2"], "sanDomain=example.com&log=rekor-v2", 3],
      [["--key", key], `key=${key}`, ENTRIES + 3],
      [
        ["--digest", createHash("sha256").update("artifact 1").digest("hex"), "--digest", "0".repeat(64)],
        `digest=${createHash("sha256").update("artifact 1").digest("hex")}&digest=${"0".repeat(64)}`,
        2,
      ],
    ];
    for (const [flags, query, count] of chosen) {
      const { file, text } = await exported("entries", ...flags);
      const found = text === "" ? [] : jsonLines(text);
      expect(found.map(({ entryId }) => String(entryId)).toSorted(), query).toEqual(await search(query));
      expect(found).toHaveLength(count);
      const { code, out } = await verify(file, ...data());
      expect([code, out]).toEqual([0, expect.stringContaining(`chosen    `)]);
    }
  });

  test("verified says whether all of a log is in it, or what was chosen from all, and one entry is one", async () => {
    const one = ["--digest", createHash("sha256").update("artifact 1").digest("hex"), "--log", "rekor"];
    expect(await words(...one)).toEqual(["1 entry", "1 entry", ["rekor, chosen from all of them"]]);
    const all = `${ENTRIES + 3} entries`;
    expect(await words()).toEqual([all, all, ["rekor, all of them", "rekor-v2, all of them"]]);
    const [, , chosen] = await words("--from", "1h", "--san", "dev@example.com");
    expect(chosen).toEqual(["rekor, chosen from all of them", "rekor-v2, chosen from all of them"]);
    expect((await words("--to", "2020-01-01"))[2]).toEqual(["rekor, none of them", "rekor-v2, none of them"]);
  });

  test("bare has the same bodies at the same places, and holds as well", async () => {
    const names = ["log", "logIndex", "entryId", "time", "leafHash", "body"];
    const places = (text: string) =>
      jsonLines(text).map((line) => Object.fromEntries(names.map((name) => [name, line[name]])));
    for (const flags of [[], ["--log", "rekor-v2", "--san", "dev@example.com"]]) {
      const { file, text } = await exported("entries", "--format", "bare", ...flags);
      expect(jsonLines(text)).toEqual(places((await exported("entries", ...flags)).text));
      const { code, out } = await verify(file, ...data());
      expect(code, out).toBe(0);
      expect(out.includes("root of rekor from its entries")).toBe(flags.length === 0);
    }
  });

  test("in CSV has what the certificate says in columns", async () => {
    const { text } = await exported("entries", "--log", "rekor", "--format", "csv");
    const [head = "", first = "", ...others] = text.split("\r\n");
    expect(others).toHaveLength(ENTRIES);
    const cell = (name: string) => first.split(",")[head.split(",").indexOf(`"${name}"`)];
    expect([cell("log"), cell("logIndex"), cell("sans")]).toEqual([`"rekor"`, `"0"`, `"email:dev@example.com"`]);
    expect(cell("issuers")).toMatch(/^"http:\/\/localhost:\d+\/idp"$/);
  });

  test("is refused where the database holds another entry than was logged, and nothing is signed", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    const flip = () =>
      db.transaction(async (tx) => {
        await tx.query("SET LOCAL session_replication_role = replica");
        await tx.query(
          `UPDATE log.entry SET leaf = replace(encode(leaf, 'escape'), 'hashedrekord', 'hashedrekorD')::bytea
           WHERE index = 7 AND log = (SELECT id FROM log.log WHERE name = 'rekor')`,
        );
      });
    const file = path("tampered");
    await flip();
    const { code, err } = await chancery("export", "entries", "--out", file, ...data());
    await db.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query(
        `UPDATE log.entry SET leaf = replace(encode(leaf, 'escape'), 'hashedrekorD', 'hashedrekord')::bytea
         WHERE index = 7 AND log = (SELECT id FROM log.log WHERE name = 'rekor')`,
      );
    });
    await db.close();
    expect([code, err]).toEqual([1, expect.stringContaining("are not those of the published tree")]);
    expect((await readdir(folder)).filter((name) => name.startsWith("tampered")).toSorted()).toEqual([
      "tampered.part",
      "tampered.state",
    ]);
  });
});

describe("an export of the ledger", () => {
  test("has each certificate with what it says, and holds under the CT log's key", async () => {
    const { file, text } = await exported("certificates");
    const lines = jsonLines(text);
    expect(lines.map(({ sans, ctIndex }) => [sans, ctIndex])).toEqual([
      [[{ type: "email", value: "dev@example.com" }], "0"],
      [[{ type: "email", value: "other@example.com" }], "1"],
    ]);
    const { code, out } = await verify(file, "--key", path("ctlog.pub"));
    expect(code, out).toBe(0);
    expect(out).toMatch(/ctlog +localhost\/ctlog\/\d{4}, 2 entries/);
    const { text: one } = await exported("certificates", "--san", "dev@example.com");
    expect(jsonLines(one)).toEqual([lines[0]]);
    const { text: same } = await exported("certificates", "--serial", String(lines[0]!["serial"]));
    expect(same).toBe(one);
  });

  test("has refusals as they were written in JSON, and in CSV cells that no spreadsheet runs", async () => {
    const { text } = await exported("refusals", "--code", "policy");
    expect(jsonLines(text).map(({ subject }) => subject)).toEqual([
      `=cmd|' /C calc'!A0`,
      `+1\r\n"quoted", comma`,
      "\u202Egnp.exe",
      "'apostrophe",
      "plain",
    ]);
    const csv = await exported("refusals", "--code", "policy", "--format", "csv");
    expect(csv.text.split("\r\n").map((line) => line.split(",").slice(1, 3).join(","))).toEqual([
      "code,reason".replaceAll(/\w+/g, '"$&"'),
      `"policy","'=cmd|' /C calc'!A0"`,
      String.raw`"policy","'+1\u{d}\u{a}""quoted""`,
      String.raw`"policy","\u{202e}gnp.exe"`,
      `"policy","''apostrophe"`,
      `"policy","plain"`,
      "",
    ]);
    expect(await verify(csv.file, ...data())).toMatchObject({ code: 0, out: expect.stringMatching(/chosen .*to 20/) });
  });
});

describe("what was changed is found and told", () => {
  const changes: readonly [string, (text: string) => string, RegExp][] = [
    ["a changed byte of a body", (text) => text.replace(/("body":"eyJ)(.)/, "$1X"), /line 1: the body is not the one/],
    ["a changed byte elsewhere", (text) => text.replace("hashedrekord", "hashedrekorf"), /SHA-256 is not the one/],
    [
      "a line that is gone",
      (text) => text.replace(/\n.*"logIndex":"4".*\n/, "\n"),
      /it has 22 entries, 23 were signed for[^]*line 5: entry 5 stands where 4 is expected/,
    ],
    [
      "two lines in another order",
      (text) => text.replace(/(\n.*"logIndex":"4".*)(\n.*"logIndex":"5".*)/, "$2$1"),
      /line 6: entry 4 of rekor stands after entry 5/,
    ],
    ["a line twice", (text) => text.replace(/\n.*"logIndex":"4".*/, "$&$&"), /24 entries, 23 were signed for/],
    ["an end that is cut off", (text) => text.slice(0, -100), /100 are missing[^]*ends within line 23/],
    ["a last line that is gone", (text) => text.replace(/.*\n$/, ""), /22 entries, 23 were signed for/],
    ["bytes behind its end", (text) => `${text}\n`, /1 too many[^]*line 24: is not a JSON object/],
    ["nothing left", () => "", /0 entries, 23 were signed for/],
  ];

  test.for(changes)("%s", async ([, change, told]) => {
    const { file, text } = await exported("entries", "--log", "rekor");
    const changed = change(text);
    expect(changed).not.toBe(text);
    await writeFile(file, changed);
    const { code, out } = await verify(file, "--key", path("rekor.pub"));
    expect([code, out]).toEqual([1, expect.stringMatching(told)]);
    expect(out).toContain("DOES NOT HOLD");
  });

  test("another key, and the key of one log where two signed", async () => {
    const { file } = await exported("entries");
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    await writeFile(path("other.pub"), other.export({ type: "spki", format: "pem" }));
    const stranger = await verify(file, "--key", path("other.pub"));
    expect([stranger.code, stranger.out]).toEqual([1, expect.stringContaining("is signed for rekor by another key")]);
    const half = await verify(file, "--key", path("rekor.pub"));
    expect([half.code, half.out]).toEqual([1, expect.stringContaining("is signed for rekor-v2 by another key")]);
  });

  test.for([
    ["a count", /"count": "23"/, `"count": "22"`, /was changed/],
    ["a hash", /"sha256": "./, `"sha256": "g`, /is not whole/],
    ["a filter", /"log": \[\n {6}"rekor"\n {4}\]/, `"san": [\n      "x"\n    ]`, /was changed/],
    ["the context", /^chancery-export\/v1/, "chancery-export/v2", /does not begin with the line/],
    ["the name of the key", /— localhost\/export\/rekor /, "— localhost ", /is not signed by the log rekor/],
    ["the signature", / (.{40})(..)(.+)\n$/, otherCharacters, /does not verify/],
  ] as const)("%s of the manifest", async ([, from, to, told]) => {
    const { file } = await exported("entries", "--log", "rekor");
    const note = await readFile(`${file}.manifest`, "utf8");
    const changed = note.replace(from, to as string);
    expect(changed).not.toBe(note);
    await writeFile(`${file}.manifest`, changed);
    const { code, out } = await verify(file, "--key", path("rekor.pub"));
    expect([code, out]).toEqual([1, expect.stringMatching(told)]);
  });
});

function otherCharacters(_all: string, before: string, two: string, after: string): string {
  return ` ${before}${two === "AA" ? "BB" : "AA"}${after}\n`;
}

/** Names of entries, as the search answers them. */
async function search(query: string): Promise<string[]> {
  const answer = await fetch(`${running.url}/api/chancery/v1/search?order=oldest&limit=500&${query}`);
  const { results } = (await answer.json()) as { results: { entryId: string }[] };
  return results.map(({ entryId }) => entryId).toSorted();
}

describe("an export that was interrupted", () => {
  test("goes on where it was, and ends in the same bytes", async () => {
    const whole = await exported("entries");
    const file = path("interrupted");
    // Read by others a key signs nothing: the export fails when all is written but the manifest.
    const key = join(running.data, "keys", "rekor-v2.pem");
    await chmod(key, 0o644);
    const failed = await chancery("export", "entries", "--out", file, ...data());
    await chmod(key, 0o600);
    expect([failed.code, failed.err]).toEqual([2, expect.stringContaining("rekor-v2.pem")]);
    const anew = await chancery("export", "entries", "--out", file, ...data());
    expect(anew).toMatchObject({ code: 2, err: expect.stringContaining("go on with it by --resume") });
    const other = await chancery("export", "refusals", "--out", file, "--resume", ...data());
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining("was begun with entries") });
    // What a crash wrote behind the last saved place is no part of it.
    await appendFile(`${file}.part`, '{"torn":');
    const resumed = await chancery("export", "entries", "--out", file, "--resume", ...data());
    expect(resumed.code, resumed.err).toBe(0);
    expect(await readFile(file, "utf8")).toBe(whole.text);
    expect(await verify(file, ...data())).toMatchObject({ code: 0 });
  });

  test("does not go on with what was changed meanwhile", async () => {
    const file = path("changed-meanwhile");
    const key = join(running.data, "keys", "ctlog.pem");
    await chmod(key, 0o644);
    await chancery("export", "certificates", "--out", file, ...data());
    await chmod(key, 0o600);
    const text = await readFile(`${file}.part`, "utf8");
    await writeFile(`${file}.part`, text.replace("dev@", "DEV@"));
    const resume = () => chancery("export", "certificates", "--out", file, "--resume", ...data());
    expect(await resume()).toMatchObject({ code: 2, err: expect.stringContaining("was changed since") });
    await writeFile(`${file}.part`, text.slice(0, -1));
    expect(await resume()).toMatchObject({ code: 2, err: expect.stringContaining("is shorter than it was") });
    await writeFile(`${file}.part`, text);
    const state = await readFile(`${file}.state`, "utf8");
    await writeFile(`${file}.state`, state.replace(/"sha256":"./, `"sha256":"g`));
    expect(await resume()).toMatchObject({ code: 2, err: expect.stringContaining("state was changed since") });
    await writeFile(`${file}.state`, state);
    expect(await resume()).toMatchObject({ code: 0 });
    expect(await readFile(file, "utf8")).toBe(text);
  });
});

test("does not go on with the log of another shard, and goes on where it is the old one again", async () => {
  const file = path("another-shard");
  const key = join(running.data, "keys", "ctlog.pem");
  await chmod(key, 0o644);
  await chancery("export", "certificates", "--out", file, ...data());
  await chmod(key, 0o600);
  const installation = join(running.data, "installation.json");
  const text = await readFile(installation, "utf8");
  const { hostname, shard } = JSON.parse(text) as { hostname: string; shard: string };
  const resume = () => chancery("export", "certificates", "--out", file, "--resume", ...data());
  await writeFile(installation, text.replace(`"${shard}"`, '"2999"'));
  const refused = await resume();
  await writeFile(installation, text);
  const told = `its log ctlog is ${hostname}/ctlog/2999 now and was ${hostname}/ctlog/${shard} when the export began`;
  expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(told) });
  expect(await resume()).toMatchObject({ code: 0 });
  expect(await verify(file, ...data())).toMatchObject({ code: 0 });
});

test("what is there already is not written over", async () => {
  const { file, text } = await exported("refusals");
  const again = await chancery("export", "refusals", "--out", file, ...data());
  expect(again).toMatchObject({ code: 2, err: expect.stringContaining("is there already") });
  expect(await readFile(file, "utf8")).toBe(text);
  expect(await chancery("export", "refusals", "--out", file, "--resume", ...data())).toMatchObject({
    code: 0,
    out: `${file}: is whole already\n`,
  });
});
