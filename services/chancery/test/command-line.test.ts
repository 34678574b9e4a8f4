import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../src/command-line.ts";

async function chancery(argv: readonly string[], environment: Record<string, string> = {}) {
  let [out, err] = ["", ""];
  const code = await run(argv, environment, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  });
  return { code, out, err };
}

describe("the command line", () => {
  test("says its version", async () => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
      version: string;
    };
    expect(await chancery(["--version"])).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
  });

  test.for([["--help"], ["-h"], ["serve", "--help"]])("explains itself: %j", async (argv) => {
    const { code, out } = await chancery(argv);
    expect(code).toBe(0);
    for (const flag of ["--host", "--port", "--url", "--data", "--config", "--database-url"])
      expect(out).toContain(flag);
  });

  test.for([
    [[], "there is no such command"],
    [["sing"], "sing: there is no such command"],
    [["serve", "now"], "now: is one word too many"],
    [["serve", "--prot", "9000"], "--prot"],
    [["serve", "--port"], "--port"],
    [["serve", "--port", "ninety"], "--port: ninety is not a port"],
    [["serve", "--host", "0.0.0.0"], "CHANCERY_HOST: 0.0.0.0 is reachable from other machines"],
  ] as const)("refuses %j in one clear line, with exit code 2", async ([argv, reason]) => {
    const { code, out, err } = await chancery(argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(reason);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });

  test("refuses a variable in the same way", async () => {
    const { code, err } = await chancery(["serve"], { CHANCERY_URL: "nowhere" });
    expect([code, err]).toEqual([2, "chancery: CHANCERY_URL: nowhere is not an absolute http or https URL\n"]);
  });

  test("says that the port is taken before it makes anything", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const { code, err } = await chancery(["serve", "--port", String(port), "--data", "/nowhere/at/all"]);
    expect([code, err]).toEqual([
      2,
      `chancery: CHANCERY_PORT: ${port} on 127.0.0.1 is taken; does Chancery run already?\n`,
    ]);
    holder.close();
  });
});
