import { channel } from "node:diagnostics_channel";
import { THREAD_ENDED, type ThreadEnded } from "@chancery/crypto";
import { expect, test } from "vitest";
import { warnOfEndedThreads } from "../src/ended-threads.ts";

test("a verifying thread that dies at each start is warned of once a minute, and how often it was", async () => {
  let [now, warnings] = [0, [] as string[]];
  using opened = new DisposableStack();
  opened.use(
    warnOfEndedThreads(
      (text) => warnings.push(text),
      () => now,
    ),
  );
  const ended: ThreadEnded = { program: "verify-messages", reason: "no memory" };
  for (now = 0; now < 59_000; now += 1_000) channel(THREAD_ENDED).publish(ended);
  expect(warnings).toEqual([expect.stringMatching(/^the thread verify-messages, .* ended: no memory\. /)]);
  now = 60_000;
  channel(THREAD_ENDED).publish(ended);
  expect(warnings.slice(1)).toEqual([expect.stringContaining("no memory, and 58 times more since the last warning.")]);
});

test("nobody is told any more once the program has ended", () => {
  const warnings: string[] = [];
  warnOfEndedThreads((text) => warnings.push(text))[Symbol.dispose]();
  channel(THREAD_ENDED).publish({ program: "verify-messages", reason: "no memory" });
  expect(warnings).toEqual([]);
});
