import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ChanceryProcess, type ClientHome, clientHome, needClients, startChancery } from "@chancery/testing";
import { run } from "../../services/chancery/src/command-line.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const COMMAND = pathToFileURL(join(import.meta.dirname, "../../services/chancery/dist/shard-command.js")).href;
/** In the order in which the command comes past them. */
const STEPS = ["frozen", "key", "mark", "file"];
/** How each is told to write into the v1 log, and into what kind of bundle. */
const WAYS = ["cosign-2", "cosign-2-new", "cosign-3"] as const;
type Way = (typeof WAYS)[number];
const client = (way: Way) => (way === "cosign-3" ? way : "cosign-2");
const format = (way: Way) => (way === "cosign-2-new" ? ["--new-bundle-format"] : []);

/** One each: the two generations of cosign keep what they trust in the same place, in different ways. */
type Homes = Readonly<Record<"cosign-2" | "cosign-3", ClientHome>>;

const { missing, reason } = needClients("cosign-2", "cosign-3", "rekor-cli");

describe.skipIf(missing)(`real clients over two shards of the v1 log${reason}`, () => {
  let stack: ChanceryProcess;
  let first: ChanceryProcess | undefined;
  let home: ClientHome;
  let told: Homes;
  let older: number;

  const identity = () => ["--certificate-identity=dev@example.com", `--certificate-oidc-issuer=${stack.url}/idp`];
  const bundleOf = (way: Way, name: string) => `--bundle=${home.path(`${name}-${way}`)}`;

  /** To v1, which cosign 3 speaks where a signing config offers nothing newer. */
  async function where(way: Way): Promise<string[]> {
    if (way !== "cosign-3") return [`--fulcio-url=${stack.url}`, `--rekor-url=${stack.url}`];
    const config = (await (await fetch(`${stack.url}/trust/signing_config.v0.2.json`)).json()) as {
      rekorTlogUrls: { majorApiVersion: number }[];
    };
    const v1 = config.rekorTlogUrls.filter(({ majorApiVersion }) => majorApiVersion === 1);
    expect(v1).toHaveLength(1);
    const path = await home.write("signing_config.json", JSON.stringify({ ...config, rekorTlogUrls: v1 }));
    return [`--signing-config=${path}`];
  }

  async function sign(way: Way, name: string, from = told): Promise<void> {
    const file = await home.write(name, `the file ${name}`);
    const token = `--identity-token=${await stack.token()}`;
    const args = [...format(way), ...(await where(way)), token, bundleOf(way, name), file];
    await from[client(way)].run(client(way), "sign-blob", "--yes", ...args);
  }

  /** By `root`, a file, where the client takes one, so that nothing is asked of anyone; else by what it has from TUF. */
  async function verify(way: Way, name: string, root?: "before" | "after"): Promise<void> {
    const isFile = way === "cosign-2-new" || (way === "cosign-3" && root !== undefined);
    const trusted = isFile ? [`--trusted-root=${home.path(root ?? "after")}`] : [];
    const offline = way === "cosign-2" ? ["--offline"] : [];
    const args = [...format(way), ...offline, ...trusted, bundleOf(way, name), ...identity(), home.path(name)];
    await told[client(way)].run(client(way), "verify-blob", ...args);
  }

  const rekorJson = async (...args: string[]) =>
    JSON.parse((await home.run("rekor-cli", ...args, `--rekor_server=${stack.url}`, "--format=json")).stdout);

  const installation = () => readFileSync(join(stack.data, "installation.json"), "utf8");

  beforeAll(async () => {
    [stack, home] = await Promise.all([startChancery(), clientHome()]);
    told = { "cosign-2": await clientHome(), "cosign-3": await clientHome() };
    for (const cosign of ["cosign-2", "cosign-3"] as const) {
      await told[cosign].run(cosign, "initialize", `--mirror=${stack.url}/tuf`, `--root=${stack.url}/tuf/root.json`);
    }
    await home.write("before", await (await fetch(`${stack.url}/trust/trusted_root.json`)).text());
    for (const way of WAYS) await sign(way, "old");
    older = (await rekorJson("loginfo")).ActiveTreeSize;
    expect(older).toBe(3);
  });
  afterAll(async () => {
    // The first start's folder goes last.
    const homes = [home, ...Object.values(told ?? {})];
    await Promise.all([stack, ...homes].map((part) => part?.[Symbol.asyncDispose]()));
    await first?.[Symbol.asyncDispose]();
  });

  test("a roll that is killed after any of its steps is finished by the same command, and changes nothing that was told", async () => {
    const before = JSON.parse(installation());
    for (const step of STEPS) {
      const program = `const { shardCommand } = await import(${JSON.stringify(COMMAND)});
        const argv = ["--log", "rekor", "--for-ever", "--data", ${JSON.stringify(stack.data)}];
        const kill = async (done) => done === ${JSON.stringify(step)} && process.kill(process.pid, "SIGKILL");
        await shardCommand(argv, {}, (text) => process.stdout.write(text), kill);`;
      // A file, as the command is: threads of a program that is given as text are told that they are text, too, and end.
      const file = await home.write("shard-until.mjs", program);
      const killed = spawnSync(process.execPath, [file], { encoding: "utf8" });
      expect([killed.signal, killed.stderr], step).toEqual(["SIGKILL", ""]);
      const state = step === STEPS[0] ? "frozen for ever" : "was frozen already";
      expect(killed.stdout).toBe(`rekor: ${state}, with ${older} entries\n`);
      const { rekorShards, ...rest } = JSON.parse(installation());
      expect(rest).toEqual(before);
      expect(rekorShards === undefined, step).toBe(step !== "file");
    }
    const file = installation();
    let said = "";
    const terminal = { out: (text: string) => void (said += text), err: (text: string) => void (said += text) };
    expect(await run(["shard", "--log", "rekor", "--for-ever", "--data", stack.data], {}, terminal)).toBe(0);
    expect(said).toMatch(/^rekor-shard-2: is awaited already/);
    expect(installation()).toBe(file);
    const keys = readdirSync(join(stack.data, "keys")).filter((name) => name.startsWith("rekor"));
    expect(keys.toSorted()).toEqual(["rekor-shard-2.pem", "rekor-v2.pem", "rekor.pem"]);
    expect(statSync(join(stack.data, "keys", "rekor-shard-2.pem")).mode & 0o777).toBe(0o600);
    expect(await stack.stop()).toBe(0);
    // There is nothing to be asked.
    for (const way of WAYS) await verify(way, "old", "before");
    [first, stack] = [stack, await stack.again()];
    expect((await fetch(`${stack.url}/readyz`)).status).toBe(200);
  });

  test("who was told nothing signs into the new shard; what was signed before and after verifies with the new keys", async () => {
    for (const way of WAYS) await sign(way, "new");
    await home.write("after", await (await fetch(`${stack.url}/trust/trusted_root.json`)).text());
    // cosign 2 believes what it has from TUF for as long as that says, and cosign 3 asks each time.
    await expect(verify("cosign-2", "new")).rejects.toThrow("rekor log public key not found for payload");
    await told["cosign-2"].run(
      "cosign-2",
      "initialize",
      `--mirror=${stack.url}/tuf`,
      `--root=${stack.url}/tuf/root.json`,
    );
    for (const way of WAYS) {
      for (const name of ["old", "new"]) await verify(way, name);
      for (const name of ["old", "new"]) await verify(way, name, "after");
    }
  });

  test("a trusted root of before does not know what is signed after", async () => {
    await expect(verify("cosign-3", "new", "before")).rejects.toThrow("ended with 1");
    await expect(verify("cosign-2-new", "new", "before")).rejects.toThrow("ended with 1");
  });

  test("rekor-cli verifies every shard and gets entries of both, by index and by ID", async () => {
    const { ActiveTreeSize, TotalTreeSize, TreeID } = await rekorJson("loginfo");
    expect([ActiveTreeSize, TotalTreeSize]).toEqual([3, older + 3]);
    for (const index of [0, older - 1, older, older + 2]) {
      const found = await rekorJson("get", `--log-index=${index}`);
      expect(found.LogIndex).toBe(index);
      expect(BigInt(`0x${found.UUID.slice(0, 16)}`) === BigInt(TreeID)).toBe(index >= older);
      expect(await rekorJson("get", `--uuid=${found.UUID}`)).toEqual(found);
      expect(await rekorJson("get", `--uuid=${found.UUID.slice(16)}`)).toEqual(found);
    }
  });

  test("fsck finds every shard clean, from inside and from outside", async () => {
    for (const from of [
      ["--data", stack.data],
      ["--url", stack.url],
    ]) {
      let said = "";
      const terminal = { out: (text: string) => void (said += text), err: (text: string) => void (said += text) };
      expect(await run(["fsck", ...from], {}, terminal), said).toBe(0);
      expect(said.match(/^\S+: clean: \d+/gm)).toEqual([
        "rekor: clean: 3",
        "rekor-shard-2: clean: 3",
        "rekor-v2: clean: 0",
        "ctlog: clean: 6",
      ]);
    }
  });
});
