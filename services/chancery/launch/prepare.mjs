// What must be there before the program can run: packages, Node 26, and compiled sources.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { runQuietly } from "./run.mjs";
import { step } from "./progress.mjs";
import { ROOT } from "./root.mjs";
import { goOn } from "./stop.mjs";

/** The npm package `node` brings the version that the workspace is written for. */
export const NODE = join(ROOT, "node_modules/node/bin/node");

const PNPM = "12.21.0";
const STAMP = join(ROOT, "node_modules/.chancery-installed");
const LOCK = join(ROOT, "node_modules/.chancery-installing");
const LOCK_POLL_MS = 500;

/** Installs the workspace's packages unless what they were installed from is unchanged. */
export async function install() {
  const wanted = fingerprint();
  if (installed(wanted)) return;
  mkdirSync(dirname(STAMP), { recursive: true });
  await takeLock();
  try {
    if (installed(wanted)) return;
    await installPnpm();
    await step("installing packages", () =>
      runQuietly(process.execPath, [pnpmProgram(), "install", "--frozen-lockfile"], { cwd: ROOT, env: childEnv() }),
    );
    if (!existsSync(NODE)) {
      throw new Error(
        "the npm package `node` did not install its program; is npm on the PATH, and is this platform one it supports?",
      );
    }
    // Written last: an install that was cut off is repeated by the next start.
    writeFileSync(STAMP, wanted);
  } finally {
    rmSync(LOCK, { force: true });
  }
}

/** Compiles and builds what has changed; a fifth of a second when nothing has. */
export async function build() {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const programs = [[tsc, "-b"], [join(ROOT, "services/explorer/build.mjs")]];
  // Side by side: the pages are built from sources, not from what is being compiled.
  const work = () => Promise.all(programs.map((args) => runQuietly(NODE, args, { cwd: ROOT })));
  await step("building", work, { quietBelowMs: 1_500 });
}

function installed(wanted) {
  return existsSync(NODE) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted;
}

/** Everything that decides what an install puts where. */
function fingerprint() {
  const manifests = ["libs", "services"].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name, "package.json")),
  );
  const hash = createHash("sha256").update(`${PNPM} ${process.platform} ${process.arch}`);
  for (const file of [
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "package.json",
    ...manifests.sort((a, b) => (a < b ? -1 : 1)),
  ]) {
    if (existsSync(join(ROOT, file))) hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest("hex");
}

function pnpmFolder() {
  return join(ROOT, "node_modules/.cache", `pnpm-${PNPM}`);
}

/** pnpm's own entry for hosts where its install script did not run: the same under npm 10 and npm 11. */
function pnpmProgram() {
  return join(pnpmFolder(), "node_modules/pnpm/bin/pnpm.mjs");
}

async function installPnpm() {
  if (existsSync(pnpmProgram())) return;
  mkdirSync(pnpmFolder(), { recursive: true });
  // A folder of its own with a manifest of its own, or npm would walk up to the workspace's.
  writeFileSync(join(pnpmFolder(), "package.json"), '{ "private": true }\n');
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", `pnpm@${PNPM}`];
  await step(`fetching pnpm ${PNPM}`, () => runQuietly(...npm(args), { cwd: pnpmFolder(), env: childEnv() }));
}

/** The npm that started us, else the one beside this Node, else the PATH's. */
function npm(args) {
  const started = process.env.npm_execpath;
  if (started !== undefined && started.endsWith("npm-cli.js")) return [process.execPath, [started, ...args]];
  const beside = join(dirname(process.execPath), "npm");
  return [existsSync(beside) ? beside : "npm", args];
}

/** What npm tells its scripts about the package they are of; another npm would take it for its own. */
const ABOUT_OUR_SCRIPT = /^(npm_(lifecycle|package)_.*|npm_(command|execpath|config_local_prefix)|INIT_CWD)$/;

/** The caller's settings (registry, proxy) stay; this Node's folder comes first, for install scripts that call `npm`. */
function childEnv() {
  const kept = Object.entries(process.env).filter(([name]) => !ABOUT_OUR_SCRIPT.test(name));
  const path = [dirname(process.execPath), process.env.PATH].filter(Boolean).join(delimiter);
  return { ...Object.fromEntries(kept), PATH: path, CI: "1" };
}

/** Two starts in one clone: the second waits for the first, or takes over from one that died. */
async function takeLock() {
  for (let waited = false; ; waited = true) {
    await goOn();
    try {
      writeFileSync(LOCK, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isAlive(Number(readFileSync(LOCK, "utf8")))) {
      rmSync(LOCK, { force: true });
      continue;
    }
    if (!waited) process.stderr.write("chancery: another start is installing here; waiting for it\n");
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
