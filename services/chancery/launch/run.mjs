// Child processes: quiet ones whose output is shown only if they fail, and the one in the foreground.

import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.mjs";
import { goOn, onLostParent, signalCode, SIGNALS } from "./stop.mjs";

const KEPT_OUTPUT = 64 * 1024;
const SHOWN_LINES = 60;
/** A terminal sends Ctrl-C to npm and to us, and npm sends it on: within this time they are one. */
const SAME_SIGNAL_MS = 300;

export async function runQuietly(program, args, { cwd, env } = {}) {
  await goOn();
  const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (chunk) => {
    output = (output + chunk).slice(-KEPT_OUTPUT);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const code = await withSignals(child, (signal) => child.kill(signal));
  // Before its code is looked at: what a signal ended has not failed.
  await goOn();
  if (code === 0) return;
  const tail = output.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
  throw new Error(`${[program, ...args].join(" ")} ended with ${code}\n${tail}`);
}

/** Runs a program with our terminal, whose Ctrl-C reaches it directly, and passes its exit code on. */
export async function runForeground(program, args, { env } = {}) {
  await goOn();
  const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: "inherit" });
  return withSignals(child, (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}

/**
 * Runs the program that we stand for: what we are told, it is told. SIGHUP asks it to read its configuration anew; it is
 * also what a terminal that is closed sends, and then it is the end.
 */
export async function runTied(program, args) {
  await goOn();
  const hadTerminal = hasTerminal();
  const child = spawnTied(program, args);
  return withSignals(child, (signal) => {
    if (signal !== "SIGHUP") child.kill(signal);
    else if (hadTerminal && !hasTerminal()) child.kill("SIGTERM");
    else if (child.connected) child.send(signal);
  });
}

/** The terminal that we were started from can be opened for as long as it is there. */
function hasTerminal() {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** The same for a program that we stop ourselves. */
export function startTied(program, args) {
  const child = spawnTied(program, args);
  const code = ended(child);
  return {
    ended: code,
    stop() {
      child.kill("SIGTERM");
      return code;
    },
  };
}

/** Resolves when we are told to stop, with the signal. */
export async function untilStopped() {
  return new Promise((resolve) => {
    onSignal(resolve);
    onLostParent(() => resolve("SIGTERM"));
  });
}

/**
 * In a process group of its own, so that each Ctrl-C reaches it exactly once (a second one means "now"),
 * and with a channel to us: when we are killed the channel closes and it stops.
 */
function spawnTied(program, args) {
  // Compiled code is kept between starts: a fifth of a second less to ready.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(ROOT, "node_modules/.cache/compiled");
  return spawn(program, args, {
    detached: true,
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

async function withSignals(child, forward) {
  const releases = [onSignal(forward), onLostParent(() => forward("SIGTERM"))];
  try {
    return await ended(child);
  } finally {
    for (const release of releases) release();
  }
}

function onSignal(forward) {
  const last = {};
  const heard = (signal) => {
    const now = performance.now();
    if (now - (last[signal] ?? -Infinity) < SAME_SIGNAL_MS) return;
    last[signal] = now;
    forward(signal);
  };
  for (const signal of SIGNALS) process.on(signal, heard);
  return () => {
    for (const signal of SIGNALS) process.off(signal, heard);
  };
}

async function ended(child) {
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signalCode(signal)));
  });
}
