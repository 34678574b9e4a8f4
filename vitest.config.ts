import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Workspace packages resolve to their sources, never to a stale dist; without the condition in the
// root config and inline projects, tests silently run what was last built. Workers get the list as
// `--conditions`, for require() too: with "import" or "module" in it, pg would be given ESM files.
const source = { ssr: { resolve: { conditions: ["@chancery/source", "node"] } } };

/** By size these small files came last, and two workers had nothing to do while they ran. */
const LONGEST = /\/faults\/failpoints-/;

const isLong = ({ moduleId }: TestSpecification) => LONGEST.test(moduleId);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  ...source,
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        ...source,
        test: {
          name: "unit",
          include: ["libs/*/test/**/*.test.ts", "services/*/test/**/*.test.ts", "test/*.test.ts"],
          setupFiles: ["test/property-seed.ts"],
          // Seconds on a free machine; a thousand files made durable took more than twenty at a load of 20.
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...source,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/fuzz/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        ...source,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 120_000,
          // A soak leaves hundreds of databases, which a crowded disk takes minutes to close and to remove.
          hookTimeout: 120_000 * Math.max(1, Number(process.env["CHANCERY_FAULT_FACTOR"] ?? 1)),
        },
      },
    ],
  },
});
