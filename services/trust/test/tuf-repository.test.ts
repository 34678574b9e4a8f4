import { verify } from "node:crypto";
import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { Misconfigured, RefusedToSign } from "@chancery/fault";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { staleness, TufRepository, type TufRepositoryOptions } from "../src/index.ts";
import { START } from "./installation.ts";
import { serveFiles, serveRepository, TufClient } from "./tuf-client.ts";
import { bytes, DAY, newWorld, rekorKey, rootOf, travelTo, trustedRoot, versions, type World } from "./tuf-world.ts";

let world: World;
beforeEach(() => {
  world = newWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

/** As the fields that these tests look at. */
interface MetadataJson {
  readonly signatures: readonly [{ readonly keyid: string; readonly sig: string }];
  readonly signed: {
    readonly expires: string;
    readonly consistent_snapshot: boolean;
    readonly keys: Record<string, { readonly keyval: { readonly public: string } }>;
    readonly roles: Record<string, { readonly keyids: readonly string[]; readonly threshold: number }>;
    readonly targets: Record<string, { hashes: { sha256: string; sha512: string }; length: number; custom: unknown }>;
  };
}
const json = (repository: TufRepository, name: string) =>
  JSON.parse(new TextDecoder().decode(repository.file(name)!.bytes)) as MetadataJson;

/** TUF's canonical JSON, written down again: sorted names, no spaces, line breaks raw within texts. */
function canonical(value: unknown): string {
  if (typeof value === "string") return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `"${name}":${canonical(member)}`).join(",")}}`;
}

describe("a new repository", () => {
  test("is one that tuf-js updates from, targets verified", async () => {
    const repository = await TufRepository.open(world);
    await using mirror = await serveRepository(repository);
    await using client = await TufClient.trusting(rootOf(repository));
    expect(await client.fetch(mirror.url, "trusted_root.json")).toEqual(bytes("one"));
    expect(await client.fetch(mirror.url, "rekor.pub")).toEqual(bytes("key"));
    expect(versions(repository)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 1 });
  });

  test("gives the online key no say over what is trusted", async () => {
    const { signed } = json(await TufRepository.open(world), "1.root.json");
    const { root, targets, snapshot, timestamp } = signed.roles;
    expect(root).toEqual(targets);
    expect(snapshot).toEqual(timestamp);
    expect(root!.keyids).not.toEqual(timestamp!.keyids);
    expect(root!.threshold).toBe(1);
    expect(signed.consistent_snapshot).toBe(true);
  });

  test("names its keys as Sigstore's public root does: PEM, under the ID of their canonical JSON", async () => {
    const { signed, signatures } = json(await TufRepository.open(world), "1.root.json");
    for (const key of Object.values(signed.keys)) {
      expect(key).toMatchObject({ keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256" });
      expect(key.keyval.public).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    }
    const [signature] = signatures;
    const key = signed.keys[signature.keyid]!.keyval.public;
    expect(verify("sha256", bytes(canonical(signed)), key, Buffer.from(signature.sig, "hex"))).toBe(true);
  });

  test("holds each target under both of its hashes, and times in whole seconds", async () => {
    travelTo(START + 123);
    const repository = await TufRepository.open({ ...world, now: START + 123 });
    const { hashes, length, custom } = json(repository, "1.targets.json").signed.targets["rekor.pub"]!;
    expect(repository.file(`targets/${hashes.sha256}.rekor.pub`)?.bytes).toEqual(bytes("key"));
    expect(repository.file(`targets/${hashes.sha512}.rekor.pub`)?.bytes).toEqual(bytes("key"));
    expect(length).toBe(3);
    expect(custom).toEqual(rekorKey.custom);
    expect(json(repository, "timestamp.json").signed.expires).toBe("2026-01-08T00:00:00Z");
  });

  test("serves files by whole name only, versioned ones for ever", async () => {
    const repository = await TufRepository.open(world);
    for (const name of [
      "",
      ".",
      "../timestamp.json",
      "targets",
      "targets/",
      "2.root.json",
      "targets.json",
      "unfinished",
    ]) {
      expect(repository.file(name)).toBeUndefined();
    }
    expect(repository.file("__proto__")).toBeUndefined();
    expect(repository.file("1.snapshot.json")?.immutable).toBe(true);
    expect(repository.file("timestamp.json")?.immutable).toBe(false);
    expect(repository.file("root.json")?.immutable).toBe(false);
    expect(rootOf(repository)).toEqual(repository.file("1.root.json")!.bytes);
  });

  test.for(["../evil", "a/b", ".hidden", "", "a\nb", "-x"])("refuses the target name %j", async (name) => {
    await expect(TufRepository.open({ ...world, targets: [{ name, bytes: bytes("x") }] })).rejects.toThrow(
      Misconfigured,
    );
  });

  test("refuses two targets of one name, one key for both offices, and a key that clients cannot read", async () => {
    const refused = (change: Partial<TufRepositoryOptions>) =>
      expect(TufRepository.open({ ...world, ...change })).rejects.toThrow(Misconfigured);
    await refused({ targets: [rekorKey, rekorKey] });
    await refused({ keys: { root: world.keys.online, online: world.keys.online } });
    await refused({ keys: { root: ephemeralSigner("ecdsa-p384"), online: world.keys.online } });
    await refused({ keys: { online: world.keys.online } });
    expect(world.directory.files.size).toBe(0);
  });
});

describe("a repository found again", () => {
  test("is the same one: the same root, nothing signed anew", async () => {
    const before = await TufRepository.open(world);
    const after = await TufRepository.open({ ...world, now: START + 1000 });
    for (const name of world.directory.files.keys()) expect(after.file(name)).toEqual(before.file(name));
    expect(versions(after)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 1 });
  });

  test("publishes what changed, once, and a client follows", async () => {
    const first = await TufRepository.open(world);
    await using client = await TufClient.trusting(rootOf(first));
    await using old = await serveRepository(first);
    await client.fetch(old.url, "trusted_root.json");

    const targets = [trustedRoot("two"), rekorKey];
    const second = await TufRepository.open({ ...world, targets });
    expect(versions(second)).toEqual({ root: 1, targets: 2, snapshot: 2, timestamp: 2 });
    expect(await second.publish(targets.toReversed(), START)).toEqual([]);
    await using mirror = await serveRepository(second);
    expect(await client.fetch(mirror.url, "trusted_root.json")).toEqual(bytes("two"));
    expect([await client.version("targets"), await client.version("timestamp")]).toEqual([2, 2]);
  });

  test("notices a change of custom metadata alone", async () => {
    const repository = await TufRepository.open(world);
    const expired = { sigstore: { ...rekorKey.custom!.sigstore, status: "Expired" } };
    const roles = await repository.publish([trustedRoot("one"), { ...rekorKey, custom: expired }], START);
    expect(roles).toEqual(["targets", "snapshot", "timestamp"]);
  });

  test("a client that is half-way through an update finds the versions it began with", async () => {
    const repository = await TufRepository.open(world);
    await using client = await TufClient.trusting(rootOf(repository));
    // The timestamp is read before the change, all else after it.
    const early = repository.file("timestamp.json")!.bytes;
    await repository.publish([trustedRoot("two")], START);
    await using mirror = await serveFiles((name) => (name === "timestamp.json" ? early : repository.file(name)?.bytes));
    expect(await client.fetch(mirror.url, "trusted_root.json")).toEqual(bytes("one"));
  });

  test("works with the root key offline, and refuses only what needs it", async () => {
    await TufRepository.open(world);
    const offline = { ...world, keys: { online: world.keys.online } };
    const repository = await TufRepository.open(offline);
    expect(await repository.renew(START + 2 * DAY)).toEqual(["timestamp"]);
    await expect(repository.publish([trustedRoot("two")], START)).rejects.toThrow(/offline/);
    expect(versions(repository)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 2 });
    // A year on, the root has run out, and all that is left is to say so.
    await repository.renew(START + 370 * DAY);
    expect(staleness(repository.status(), START + 370 * DAY)).toMatch(
      /^TUF (root|targets) metadata expired at 2027-01-01/,
    );
  });
});

describe("what is refused rather than served", () => {
  const targets = [trustedRoot("two"), rekorKey];
  const reopened = (change: Partial<TufRepositoryOptions> = {}) => TufRepository.open({ ...world, targets, ...change });

  beforeEach(async () => {
    await TufRepository.open(world);
    await reopened();
  });

  test("a directory under another root key or another online key", async () => {
    const other = ephemeralSigner("ecdsa-p256");
    await expect(reopened({ keys: { ...world.keys, root: other } })).rejects.toThrow(/root is signed by key/);
    await expect(reopened({ keys: { ...world.keys, online: other } })).rejects.toThrow(/snapshot is signed by key/);
  });

  test.for(["1.root.json", "root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"])(
    "a directory without %s",
    async (name) => {
      world.directory.files.delete(name);
      await expect(reopened()).rejects.toThrow(Misconfigured);
    },
  );

  test.for(["1.root.json", "root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"])(
    "a directory with one digit changed in %s",
    async (name) => {
      const text = new TextDecoder().decode(world.directory.files.get(name));
      world.directory.files.set(name, bytes(text.replace(/"expires": "202./, '"expires": "2099')));
      await expect(reopened()).rejects.toThrow(Misconfigured);
    },
  );

  test("a damaged or missing target", async () => {
    const name = [...world.directory.files.keys()].find((each) => each.endsWith(".rekor.pub"))!;
    world.directory.files.set(name, bytes("kez"));
    await expect(reopened()).rejects.toThrow(/is damaged/);
    world.directory.files.delete(name);
    await expect(reopened()).rejects.toThrow(/is missing/);
  });

  test("a timestamp put back to an earlier version, at the next start and while running", async () => {
    const repository = await reopened();
    const old = world.directory.copy();
    await repository.renew(START + 2 * DAY);
    expect(world.floor.version).toBe(3);
    world.directory.files.set("timestamp.json", old.files.get("timestamp.json")!);
    await expect(reopened()).rejects.toThrow(
      /is an old copy: it holds timestamp version 2, and 3 was given out before/,
    );
    await expect(repository.renew(START + 4 * DAY)).rejects.toThrow(RefusedToSign);
  });

  test("an empty directory where there was a repository", async () => {
    world.directory.files.clear();
    await expect(reopened()).rejects.toThrow(/given out before/);
  });

  test("root versions with one missing among them", async () => {
    const repository = await reopened();
    for (const days of [200, 400]) await repository.renew(START + days * DAY);
    world.directory.files.delete("2.root.json");
    await expect(reopened()).rejects.toThrow("2.root.json is missing below 3.root.json");
  });

  test("a release whose signature does not verify", async () => {
    const broken: Signer = { publicKey: world.keys.online.publicKey, sign: async () => new Uint8Array(70) };
    const repository = await reopened({ keys: { ...world.keys, online: broken } });
    const before = new Map(world.directory.files);
    await expect(repository.publish([trustedRoot("three")], START)).rejects.toThrow(RefusedToSign);
    expect(world.directory.files).toEqual(before);
  });
});
