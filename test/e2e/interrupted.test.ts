import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { expect, test } from "vitest";

const TESTING = new URL("../../libs/testing/src/index.ts", import.meta.url).href;
const BENCH = `
  const { startChancery } = await import(${JSON.stringify(TESTING)});
  const { pid, data } = await startChancery();
  console.log(JSON.stringify({ pid, data }));
  setInterval(() => {}, 60_000);
`;

test.for(["SIGTERM", "SIGINT", "SIGKILL"] as const)(
  "a bench that is interrupted by %s leaves no server of ours running",
  async (signal) => {
    const bench = spawn(process.execPath, ["--conditions=@chancery/source", "--input-type=module", "-e", BENCH], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(bench.stdout, "data")) as [Buffer];
    const { pid, data } = JSON.parse(line.toString()) as { pid: number; data: string };
    expect(isRunning(pid)).toBe(true);
    bench.kill(signal);
    await once(bench, "exit");
    await expect.poll(() => isRunning(pid), { timeout: 15_000 }).toBe(false);
    await rm(data, { recursive: true, force: true });
  },
);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
