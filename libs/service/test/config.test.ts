import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { loadConfig, parseConfig } from "../src/index.ts";

const schema = z.strictObject({
  port: z.int().min(1),
  log: z.strictObject({ level: z.enum(["info", "debug"]) }).optional(),
});
const parse = (text: string) => parseConfig(text, "x.yaml", schema);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a configuration", () => {
  test("may be YAML or JSON", () => {
    expect(parse("port: 1\nlog: { level: info }\n")).toEqual({ port: 1, log: { level: "info" } });
    expect(parse('{"port": 1}')).toEqual({ port: 1 });
  });

  test.for([
    ["prot: 1\nport: 1", "prot", "unknown key in x.yaml"],
    ["port: 1\nlog: { level: info, colour: yes }", "log.colour", "unknown key in x.yaml"],
    ["port: no", "port", "expected number"],
    ["log: { level: info }", "port", "expected number"],
    ["port: 1\nlog: { level: loud }", "log.level", "Invalid option"],
    ["port: 1\nport: 2", "x.yaml", "Map keys must be unique"],
    ["port: [1", "x.yaml", ""],
    ["", "x.yaml", "expected object"],
  ])("%j is refused naming %s", ([text, key, reason]) => {
    let refusal: unknown;
    try {
      parse(text!);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Misconfigured);
    expect(refusal).toMatchObject({ key });
    expect((refusal as Misconfigured).message).toContain(reason);
  });

  test("cannot reach a prototype", () => {
    expect(() => parse("port: 1\n__proto__: { polluted: true }")).toThrow();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("is read from a file in UTF-8 of at most 1 MiB", async () => {
    const file = join(folder, "c.yaml");
    await writeFile(file, "port: 7");
    expect(await loadConfig(file, schema)).toEqual({ port: 7 });
    await writeFile(file, Buffer.from([0x70, 0xff, 0xfe]));
    await expect(loadConfig(file, schema)).rejects.toThrow("is not UTF-8");
    await writeFile(file, `# ${"x".repeat(1024 * 1024)}`);
    await expect(loadConfig(file, schema)).rejects.toThrow("larger than 1 MiB");
    await expect(loadConfig(join(folder, "none"), schema)).rejects.toThrow("cannot be read (ENOENT)");
  });
});
