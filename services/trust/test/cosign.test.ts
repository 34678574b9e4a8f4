import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { clientHome, type ClientHome, needClients, type RealClient } from "@chancery/testing";
import { describe, expect, test } from "vitest";
import { trustMaterial } from "../src/index.ts";
import { installation } from "./installation.ts";
import { startTrustService } from "./service.ts";

const DAY = 86_400_000;

/** Everything that a client keeps under its TUF root, as one text. */
async function cached(home: ClientHome): Promise<string> {
  const root = home.path(".sigstore/root");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, "latin1")))).join("\n");
}

function initialize(home: ClientHome, cosign: RealClient, url: string, ...more: string[]) {
  return home.run(cosign, "initialize", "--mirror", `${url}/tuf`, "--root", `${url}/tuf/root.json`, ...more);
}

describe.each<RealClient>(["cosign-2", "cosign-3"])("%s", (cosign) => {
  const { missing, reason } = needClients(cosign);

  test.skipIf(missing)(`initialises from the repository and fetches its targets${reason}`, async () => {
    await using service = await startTrustService();
    await using home = await clientHome();
    const { stderr } = await initialize(home, cosign, service.url);
    expect(stderr).not.toMatch(/could not fetch/i);
    const kept = await cached(home);
    for (const { name, bytes } of service.material.targets) {
      // cosign 3 fetches the two new files, cosign 2 all of them.
      const wanted = cosign === "cosign-2" || name.endsWith(".json");
      if (wanted) expect(kept, name).toContain(new TextDecoder("latin1").decode(bytes));
    }
  });

  test.skipIf(missing)(`takes the checksum that /trust names, and refuses another${reason}`, async () => {
    await using service = await startTrustService();
    await using home = await clientHome();
    const { tuf } = (await service.json("/trust")) as { tuf: { rootSha256: string } };
    await initialize(home, cosign, service.url, "--root-checksum", tuf.rootSha256);
    const args = ["initialize", "--mirror", `${service.url}/tuf`, "--root", `${service.url}/tuf/root.json`];
    await home.refuse(cosign, ...args, "--root-checksum", "00".repeat(32));
  });

  test.skipIf(missing)(`finds its way from the first root, expired since, to the current one${reason}`, async () => {
    let now = Date.now() - 800 * DAY;
    await using first = await startTrustService({ clock: () => now });
    await using second = await first.again({ clock: () => (now = Date.now() - 400 * DAY) });
    await using service = await second.again({ clock: () => (now = Date.now()) });
    expect(await service.json("/trust")).toMatchObject({ tuf: { roles: [{ version: 3 }, {}, {}, { version: 3 }] } });
    await using home = await clientHome();
    await initialize(home, cosign, service.url);
    expect(await cached(home)).toContain("sig");
  });

  test.skipIf(missing)(`follows the repository to new material${reason}`, async () => {
    await using first = await startTrustService({ clock: () => Date.now() - 2 * DAY });
    await using home = await clientHome();
    await initialize(home, cosign, first.url);
    const material = trustMaterial(await installation(first.url));
    await using service = await first.again({ material, clock: Date.now });
    await initialize(home, cosign, service.url);
    const kept = await cached(home);
    for (const target of material.targets.filter(({ name }) => name.endsWith(".json"))) {
      expect(kept, target.name).toContain(new TextDecoder("latin1").decode(target.bytes));
    }
  });

  test.skipIf(missing)(`refuses a mirror whose root is another one${reason}`, async () => {
    await using service = await startTrustService();
    await using other = await startTrustService();
    await using home = await clientHome();
    const args = ["initialize", "--mirror", `${service.url}/tuf`, "--root", `${other.url}/tuf/root.json`];
    await home.refuse(cosign, ...args);
  });
});

test.skipIf(needClients("cosign-2").missing)(
  `cosign-2 initialises from a copy of the folder, without a network${needClients("cosign-2").reason}`,
  async () => {
    await using service = await startTrustService();
    await using home = await clientHome();
    const folder = join(service.folder, "tuf");
    await service.running.close();
    // cosign 3 takes --trusted-root and --signing-config there; its TUF client knows http only.
    await home.run("cosign-2", "initialize", "--mirror", `file://${folder}`, "--root", join(folder, "root.json"));
    expect(await cached(home)).toContain(new TextDecoder("latin1").decode(service.material.targets[0]!.bytes));
  },
);
