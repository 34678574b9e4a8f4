import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from "@tufjs/models";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tufKey } from "../src/domain/tuf/key.ts";
import { contentHashes, signMetadata } from "../src/domain/tuf/metadata.ts";
import { TufRepository } from "../src/index.ts";
import { START } from "./installation.ts";
import { serveFiles, TufClient } from "./tuf-client.ts";
import { bytes, DAY, newWorld, rekorKey, rootOf, travelTo, trustedRoot, type World } from "./tuf-world.ts";

/**
 * What a mirror or a thief of the online key cannot do to a client of ours: our metadata must be of the
 * kind that lets it notice. The client is tuf-js; it has seen version 1 before the attack begins.
 */

let world: World;
beforeEach(() => {
  world = newWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

type Forgery = (name: string, honest: Uint8Array | undefined) => Uint8Array | undefined;

const signer = (key: Signer) => ({ signer: key, key: tufKey(key.publicKey, "key") });
const common = (version: number) => ({ specVersion: "1.0.31", version, expires: "2027-01-01T00:00:00Z" });
const metaOf = (version: number, file: Uint8Array) =>
  new MetaFile({ version, length: file.length, hashes: contentHashes(file) });

/** The client's second update, through the forger. */
async function attack(repository: TufRepository, forge: Forgery): Promise<Uint8Array> {
  await using client = await TufClient.trusting(rootOf(repository));
  let forging = false;
  await using mirror = await serveFiles((name) => {
    const honest = repository.file(name)?.bytes;
    return forging ? forge(name, honest) : honest;
  });
  await client.fetch(mirror.url, "trusted_root.json");
  forging = true;
  return await client.fetch(mirror.url, "trusted_root.json");
}

/** All that the online key can sign: a snapshot and a timestamp for targets of the thief's own making. */
async function forgedRelease(online: Signer, targetsSigner: Signer): Promise<Map<string, Uint8Array>> {
  const target = bytes("evil");
  const path = "trusted_root.json";
  const described = new TargetFile({ path, length: target.length, hashes: contentHashes(target) });
  const targets = await signMetadata<"targets">(new Targets({ ...common(9), targets: { [path]: described } }), [
    signer(targetsSigner),
  ]);
  const snapshot = await signMetadata<"snapshot">(
    new Snapshot({ ...common(9), meta: { "targets.json": metaOf(9, targets.bytes) } }),
    [signer(online)],
  );
  const timestamp = await signMetadata<"timestamp">(
    new Timestamp({ ...common(9), snapshotMeta: metaOf(9, snapshot.bytes) }),
    [signer(online)],
  );
  return new Map([
    ["timestamp.json", timestamp.bytes],
    ["9.snapshot.json", snapshot.bytes],
    ["9.targets.json", targets.bytes],
    ...Object.values(contentHashes(target)).map((digest) => [`targets/${digest}.${path}`, target] as const),
  ]);
}

describe("a client of ours", () => {
  test("takes a release that both keys signed: the forger's tools work", async () => {
    const forged = await forgedRelease(world.keys.online, world.keys.root);
    const repository = await TufRepository.open(world);
    expect(await attack(repository, (name, honest) => forged.get(name) ?? honest)).toEqual(bytes("evil"));
  });

  test("does not take targets that the online key signed", async () => {
    const forged = await forgedRelease(world.keys.online, world.keys.online);
    const repository = await TufRepository.open(world);
    await expect(attack(repository, (name, honest) => forged.get(name) ?? honest)).rejects.toThrow(
      /targets was signed by 0\/1 keys|Unable to load/,
    );
  });

  test("does not take a root that only its own keys signed", async () => {
    const thief = signer(ephemeralSigner("ecdsa-p256"));
    const root = new Root({ ...common(2), consistentSnapshot: true });
    for (const role of ["root", "targets", "snapshot", "timestamp"]) root.addKey(thief.key, role);
    const { bytes: forged } = await signMetadata<"root">(root, [thief]);
    const repository = await TufRepository.open(world);
    await expect(attack(repository, (name, honest) => (name === "2.root.json" ? forged : honest))).rejects.toThrow(
      "root was signed by 0/1 keys",
    );
  });

  test("does not take other bytes under a target's name", async () => {
    const repository = await TufRepository.open(world);
    await expect(
      attack(repository, (name, honest) => (name.endsWith(".trusted_root.json") ? bytes("eno") : honest)),
    ).rejects.toThrow(/hash/);
  });

  test("does not take more bytes than were signed for", async () => {
    const repository = await TufRepository.open(world);
    const endless = bytes("one".repeat(100_000));
    await expect(
      attack(repository, (name, honest) => (name.endsWith(".trusted_root.json") ? endless : honest)),
    ).rejects.toThrow(/Max length/);
    await expect(attack(repository, (name, honest) => (name === "timestamp.json" ? endless : honest))).rejects.toThrow(
      /Max length/,
    );
  });

  test("does not go back to an earlier timestamp", async () => {
    const repository = await TufRepository.open(world);
    const old = repository.file("timestamp.json")?.bytes;
    await repository.publish([trustedRoot("two"), rekorKey], START);
    await expect(attack(repository, (name, honest) => (name === "timestamp.json" ? old : honest))).rejects.toThrow(
      "New timestamp version 1 is less than current version 2",
    );
  });

  test("does not mix the snapshot of one release with the timestamp of another", async () => {
    const repository = await TufRepository.open(world);
    const old = repository.file("1.snapshot.json")?.bytes;
    await using client = await TufClient.trusting(rootOf(repository));
    await repository.publish([trustedRoot("two"), rekorKey], START);
    await using mirror = await serveFiles((name) => (name === "2.snapshot.json" ? old : repository.file(name)?.bytes));
    await expect(client.fetch(mirror.url, "trusted_root.json")).rejects.toThrow(/hash|length/i);
  });

  test("notices within a week that it is kept on old metadata", async () => {
    const repository = await TufRepository.open(world);
    await using mirror = await serveFiles((name) => repository.file(name)?.bytes);
    await using client = await TufClient.trusting(rootOf(repository));
    travelTo(START + 7 * DAY - 1000);
    await client.fetch(mirror.url, "trusted_root.json");
    travelTo(START + 7 * DAY + 1000);
    await expect(client.fetch(mirror.url, "trusted_root.json")).rejects.toThrow("timestamp.json is expired");
  });
});
