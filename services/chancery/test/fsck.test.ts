import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, runningEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { logEntry } from "./log-entry.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

async function fsck(...flags: string[]) {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await run(["fsck", ...flags], {}, terminal);
  return { code, out, err };
}

async function issueCertificate(url: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await (await fetch(`${url}/idp/token?email=dev@example.com`)).text();
  const answer = await fetch(`${url}/api/v2/signingCert`, {
    method: "POST",
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
        proofOfPossession: sign("sha256", Buffer.from("dev@example.com"), privateKey).toString("base64"),
      },
    }),
  });
  expect(answer.status).toBe(200);
}

/** The same server, but for what says which trees its v1 log has. */
async function withoutTrees(url: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? "/";
      const answer = path === "/api/v1/log" ? new Response(null, { status: 500 }) : await fetch(url + path);
      response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

describe("chancery fsck", () => {
  let folder: string;
  let running: TestStack;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "chancery-fsck-"));
    running = await startTestStack({ data: join(folder, "data") });
    for (let at = 0; at < 23; at++) expect(await logEntry(running.url, `artifact ${at}`)).toBe(201);
    for (let at = 0; at < 3; at++) await issueCertificate(running.url);
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("finds both logs of a running installation clean, from inside", async () => {
    const { code, out, err } = await fsck("--data", running.data);
    expect([code, err], out).toEqual([0, `chancery: reads the installation in ${running.data}\n`]);
    expect(out).toMatch(/^rekor: clean: 23 entries/m);
    expect(out).toMatch(/^ctlog: clean: 3 entries/m);
    expect(out).toContain("anchor, entries, tiles, tree, identities, leaf hashes");
    expect(out).toMatch(/^ {2}not {7}whether search keys are those of their entries \(chancery index verify\)/m);
    expect(out).not.toContain("  note");
  });

  test.for([
    ["a certificate would be logged twice, its identity exchanged in both tables", "identity"],
    ["a CT entry has another time than its leaf", "time"],
  ] as const)("%s: a difference", async ([, field]) => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    const log = "log = (SELECT id FROM log.log WHERE name = 'ctlog') AND index = 1";
    const [entry] = await db.query<{ time: bigint; identity: Uint8Array }>(
      `SELECT time, identity FROM log.entry WHERE ${log}`,
    );
    const write = (time: bigint, identity: Uint8Array) =>
      db.transaction(async (tx) => {
        await tx.query("SET LOCAL session_replication_role = replica");
        await tx.query(`UPDATE log.entry SET time = $1, identity = $2 WHERE ${log}`, [time, identity]);
        await tx.query(`UPDATE log.identity SET hash = $1 WHERE ${log}`, [identity]);
      });
    const other = createHash("sha256").update("other").digest();
    await (field === "time" ? write(entry!.time - 1n, entry!.identity) : write(entry!.time, other));
    const damaged = await fsck("--data", running.data, "--log", "ctlog");
    await write(entry!.time, entry!.identity);
    await db.close();
    expect(damaged.code).toBe(1);
    expect(damaged.out).toContain(`ctlog: DIFFERENCE at entry 1, ${field}\n`);
    expect((await fsck("--data", running.data)).code).toBe(0);
  });

  test("finds them clean from outside, by any name of the host", async () => {
    const { port } = new URL(running.url);
    for (const url of [running.url, `http://127.0.0.1:${port}`]) {
      const { code, out } = await fsck("--url", url);
      expect(code, out).toBe(0);
      expect(out).toMatch(/^rekor: clean: 23 entries/m);
      expect(out).toMatch(/^ctlog: clean: 3 entries/m);
      expect(out).toContain("the key is the server's own word");
    }
  });

  test("judges no tree of the v1 log where the server does not say which there are, and the other logs all the same", async () => {
    await using proxy = await withoutTrees(running.url);
    const { code, out } = await fsck("--url", proxy.url);
    expect(code, out).toBe(2);
    expect(out).toMatch(/^rekor: could not be read: .*\/api\/v1\/log: answers 500$/m);
    expect(out).toMatch(/^rekor-v2: clean/m);
    expect(out).toMatch(/^ctlog: clean: 3 entries/m);
    for (const log of ["rekor", "rekor-shard-2"]) {
      const one = await fsck("--url", proxy.url, "--log", log);
      expect([one.code, one.out]).toEqual([
        2,
        expect.stringMatching(new RegExp(`^${log}: could not be read: [^\\n]*\\n$`)),
      ]);
    }
  });

  test("says it in JSON, checked with a key at hand", async () => {
    const key = join(folder, "rekor.pub");
    await writeFile(key, await (await fetch(`${running.url}/trust/rekor.pub`)).text());
    const { code, out } = await fsck("--url", running.url, "--log", "rekor", "--key", key, "--json");
    expect(code, out).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ log: "rekor", result: "clean", size: "23" });
    const other = await fsck("--url", running.url, "--log", "ctlog", "--key", key, "--json");
    expect(other.code).toBe(1);
    expect(JSON.parse(other.out)).toMatchObject({
      result: "difference",
      place: { kind: "checkpoint", field: "signature" },
    });
  });

  test("names a flipped bit, with exit code 1, and is clean again when it is put back", async () => {
    const db = await Database.open((await runningEmbedded(join(running.data, "postgres")))!, { max: 1 });
    const flip = () =>
      db.transaction(async (tx) => {
        await tx.query("SET LOCAL session_replication_role = replica");
        await tx.query(
          `UPDATE log.entry SET leaf = set_byte(leaf, 9, get_byte(leaf, 9) # 1)
           WHERE index = 7 AND log = (SELECT id FROM log.log WHERE name = 'rekor')`,
        );
      });
    await flip();
    const damaged = await fsck("--data", running.data);
    await flip();
    await db.close();
    expect(damaged.code).toBe(1);
    expect(damaged.out).toMatch(
      /^rekor: DIFFERENCE at entry 7, leaf\n {2}expected {2}[0-9a-f]{64}\n {2}found {5}[0-9a-f]{64}$/m,
    );
    expect(damaged.out).toMatch(/^ctlog: clean/m);
    expect((await fsck("--data", running.data)).code).toBe(0);
  });

  test("explains itself", async () => {
    const { code, out } = await fsck("--help");
    expect(code).toBe(0);
    for (const flag of ["--log", "--url", "--database-url", "--data", "--anchor", "--key", "--json"])
      expect(out).toContain(flag);
  });

  test.for([
    [["--log", "tsa"], "--log: tsa is none of rekor, rekor-v2, ctlog"],
    [["--url", "ftp://x"], "--url: ftp://x is not an absolute http or https URL"],
    [["--database-url", "postgres://nobody@localhost/x"], "--database-url: needs --log and --key"],
    [["--data", "/nonexistent"], "--data: /nonexistent holds no installation"],
    [["--key", "/nonexistent"], "--key: /nonexistent is no key"],
    [["--url", "http://localhost:1", "--anchor", "x"], "--url: reads from outside: not together with --data"],
    [["--loud"], "command line: Unknown option '--loud'"],
  ])("refuses %j in one line, with exit code 2", async ([flags, reason]) => {
    const { code, err } = await fsck(...(flags as string[]));
    expect([code, err.trimEnd().split("\n").length]).toEqual([2, 1]);
    expect(err).toContain(reason);
  });

  test("what cannot be reached is no difference", async () => {
    const { code, out } = await fsck("--url", "http://127.0.0.1:1", "--log", "rekor");
    expect(code).toBe(2);
    expect(out).toContain("could not be read");
  });
});
