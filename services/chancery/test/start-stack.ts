import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@chancery/service";
import { freePort } from "@chancery/testing";
import { resolveSettings, type RunningStack, type ServeFlags, startStack } from "../src/index.ts";

export interface TestStack extends AsyncDisposable {
  readonly url: string;
  readonly data: string;
  readonly stack: RunningStack;
  /** What was logged, as JSON lines. */
  readonly lines: readonly string[];
}

/** The whole stack in this process, from sources: embedded PostgreSQL, a folder and a port of its own. */
export async function startTestStack(flags: ServeFlags = {}): Promise<TestStack> {
  const data = flags.data ?? (await mkdtemp(join(tmpdir(), "chancery-stack-")));
  const settings = await resolveSettings({ port: String(await freePort()), data, auditor: "off", ...flags }, {});
  const lines: string[] = [];
  const logger = createLogger({ level: "debug", human: false, write: (line) => lines.push(line) });
  const stack = await startStack(settings, { logger });
  return {
    url: settings.url,
    data,
    stack,
    lines,
    [Symbol.asyncDispose]: async () => {
      await stack[Symbol.asyncDispose]();
      if (flags.data === undefined) await rm(data, { recursive: true, force: true });
    },
  };
}
