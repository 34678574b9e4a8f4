// A vitest reporter that leaves the run's counts in the file named by CHANCERY_TEST_COUNTS, from which the
// launcher prints its last line.

import { writeFileSync } from "node:fs";

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file that could not be loaded, or a hook that failed, has no failing test of its own.
      counts.failed += module.errors().length;
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    }
    const file = process.env["CHANCERY_TEST_COUNTS"];
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
  }
}
