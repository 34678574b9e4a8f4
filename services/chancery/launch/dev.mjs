// Rebuilds on every change of a source and, where that compiles, restarts the program.
//
// tsc's own `-b --watch` (7.0.2) was tried: of several projects it noticed changes in the first only.

import { readdirSync, watch } from "node:fs";
import { join } from "node:path";
import { build } from "./prepare.mjs";
import { ROOT } from "./root.mjs";
import { startTied, untilStopped } from "./run.mjs";

/** An editor saves in several steps, and a change of branch touches many files. */
const SETTLE_MS = 200;

/** Runs until it is told to stop. What does not compile leaves the last good program running. */
export async function develop(program, args) {
  const stopped = untilStopped().then(() => "stopped");
  const nextChange = watchSources();
  let running;
  for (;;) {
    // Armed before the build: what is saved while it runs is built next.
    const changed = nextChange();
    if (await compiles()) {
      await running?.stop();
      running = startTied(program, args);
    }
    if ((await Promise.race([stopped, changed])) === "stopped") return (await running?.stop()) ?? 0;
    process.stderr.write("chancery: sources changed\n");
  }
}

async function compiles() {
  try {
    await build();
    return true;
  } catch (error) {
    process.stderr.write(`chancery: ${error.message}\n`);
    return false;
  }
}

/** The returned function resolves after the next change, once nothing has changed for a moment. */
function watchSources() {
  let settled = deferred();
  let timer;
  const touch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      settled.resolve("changed");
      settled = deferred();
    }, SETTLE_MS);
  };
  for (const folder of ["libs", "services"]) {
    for (const name of readdirSync(join(ROOT, folder))) {
      watch(join(ROOT, folder, name, "src"), { recursive: true }, touch).unref();
    }
  }
  return () => settled.promise;
}

/** Promise.withResolvers is not in Node 20. */
function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
