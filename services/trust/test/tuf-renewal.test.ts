import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { staleness, TufRepository } from "../src/index.ts";
import { START } from "./installation.ts";
import { MemoryDirectory, MemoryFloor } from "./memory-directory.ts";
import { serveFiles, serveRepository, TufClient } from "./tuf-client.ts";
import { bytes, DAY, newWorld, rekorKey, rootOf, travelTo, trustedRoot, versions, type World } from "./tuf-world.ts";

let world: World;
beforeEach(() => {
  world = newWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("renewal", () => {
  test("over 400 days a client that looks every third day never meets expired metadata", async () => {
    const repository = await TufRepository.open(world);
    await using mirror = await serveRepository(repository);
    await using client = await TufClient.trusting(rootOf(repository));
    for (let day = 0; day <= 400; day++) {
      const now = travelTo(START + day * DAY);
      await repository.renew(now);
      expect(staleness(repository.status(), now)).toBeUndefined();
      if (day % 3 === 0) await client.fetch(mirror.url, "trusted_root.json");
    }
    expect(versions(repository)).toEqual({ root: 3, targets: 3, snapshot: 7, timestamp: 401 });
    expect(await client.version("root")).toBe(3);
  });

  test("a client that knows only the first root, long expired, finds its way to the current one", async () => {
    const repository = await TufRepository.open(world);
    for (let day = 0; day <= 800; day += 50) await repository.renew(START + day * DAY);
    travelTo(START + 800 * DAY);
    await using mirror = await serveRepository(repository);
    await using client = await TufClient.trusting(rootOf(repository));
    expect(await client.fetch(mirror.url, "trusted_root.json")).toEqual(bytes("one"));
    expect(await client.version("root")).toBe(versions(repository)["root"]);
  });

  test("an installation that was off for two years comes back whole", async () => {
    await TufRepository.open(world);
    const now = travelTo(START + 730 * DAY);
    const repository = await TufRepository.open({ ...world, now });
    expect(versions(repository)).toEqual({ root: 2, targets: 2, snapshot: 2, timestamp: 2 });
    expect(staleness(repository.status(), now)).toBeUndefined();
    await using mirror = await serveRepository(repository);
    await using client = await TufClient.trusting(rootOf(repository));
    expect(await client.fetch(mirror.url, "trusted_root.json")).toEqual(bytes("one"));
  });

  test("signs the timestamp once a day, however often it is asked", async () => {
    const repository = await TufRepository.open(world);
    for (let hour = 1; hour <= 72; hour++) await repository.renew(START + hour * 3_600_000 + 60_000);
    expect(versions(repository)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 4 });
  });

  test("does nothing when the clock has gone back", async () => {
    const repository = await TufRepository.open(world);
    expect(await repository.renew(START - 30 * DAY)).toEqual([]);
  });

  test("the worry begins when half the timestamp's life is gone, and ends in plain words", async () => {
    const repository = await TufRepository.open(world);
    expect(staleness(repository.status(), START + 3.4 * DAY)).toBeUndefined();
    expect(staleness(repository.status(), START + 3.6 * DAY)).toBe(
      "TUF timestamp metadata expires in 3.4 days, at 2026-01-08T00:00:00.000Z, and was not renewed",
    );
    expect(staleness(repository.status(), START + 8 * DAY)).toBe(
      "TUF timestamp metadata expired at 2026-01-08T00:00:00.000Z; clients refuse it",
    );
  });

  test("publishes and renewals that are asked for at once follow one another", async () => {
    const repository = await TufRepository.open(world);
    await Promise.all([
      repository.publish([trustedRoot("two")], START),
      repository.renew(START + 2 * DAY),
      repository.publish([trustedRoot("three")], START + 2 * DAY),
    ]);
    expect(versions(repository)).toEqual({ root: 1, targets: 3, snapshot: 3, timestamp: 4 });
    expect(versions(await TufRepository.open({ ...world, targets: [trustedRoot("three")] }))).toEqual(
      versions(repository),
    );
  });

  test("two processes on one directory renew one after the other", async () => {
    const [one, two] = [await TufRepository.open(world), await TufRepository.open(world)];
    await one.renew(START + 2 * DAY);
    expect(await two.renew(START + 2 * DAY)).toEqual([]);
    expect(versions(two)).toEqual(versions(one));
  });
});

describe("a crash", () => {
  test("at any step of the first start leaves a directory from which the next start makes a repository", async () => {
    await TufRepository.open(world);
    const steps = world.directory.written.length + 1;
    for (let step = 0; step < steps; step++) {
      const [directory, floor] = [new MemoryDirectory(), new MemoryFloor()];
      directory.powerFor = step;
      await expect(TufRepository.open({ ...world, directory, floor })).rejects.toThrow("no power");
      directory.powerFor = Infinity;
      const repository = await TufRepository.open({ ...world, directory, floor });
      expect(versions(repository)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 1 });
    }
  });

  // After 2 days the timestamp is due, after 200 every role.
  test.for([2, 200])(
    "at any step of a release after %i days costs readers nothing, and the next start goes on",
    async (days) => {
      const first = await TufRepository.open(world);
      const before = world.directory.copy();
      const now = START + days * DAY;
      const targets = [trustedRoot("two"), rekorKey];
      const release = (directory: MemoryDirectory, floor: MemoryFloor) =>
        TufRepository.open({ ...world, directory, floor, targets, now });
      const whole = before.copy();
      await release(whole, new MemoryFloor());
      travelTo(now);
      expect(whole.written.length).toBeGreaterThan(5);
      expect(whole.written.at(-1)).toBe("timestamp.json");

      for (let step = 0; step < whole.written.length; step++) {
        const [directory, floor] = [before.copy(), new MemoryFloor()];
        directory.powerFor = step;
        await expect(release(directory, floor)).rejects.toThrow("no power");
        directory.powerFor = Infinity;
        // The folder itself, as a web server or a copy would show it. After 200 days its timestamp has run out.
        if (days < 7) expect(await fetched(first, (name) => directory.files.get(name))).toEqual(bytes("one"));
        const repository = await release(directory, floor);
        expect(await fetched(first, (name) => repository.file(name)?.bytes)).toEqual(bytes("two"));
      }
    },
  );

  test("leaves files of versions that no timestamp names: they are not served", async () => {
    const repository = await TufRepository.open(world);
    world.directory.powerFor = 5;
    await expect(repository.publish([trustedRoot("two"), rekorKey], START)).rejects.toThrow("no power");
    world.directory.powerFor = Infinity;
    expect(world.directory.files.has("2.targets.json")).toBe(true);
    const again = await TufRepository.open(world);
    expect(again.file("2.targets.json")).toBeUndefined();
    expect(versions(again)).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 1 });
  });
});

/** The trusted root that a client knowing only the first root gets. */
async function fetched(first: TufRepository, read: (name: string) => Uint8Array | undefined): Promise<Uint8Array> {
  await using mirror = await serveFiles(read);
  await using client = await TufClient.trusting(rootOf(first));
  return await client.fetch(mirror.url, "trusted_root.json");
}
