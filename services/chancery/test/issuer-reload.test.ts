import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Misconfigured } from "@chancery/fault";
import type { IssuerSettings } from "@chancery/fulcio";
import { createLogger, Metrics } from "@chancery/service";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IssuerReload } from "../src/issuer-reload.ts";
import { resolveSettings } from "../src/settings.ts";

const admission = (rules: string) => `chancery: { rekor: { admission: { rekor: ${rules} } } }\n`;
const callers = (name: string) =>
  admission(`{ callers: { tokens: [{ issuer: https://${name}.example.com, audience: log }] } }`);
const readers = (name: string) =>
  `chancery: { readers: { issuer: https://${name}.example.com, client-id: chancery } }\n`;

const issuers = (...names: readonly string[]) =>
  `oidc-issuers:\n${names.map((name) => `  https://${name}.example.com: { client-id: sigstore, type: email }\n`).join("")}`;

let folder: string;
let path: string;
let reload: IssuerReload;
let replaced: string[][];
let lines: string[];
let metrics: Metrics;
let isMended: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-reload-"));
  path = join(folder, "config.yaml");
  [replaced, lines, metrics, isMended] = [[], [], new Metrics(), false];
});
afterEach(async () => {
  await reload[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function replace(settings: readonly IssuerSettings[]): void {
  if (!isMended && settings.some(({ url }) => url.includes("impossible")))
    throw new Misconfigured("oidc-issuers", "no");
  replaced.push(settings.map(({ url }) => new URL(url).hostname.split(".")[0]!));
}

async function start(quiet: (signal: AbortSignal) => Promise<void> = async () => {}): Promise<void> {
  const { configFile: config, check } = await resolveSettings({ config: path }, {});
  const logger = createLogger({ level: "debug", human: false, write: (line) => lines.push(line) });
  reload = new IssuerReload({ file: config!, issuers: { replace }, check, logger, metrics, quiet });
}

const series = async () => (await metrics.registry.metrics()).split("\n").filter((line) => line.startsWith("chancery"));

describe("the issuers' file", () => {
  test("is taken anew when it changes, without being told", async () => {
    await writeFile(path, issuers("one"));
    await start();
    await writeFile(path, issuers("one", "two"));
    await expect.poll(() => replaced, { timeout: 10_000 }).toEqual([["one", "two"]]);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(replaced).toHaveLength(1);
    expect(reload.warning()).toBeUndefined();
  });

  test("is taken anew when the folder it is linked to is swapped, as a ConfigMap is", async () => {
    const publish = async (name: string, text: string) => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "config.yaml"), text);
      await symlink(name, join(folder, "..data_tmp"));
      await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    };
    await publish("..2026_1", issuers("one"));
    await symlink("..data/config.yaml", path);
    await start();
    await publish("..2026_2", issuers("two"));
    await rm(join(folder, "..2026_1"), { recursive: true });
    await expect.poll(() => replaced, { timeout: 10_000 }).toEqual([["two"]]);
  });

  test("is taken anew when asked, changed or not", async () => {
    await writeFile(path, issuers("one"));
    await start();
    await reload.reload();
    await Promise.all([reload.reload(), reload.reload()]);
    expect(replaced).toEqual([["one"], ["one"], ["one"]]);
    expect(await series()).toContain('chancery_config_reloads_total{outcome="replaced"} 3');
  });

  test.for([
    ["is damaged", "oidc-issuers: [", "config.yaml: "],
    ["names no issuer", "define: {}", "no issuer is configured"],
    ["lost its issuers to what stands beside them", "chancery: { port: 9000 }", "no issuer is configured any more"],
    ["has a key that is not known", `${issuers("one")}oidc-isuers: {}`, "is not a key that is known here"],
    ["has an issuer that cannot work", issuers("impossible"), "oidc-issuers: no"],
    [
      "lets callers of an unknown issuer write",
      `${issuers("one")}${callers("two")}`,
      "tokens.0.issuer: https://two.example.com is not among the oidc-issuers",
    ],
    [
      "names a signer's key that is not there",
      `${issuers("one")}${admission("{ signers: { keys: [nokey.pem] } }")}`,
      "chancery.rekor.admission.rekor.signers.keys.0: ",
    ],
    [
      "lets readers of an unknown issuer in",
      `${issuers("one")}${readers("two")}`,
      "chancery.readers.issuer: https://two.example.com is not among the oidc-issuers",
    ],
    ["is empty", "", "must be a mapping of keys"],
  ])("that %s changes nothing; why is logged once, counted and shown until it is mended", async ([, text, reason]) => {
    await writeFile(path, issuers("one"));
    await start();
    await writeFile(path, text!);
    await reload.reload();
    await reload.reload();
    expect(replaced).toEqual([]);
    expect(reload.warning()).toContain(reason);
    expect(lines.filter((line) => line.includes("the issuers stay as they were"))).toHaveLength(1);
    expect(await series()).toEqual([
      'chancery_config_reloads_total{outcome="refused"} 1',
      "chancery_config_in_force 0",
    ]);
    await writeFile(path, issuers("one"));
    await reload.reload();
    expect(replaced).toEqual([["one"]]);
    expect(reload.warning()).toBeUndefined();
    expect(await series()).toContain("chancery_config_in_force 1");
  });

  test("that drops a caller's rule together with its issuer is taken, and says which rule in force works no more", async () => {
    await writeFile(path, `${issuers("one", "two")}${callers("two")}`);
    await start();
    await writeFile(path, issuers("one"));
    await reload.reload();
    expect(replaced).toEqual([["one"]]);
    expect(lines.join("")).toContain(
      "takes effect at the next start; until then the one of before is in force, and not all of it works any more " +
        "(chancery.rekor.admission.rekor.callers.tokens.0.issuer: https://two.example.com is not among the oidc-issuers",
    );
  });

  test("whose section chancery alone changed says no more than when that takes effect", async () => {
    await writeFile(path, `${issuers("one", "two")}${callers("two")}`);
    await start();
    await writeFile(path, issuers("one", "two"));
    await reload.reload();
    expect(lines.join("")).toContain("takes effect at the next start");
    expect(lines.join("")).not.toContain("until then");
  });

  test("that names a file with a fault is taken when that is mended, though it did not change itself", async () => {
    await writeFile(path, issuers("one"));
    await start();
    await writeFile(path, issuers("impossible"));
    await reload.reload();
    expect(reload.warning()).toContain("oidc-issuers: no");
    isMended = true;
    await expect.poll(() => replaced, { timeout: 10_000 }).toEqual([["impossible"]]);
    expect(reload.warning()).toBeUndefined();
  });

  test("that is gone for a moment changes nothing", async () => {
    await writeFile(path, issuers("one"));
    await start();
    await rm(path);
    await reload.reload();
    expect(reload.warning()).toContain("cannot be read");
    await writeFile(path, issuers("one"));
    await expect.poll(() => reload.warning(), { timeout: 10_000 }).toBeUndefined();
  });

  test.for([
    ["callers", callers("two")],
    ["readers", readers("two")],
  ])("that lost the issuer which its %s are of changes nothing", async ([, own]) => {
    await writeFile(path, `${issuers("one", "two")}${own}`);
    await start();
    await writeFile(path, `${issuers("one")}${own}`);
    await reload.reload();
    expect(replaced).toEqual([]);
    expect(reload.warning()).toContain("issuer: https://two.example.com is not among the oidc-issuers");
    expect(await series()).toContain("chancery_config_in_force 0");
  });

  test("whose own section changed says that it takes a start", async () => {
    await writeFile(path, issuers("one"));
    await start();
    await writeFile(path, `${issuers("one")}chancery: { log-level: debug }\n`);
    await reload.reload();
    expect(lines.join("")).toContain("takes effect at the next start");
  });
});

/** Pauses between two looks at the file, each of which a test ends. */
function pauses() {
  const waiting: (() => void)[] = [];
  let begun = Promise.withResolvers<void>();
  return {
    quiet: async (signal: AbortSignal) => {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => reject(new Error("ended")));
      waiting.push(resolve);
      begun.resolve();
      return promise;
    },
    /** Resolves when one has begun; `end` ends it. */
    async next(): Promise<() => void> {
      await begun.promise;
      begun = Promise.withResolvers();
      return waiting.shift()!;
    },
  };
}

describe("a file that is still being written", () => {
  const whole = issuers("two", "three");

  test.for([
    ["reads as a whole one with fewer issuers", issuers("two")],
    ["is damaged as far as it is there", whole.slice(0, -12)],
    ["is empty yet", ""],
  ])("and %s is neither taken nor refused; the whole one is, once", async ([, half]) => {
    const pause = pauses();
    await writeFile(path, issuers("one"));
    await start(pause.quiet);
    await writeFile(path, half!);
    const end = await pause.next();
    await writeFile(path, whole);
    end();
    const endSecond = await pause.next();
    expect([replaced, reload.warning()]).toEqual([[], undefined]);
    endSecond();
    await expect.poll(() => replaced).toEqual([["two", "three"]]);
    expect(reload.warning()).toBeUndefined();
    expect(lines.join("")).not.toContain("stay as they were");
    expect(await series()).toEqual([
      'chancery_config_reloads_total{outcome="replaced"} 1',
      "chancery_config_in_force 1",
    ]);
  });

  test("and becomes what it was is not taken anew", async () => {
    const pause = pauses();
    await writeFile(path, issuers("one"));
    await start(pause.quiet);
    await writeFile(path, "");
    const end = await pause.next();
    await writeFile(path, issuers("one"));
    end();
    (await pause.next())();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([replaced, reload.warning()]).toEqual([[], undefined]);
  });

  test("does not keep the program from ending", async () => {
    const pause = pauses();
    await writeFile(path, issuers("one"));
    await start(pause.quiet);
    await writeFile(path, "half");
    const asked = reload.reload();
    await pause.next();
    await reload[Symbol.asyncDispose]();
    await asked;
    expect(replaced).toEqual([]);
  });
});
