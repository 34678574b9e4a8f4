// Child processes: quiet ones whose output is shown only if they fail, and the one in the foreground.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ROOT } from "./root.mjs";

const KEPT_OUTPUT = 64 * 1024;
const SHOWN_LINES = 60;
/** A terminal sends Ctrl-C to npm and to us, and npm sends it on: within this time they are one. */
const SAME_SIGNAL_MS = 300;
const PARENT_POLL_MS = 500;

export async function runQuietly(program, args, { cwd, env } = {}) {
  const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (chunk) => {
    output = (output + chunk).slice(-KEPT_OUTPUT);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const release = forwardSignals(child);
  const code = await ended(child).finally(release);
  if (code === 0) return;
  const tail = output.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
  throw new Error(`${[program, ...args].join(" ")} ended with ${code}\n${tail}`);
}

/**
 * Runs a program with our terminal and passes its exit code on.
 *
 * `tied`: it sits in a process group of its own, so that each Ctrl-C reaches it exactly once (a second
 * one means "now"), and holds a channel to us: when we are killed the channel closes and it stops.
 */
export async function runForeground(program, args, { tied = false, env } = {}) {
  const child = spawn(program, args, {
    cwd: tied ? undefined : ROOT,
    env: { ...process.env, ...env },
    detached: tied,
    stdio: tied ? ["ignore", "inherit", "inherit", "ipc"] : "inherit",
  });
  const release = forwardSignals(child, { terminalReachesIt: !tied });
  const orphaned = stopWithNpm(child);
  return ended(child).finally(() => {
    clearInterval(orphaned);
    release();
  });
}

/** Runs programs side by side until one of them ends; then all end. */
export async function runTogether(commands) {
  const children = commands.map(([program, args]) =>
    spawn(program, args, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] }),
  );
  const releases = children.map((child) => forwardSignals(child, { terminalReachesIt: true }));
  const code = await Promise.race(children.map(ended));
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map(ended));
  for (const release of releases) release();
  return code;
}

function forwardSignals(child, { terminalReachesIt = true } = {}) {
  let last = -Infinity;
  const forward = (signal) => {
    const now = performance.now();
    if (now - last < SAME_SIGNAL_MS) return;
    last = now;
    if (signal === "SIGINT" && terminalReachesIt && process.stdin.isTTY) return;
    child.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}

/**
 * npm runs a script through `sh`, and a signal that npm passes on ends that shell and not us: whoever
 * stopped npm would leave the stack running. A parent that is gone is the only sign of it.
 */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    child.kill("SIGTERM");
  }, PARENT_POLL_MS).unref();
  return timer;
}

async function ended(child) {
  if (child.exitCode !== null) return child.exitCode;
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
