import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function countsFile() {
  return join(tmpdir(), `chancery-test-counts-${process.pid}.json`);
}

/** What was left out and why, then the last line of a test run, for people and for scripts. False of a run that left no counts, or in which something failed: neither is a passing one. */
export function printCounts(file) {
  try {
    const { passed, failed, leftOut } = JSON.parse(readFileSync(file, "utf8"));
    for (const [title, tests] of Object.entries(leftOut)) {
      process.stdout.write(`left out: ${title} (${tests} ${tests === 1 ? "test" : "tests"})\n`);
    }
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0;
  } catch {
    process.stderr.write("chancery: the test run left no counts\n");
    return false;
  }
}
