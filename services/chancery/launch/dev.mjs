// Rebuilds on every change of a source and, where that compiles, restarts the program.
//
// tsc's own `-b --watch` (7.0.2) was tried: of several projects it noticed changes in the first only.

import { readdirSync, watch } from "node:fs";
import { join } from "node:path";
import { build } from "./prepare.mjs";
import { ROOT } from "./root.mjs";
import { startTied, untilStopped } from "./run.mjs";
import { signalCode, Stopped } from "./stop.mjs";

/** An editor saves in several steps, and a change of branch touches many files. */
const SETTLE_MS = 200;
/** Done, and told something impossible (a flag, a setting): starting again would end the same. */
const FINAL_CODES = new Set([0, 2]);

/**
 * Runs until it is told to stop, or until the program ends with a code that no change of a source alters.
 * What does not compile leaves the last good program running.
 */
export async function develop(program, args) {
  const stopped = untilStopped().then((signal) => ({ signal }));
  const changes = watchSources();
  let running;
  try {
    for (;;) {
      // Armed before the build: what is saved while it runs is built next.
      const changed = changes.next();
      if (await compiles()) {
        await running?.stop();
        running = startTied(program, args);
      }
      let event = await Promise.race([stopped, changed, endOf(running)]);
      if (FINAL_CODES.has(event.code)) return event.code;
      if (event.code !== undefined) {
        process.stderr.write(`chancery: the program ended with ${event.code}; waiting for a change of the sources\n`);
        running = undefined;
        event = await Promise.race([stopped, changed]);
      }
      if (event.signal !== undefined) return (await running?.stop()) ?? signalCode(event.signal);
      process.stderr.write("chancery: sources changed\n");
    }
  } finally {
    changes.close();
  }
}

/** A program that does not run does not end. */
async function endOf(running) {
  return running === undefined ? new Promise(() => {}) : { code: await running.ended };
}

async function compiles() {
  try {
    await build();
    return true;
  } catch (error) {
    if (!(error instanceof Stopped)) process.stderr.write(`chancery: ${error.message}\n`);
    return false;
  }
}

/** `next` resolves after the next change, once nothing has changed for a moment. */
function watchSources() {
  let settled = deferred();
  let timer;
  const touch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      settled.resolve({});
      settled = deferred();
    }, SETTLE_MS);
  };
  // They keep us alive while nothing runs: a program that ended waits for the change that mends it.
  const watchers = ["libs", "services"].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => watch(join(ROOT, folder, name, "src"), { recursive: true }, touch)),
  );
  return {
    next: () => settled.promise,
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Promise.withResolvers is not in Node 20. */
function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
