// A signal that reaches us while we prepare may pass the child of the moment by, or end a step that would
// have ended anyway. It is remembered, and the next step is not begun.

import { readFileSync } from "node:fs";
import { constants } from "node:os";

export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

const PARENT_POLL_MS = 500;

let remembered;

/** Thrown in place of the next step. Nothing is printed for it: whoever sent the signal knows. */
export class Stopped extends Error {
  constructor(signal) {
    super(`stopped by ${signal}`);
    this.code = signalCode(signal);
  }
}

/** The exit code of a program that a signal ended. */
export function signalCode(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

function remember(signal) {
  remembered ??= signal;
}

export function rememberSignals() {
  for (const signal of SIGNALS) process.on(signal, remember);
  onLostParent(() => remember("SIGTERM"));
}

/** To be awaited before each step. */
export async function goOn() {
  // Signals are delivered by the event loop: one that came during synchronous work is heard only after a turn of it.
  await new Promise((resolve) => setImmediate(resolve));
  if (remembered !== undefined) throw new Stopped(remembered);
}

/**
 * npm runs a script through `sh`, and a signal that npm passes on ends that shell and not us: whoever
 * stopped npm would leave the stack running. A parent that is gone is the only sign of it; or, of an npm that ended
 * without passing anything on (SIGHUP, SIGKILL), the shell's own parent, where the system tells that.
 */
export function onLostParent(lost) {
  if (process.env.npm_lifecycle_event === undefined) return () => {};
  const parent = process.ppid;
  const npm = parentOf(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && parentOf(parent) === npm) return;
    clearInterval(timer);
    lost();
  }, PARENT_POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Linux. The fields are after the last `)`: a process's name may hold spaces. */
function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
