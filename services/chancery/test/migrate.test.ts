import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type EmbeddedPostgres, runningEmbedded, startEmbedded } from "@chancery/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/command-line.ts";
import { startTestStack } from "./start-stack.ts";

let folder: string;
let server: EmbeddedPostgres;
let administrator: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "migrate-test-"));
  server = await startEmbedded({ directory: join(folder, "postgres") });
  administrator = await Database.open(server.url, { max: 1 });
  for (const role of ["owner", "service"]) await administrator.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
  await administrator.query("CREATE DATABASE logs OWNER owner");
});

afterAll(async () => {
  await administrator?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const urlAs = (role: string) => server.url.replace(/\/\/[^@]*@\/chancery/, `//${role}:${role}@/logs`);

async function chancery(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await run(argv, {}, terminal), out, err };
}

test("a role that owns nothing serves after its owner made the tables, and not before", async () => {
  const stack = { data: join(folder, "data"), "database-url": urlAs("service") };
  await expect(startTestStack(stack)).rejects.toThrow(
    /this role may not change it; run `chancery migrate` as its owner/,
  );

  const migrated = await chancery("migrate", "--role", "service", "--database-url", urlAs("owner"));
  expect(migrated).toMatchObject({
    code: 0,
    out: expect.stringMatching(/tables are up to date, for service to use\n$/),
  });
  expect(await chancery("migrate", "--role", "service", "--database-url", urlAs("owner"))).toEqual(migrated);
  const misspelt = await chancery("migrate", "--role", "servise", "--database-url", urlAs("owner"));
  expect(misspelt).toMatchObject({ code: 2, err: expect.stringMatching(/: role "servise" does not exist\n$/) });

  const config = join(folder, "strict.yaml");
  await writeFile(
    config,
    `oidc-issuers:
  https://issuer.example.com: { issuer-url: https://issuer.example.com, client-id: sigstore, type: email }
chancery: { database-least-privilege: true }
`,
  );
  {
    await using running = await startTestStack({ ...stack, config });
    expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
  }
  await expect(startTestStack({ ...stack, config, "database-url": urlAs("owner") })).rejects.toThrow(
    /chancery.database-least-privilege: the role for PostgreSQL .*\/logs owns the database; owns tables of fulcio, and so can drop their triggers; owns tables of log/,
  );
});

test("the embedded server's services are no owner either", async () => {
  const data = join(folder, "embedded");
  await using running = await startTestStack({ data });
  expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
  await using owner = await Database.open((await runningEmbedded(join(data, "postgres")))!, { max: 1 });
  const roles = await owner.query<{ usename: string }>(
    `SELECT DISTINCT usename::text FROM pg_stat_activity
     WHERE application_name = 'chancery' AND pid <> pg_backend_pid()`,
  );
  expect(roles).toEqual([{ usename: "chancery_service" }]);
});

test.for([
  [["--role", ""], /^chancery: --role: must not be empty/],
  [["--role", "service"], /^chancery: CHANCERY_DATABASE_URL: must be said/],
  [["--rolle", "service"], /^chancery: command line: Unknown option '--rolle'/],
] as const)("chancery migrate %j is refused", async ([argv, reason]) => {
  const { code, err } = await chancery("migrate", ...argv);
  expect(code).toBe(2);
  expect(err).toMatch(reason);
});

test("chancery migrate --help says how the roles are made", async () => {
  const { code, out } = await chancery("migrate", "--help");
  expect(code).toBe(0);
  for (const word of ["--role", "--database-url", "CREATE ROLE", "database-least-privilege"])
    expect(out).toContain(word);
});
