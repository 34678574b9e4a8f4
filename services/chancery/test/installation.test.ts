import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { encodeHex } from "@chancery/encoding";
import { spkiHash } from "@chancery/crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openAuthority } from "../src/authority/authority.ts";
import { alone } from "../src/installation-file.ts";
import { confirmLogs, KEY_NAMES, LOG_NAMES, openInstallation, OWN_AUTHORITY } from "../src/installation.ts";

let folder: string;
let data: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-installation-"));
  data = join(folder, "data");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const NOW = new Date("2026-11-21T10:11:12.345Z");
const folders = () => ({ data, anchor: join(data, "anchor") });
async function open(hostname = "localhost") {
  const installation = await openInstallation(folders(), hostname, NOW);
  const { created } = installation;
  const authority = await alone(data, () => openAuthority({ directory: data, created, now: NOW }));
  return { ...installation, fulcioChain: authority.chain, authority };
}
type Opened = Awaited<ReturnType<typeof open>>;

/** Those that sign while it serves, and those of the CA and the roots, as files. */
const FILES = [...KEY_NAMES, "fulcio-root", "fulcio-intermediate", "tsa-root"];

const mode = async (...path: string[]) => ((await stat(join(data, ...path))).mode & 0o777).toString(8);

/** Everything about an installation that clients were told. */
function told({ hostname, treeId, shard, created, keys, fulcioChain, tsaChain, authority }: Opened) {
  return {
    hostname,
    treeId,
    shard,
    created,
    keys: KEY_NAMES.map((name) => encodeHex(spkiHash(keys[name].publicKey))),
    issuing: encodeHex(spkiHash(authority.signer.publicKey)),
    windows: authority.generations.map(({ validFor }) => validFor),
    certificates: [...fulcioChain, ...tsaChain].map(({ der }) => encodeHex(der)),
  };
}

const openWith = (key?: "ecdsa-p256" | "ed25519") => openInstallation(folders(), "localhost", NOW, OWN_AUTHORITY, key);

describe("the v2 log's key", () => {
  test("is Ed25519 if that is said before it is made, and stays so without a word", async () => {
    expect((await openWith("ed25519")).keys["rekor-v2"].publicKey.algorithm).toBe("ed25519");
    const { keys } = await openWith();
    expect(KEY_NAMES.filter((name) => keys[name].publicKey.algorithm === "ed25519")).toEqual(["rekor-v2"]);
  });

  test("is not another one because somebody says so later", async () => {
    const { keys } = await openWith();
    await expect(openWith("ed25519")).rejects.toThrow(
      /^chancery.rekor.v2-log-key: the v2 log of this installation signs with ecdsa-p256/,
    );
    expect((await openWith("ecdsa-p256")).keys["rekor-v2"].publicKey.spki).toEqual(keys["rekor-v2"].publicKey.spki);
  });
});

const elsewhere = () => join(folder, "anchors");
const openElsewhere = () => openInstallation({ data, anchor: elsewhere() }, "localhost", NOW);

describe("anchors that lie elsewhere", () => {
  test("keep new keys from being made beside them", async () => {
    await mkdir(join(elsewhere(), "ctlog"), { recursive: true });
    await expect(openElsewhere()).rejects.toThrow(
      `CHANCERY_ANCHOR: ${elsewhere()} holds the anchor of ctlog, and ${data} no installation.json`,
    );
    expect(await readdir(data)).not.toContain("keys");
  });

  test("are none of ours on a new volume", async () => {
    await mkdir(join(elsewhere(), "lost+found"), { recursive: true });
    expect((await openElsewhere()).awaitsLogs).toEqual(LOG_NAMES);
  });
});

describe("the first run", () => {
  test("makes everything once, and the next finds the same", async () => {
    const first = await open();
    expect(first.awaitsLogs).toEqual(LOG_NAMES);
    const second = await open();
    expect(told(second)).toEqual(told(first));
    expect(new Set(told(first).keys).size).toBe(KEY_NAMES.length);
    expect(first.treeId.toString(16)).toHaveLength(16);
    expect(first.shard).toBe("2026");
    expect(first.created).toEqual(new Date("2026-11-21T10:11:12Z"));
  });

  test("keeps the keys to their owner", async () => {
    await open();
    expect(await mode()).toBe("700");
    expect(await mode("keys")).toBe("700");
    for (const name of FILES) expect(await mode("keys", `${name}.pem`)).toBe("600");
  });

  test("makes chains that another library follows", async () => {
    const { fulcioChain, tsaChain } = await open("sigstore.example.com");
    for (const chain of [fulcioChain, tsaChain]) {
      const [first, root] = chain.map(({ der }) => new X509Certificate(der));
      expect(first!.verify(root!.publicKey)).toBe(true);
      expect(first!.checkIssued(root!)).toBe(true);
      expect(root!.verify(root!.publicKey)).toBe(true);
      expect(root!.ca).toBe(true);
      expect(root!.subject).toContain("O=sigstore.example.com");
    }
    expect(new X509Certificate(tsaChain[0]!.der).ca).toBe(false);
  });

  test("two starters at once agree on one", async () => {
    const [a, b] = await Promise.all([open(), open()]);
    expect(told(a)).toEqual(told(b));
  });
});

/** What a kill leaves behind after `steps` of the files were made, in the order they are made. */
async function crashed(steps: number): Promise<void> {
  await open();
  const files = [
    ...FILES.map((name) => join("keys", `${name}.pem`)),
    join("certificates", "fulcio.pem"),
    join("certificates", "tsa.pem"),
    "installation.json",
  ];
  for (const file of files.slice(steps)) await rm(join(data, file));
  await writeFile(join(data, "installation.unfinished"), "");
}

describe("a crash in the first run", () => {
  test.for([0, 1, 4, FILES.length, FILES.length + 1, FILES.length + 2])(
    "after %i files is made good by the next start",
    async (steps) => {
      await crashed(steps);
      const whole = await open();
      expect(whole.awaitsLogs).toEqual(LOG_NAMES);
      expect(told(await open())).toEqual(told(whole));
      expect(await readdir(data)).not.toContain("installation.unfinished");
    },
  );

  test("after everything but the mark changes nothing", async () => {
    const before = told(await open());
    await writeFile(join(data, "installation.unfinished"), "");
    expect(told(await open())).toEqual(before);
  });
});

/** As a version without the v2 API left it. */
async function forgetRekorV2({ keepKey = false } = {}): Promise<void> {
  const path = join(data, "installation.json");
  const file = JSON.parse(await readFile(path, "utf8")) as { keys: Record<string, string> };
  delete file.keys["rekor-v2"];
  await writeFile(path, JSON.stringify(file));
  if (!keepKey) await rm(join(data, "keys", "rekor-v2.pem"));
}

describe("the logs", () => {
  test("may be created until they were, however often a start is cut off before", async () => {
    await open();
    expect((await open()).awaitsLogs).toEqual(LOG_NAMES);
    await confirmLogs(data);
    expect((await open()).awaitsLogs).toEqual([]);
  });

  test("of an installation older than the v2 API get one of that API, and nothing else is made anew", async () => {
    const before = told(await open());
    await confirmLogs(data);
    await forgetRekorV2();
    const upgraded = await open();
    expect(upgraded.awaitsLogs).toEqual(["rekor-v2"]);
    const after = told(upgraded);
    const place = KEY_NAMES.indexOf("rekor-v2");
    expect(after.keys[place]).not.toBe(before.keys[place]);
    expect({ ...after, keys: after.keys.toSpliced(place, 1) }).toEqual({
      ...before,
      keys: before.keys.toSpliced(place, 1),
    });
    expect(await mode("keys", "rekor-v2.pem")).toBe("600");
    // Cut off before the log was made, and again, it is still the same key; then the log may be lost no more.
    expect(told(await open())).toEqual(after);
    expect((await open()).awaitsLogs).toEqual(["rekor-v2"]);
    await confirmLogs(data);
    expect((await open()).awaitsLogs).toEqual([]);
  });

  test("an old installation.json beside a v2 log that has signed is refused, not given a new key", async () => {
    await open();
    await confirmLogs(data);
    await mkdir(join(data, "anchor", "rekor-v2"), { recursive: true });
    const key = await readFile(join(data, "keys", "rekor-v2.pem"), "utf8");
    await forgetRekorV2({ keepKey: true });
    await expect(open()).rejects.toThrow("is older than its v2 log");
    expect(await readFile(join(data, "keys", "rekor-v2.pem"), "utf8")).toBe(key);
  });
});

describe("what is refused", () => {
  test.for(["keys", "certificates", "tuf", "anchor", "postgres"])(
    "a folder with %s and no installation.json: new keys beside an old log are a fork",
    async (left) => {
      await mkdir(join(data, left), { recursive: true });
      await expect(open()).rejects.toThrow(`CHANCERY_DATA: ${data} holds ${left} and no installation.json`);
      expect(await readdir(join(data, left))).toEqual([]);
    },
  );

  test.for(["tuf", "anchor", "postgres"])(
    "a folder with %s and the mark of a first run: its keys have signed, and a first run would delete them",
    async (left) => {
      await open();
      const key = await readFile(join(data, "keys", "rekor.pem"), "utf8");
      await rm(join(data, "installation.json"));
      await mkdir(join(data, left));
      await writeFile(join(data, "installation.unfinished"), "");
      await expect(open()).rejects.toThrow(`CHANCERY_DATA: ${data} holds ${left} and no installation.json`);
      expect(await readFile(join(data, "keys", "rekor.pem"), "utf8")).toBe(key);
    },
  );

  test("another host name, for it stands in every checkpoint", async () => {
    await open("localhost");
    await expect(open("sigstore.example.com")).rejects.toThrow("CHANCERY_URL: this installation signs as localhost");
  });

  test("a key file that was swapped", async () => {
    await open();
    await cp(join(data, "keys", "tsa.pem"), join(data, "keys", "rekor.pem"));
    await expect(open()).rejects.toThrow("rekor.pem: is not the key that this installation was made with");
  });

  test("a key file that others can read", async () => {
    await open();
    await chmod(join(data, "keys", "ctlog.pem"), 0o644);
    await expect(open()).rejects.toThrow(/ctlog\.pem: .*chmod 600/);
  });

  test("a certificate of another key", async () => {
    await open();
    const fulcio = join(data, "certificates", "fulcio.pem");
    const mine = await readFile(fulcio, "utf8");
    await cp(join(data, "certificates", "tsa.pem"), fulcio);
    await expect(open()).rejects.toThrow(
      "fulcio.pem: certificate 1 of 2 (O=localhost, CN=Chancery timestamp authority): is not of the key",
    );
    await writeFile(fulcio, mine);
    await cp(fulcio, join(data, "certificates", "tsa.pem"));
    await expect(open()).rejects.toThrow("the first certificate is not of the key that signs under it");
  });

  test("a root's key that others can read, though no start opens it, and none at all is no fault", async () => {
    await open();
    await chmod(join(data, "keys", "fulcio-root.pem"), 0o644);
    await expect(open()).rejects.toThrow(/fulcio-root\.pem: .*chmod 600/);
    for (const name of ["fulcio-root", "tsa-root"]) await rm(join(data, "keys", `${name}.pem`));
    await open();
  });

  test.for([
    ["", /installation\.json/],
    ["{", /installation\.json/],
    ['{"version":2}', /version/],
  ] as const)("a damaged installation.json: %j", async ([text, reason]) => {
    await open();
    await writeFile(join(data, "installation.json"), text);
    await expect(open()).rejects.toThrow(reason);
    expect(await readFile(join(data, "installation.json"), "utf8")).toBe(text);
  });
});
