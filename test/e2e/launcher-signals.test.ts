import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnvironment, freePort } from "@chancery/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

const LAUNCHER = join(import.meta.dirname, "../../services/chancery/launch.mjs");
const ISSUER =
  "oidc-issuers:\n  https://one.example:\n    issuer-url: https://one.example\n    client-id: sigstore\n    type: email\n";
const SECOND = ISSUER.slice(ISSUER.indexOf("\n") + 1).replaceAll("one", "two");

let folder: string;
let launcher: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-launcher-"));
});

afterEach(async () => {
  if (launcher?.exitCode === null) launcher.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** As a service manager runs it: no terminal. */
async function start(...args: string[]) {
  const port = await freePort();
  const env = { ...cleanEnvironment(), CHANCERY_AUDITOR: "off" };
  const serve = [LAUNCHER, "serve", "--port", String(port), "--data", join(folder, "data"), ...args];
  launcher = spawn(process.execPath, serve, { env, stdio: ["ignore", "ignore", "ignore"], detached: true });
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
    return { status: answer?.status, text: await answer?.text() };
  };
  await expect.poll(async () => (await get("/readyz")).status, { timeout: 90_000 }).toBe(200);
  return { launcher, issuers: async () => (await get("/api/v2/configuration")).text };
}

test("a SIGHUP to what npm start runs reads the issuers anew, and a SIGTERM right after it is the end", async () => {
  const config = join(folder, "config.yaml");
  await writeFile(config, ISSUER);
  const { launcher: program, issuers } = await start("--config", config);
  await appendFile(config, SECOND);
  program.kill("SIGHUP");
  await expect.poll(issuers, { timeout: 20_000 }).toContain("https://two.example");
  program.kill("SIGHUP");
  program.kill("SIGTERM");
  const [code, signal] = (await once(program, "exit")) as [number | null, string | null];
  expect([code, signal]).toEqual([0, null]);
});

test("without a file of issuers there is nothing to read anew: SIGHUP is the end", async () => {
  const { launcher: program } = await start();
  program.kill("SIGHUP");
  const [code, signal] = (await once(program, "exit")) as [number | null, string | null];
  expect([code, signal]).toEqual([0, null]);
});
