// A vitest reporter that leaves the run's counts, and what was left out, in the file named by
// CHANCERY_TEST_COUNTS, from which the launcher prints its last lines. To what is there it adds. With
// CHANCERY_REQUIRE_CLIENTS=1 (CI) a test that is skipped and does not say why has failed.

import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** How a title says why its tests are skipped. */
const REASON = /\[left out: [^\]]*\]|\(skipped [^)]*\)/;

export default class CountReporter {
  onInit(vitest) {
    this.vitest = vitest;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env["CHANCERY_TEST_COUNTS"];
    const { leftOut, ...counts } = earlier(file);
    counts.failed += unhandledErrors.length;
    // What a name asked for by -t passes over was left out by whoever asked.
    const requiresAll = process.env["CHANCERY_REQUIRE_CLIENTS"] === "1";
    const all = this.vitest.getGlobalTestNamePattern() === undefined;
    for (const module of modules) {
      // A file that could not be loaded, or a hook that failed, has no failing test of its own.
      counts.failed += module.errors().length;
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of all ? module.children.allTests("skipped") : []) {
        const title = leftOutTitle(test);
        leftOut[title] = (leftOut[title] ?? 0) + 1;
        // Where all clients are required nothing goes missing unseen.
        if (requiresAll && reasonOf(test) === undefined) counts.failed += 1;
      }
    }
    if (file !== undefined) writeFileSync(file, JSON.stringify({ ...counts, leftOut }));
  }
}

function earlier(file) {
  const none = { passed: 0, failed: 0, skipped: 0, leftOut: {} };
  return file !== undefined && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : none;
}

function reasonOf(test) {
  const { note } = test.result();
  return note === undefined ? REASON.exec(test.fullName)?.[0] : `[left out: ${note}]`;
}

/** Tests that share the outermost describe and the reason are one line; without a reason, what was skipped is named. */
function leftOutTitle(test) {
  const path = [test];
  while (path[0].parent.type !== "module") path.unshift(path[0].parent);
  const reason = reasonOf(test);
  if (reason !== undefined) return path[0].name.includes(reason) ? path[0].name : `${path[0].name} ${reason}`;
  return (path.find((task) => task.options.mode === "skip") ?? test).fullName;
}
