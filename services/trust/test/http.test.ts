import { createHash } from "node:crypto";
import { request } from "node:http";
import { ephemeralSigner } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { trustMaterial } from "../src/index.ts";
import { installation, tufKeys } from "./installation.ts";
import { startTrustService, type TrustService } from "./service.ts";
import { TufClient } from "./tuf-client.ts";

const DAY = 86_400_000;

/** The path exactly as it stands: fetch would tidy dots away before they are sent. */
function rawStatus(service: TrustService, path: string): Promise<number | undefined> {
  const { port } = new URL(service.running.url);
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once("error", reject)
      .end();
  });
}

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

describe("the trust service", () => {
  test("serves TUF metadata with the caching that each file can stand", async () => {
    await using service = await startTrustService();
    const headers = async (path: string) => {
      const response = await service.get(path);
      return [response.status, response.headers.get("cache-control"), response.headers.get("content-type")];
    };
    const forever = "public, max-age=31536000, immutable";
    expect(await headers("/tuf/timestamp.json")).toEqual([200, "no-cache", "application/json"]);
    expect(await headers("/tuf/root.json")).toEqual([200, "no-cache", "application/json"]);
    expect(await headers("/tuf/1.root.json")).toEqual([200, forever, "application/json"]);
    expect(await headers("/tuf/1.snapshot.json")).toEqual([200, forever, "application/json"]);
    expect(await headers("/tuf/1.targets.json")).toEqual([200, forever, "application/json"]);
    const pem = service.material.targets.find(({ name }) => name === "fulcio_v1.crt.pem");
    const digest = createHash("sha512").update(pem!.bytes).digest("hex");
    const path = `/tuf/targets/${digest}.fulcio_v1.crt.pem`;
    expect(await headers(path)).toEqual([200, forever, "application/pem-certificate-chain"]);
    expect(await bytesOf(await service.get(path))).toEqual(pem!.bytes);
    // A cache must not remember that the next root was not there yet.
    expect(await headers("/tuf/2.root.json")).toEqual([404, "no-cache", "application/json; charset=utf-8"]);
    expect(await bytesOf(await service.get("/tuf/root.json"))).toEqual(
      await bytesOf(await service.get("/tuf/1.root.json")),
    );
  });

  test("serves the same material as plain files", async () => {
    await using service = await startTrustService();
    for (const { name, bytes } of service.material.files) {
      const response = await service.get(`/trust/${name}`);
      expect([response.status, response.headers.get("cache-control")], name).toEqual([200, "no-cache"]);
      expect(await bytesOf(response), name).toEqual(bytes);
    }
    expect((await service.get("/trust/rekor.pub")).headers.get("content-type")).toBe("application/x-pem-file");
  });

  test("lists at /trust what there is, with sums, and the line to give to cosign", async () => {
    await using service = await startTrustService();
    const root = await bytesOf(await service.get("/tuf/root.json"));
    const rootSha256 = createHash("sha256").update(root).digest("hex");
    const { url } = service;
    expect(await service.json("/trust")).toMatchObject({
      tuf: {
        mirror: `${url}/tuf`,
        root: `${url}/tuf/root.json`,
        rootSha256,
        cosign: `cosign initialize --mirror ${url}/tuf --root ${url}/tuf/root.json --root-checksum ${rootSha256}`,
        roles: [{ role: "root", version: 1 }, { role: "targets" }, { role: "snapshot" }, { role: "timestamp" }],
      },
      files: service.material.files.map(({ name, bytes }) => ({
        name,
        url: `${url}/trust/${name}`,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      })),
    });
  });

  test.for([
    "/tuf/unfinished",
    "/tuf/targets",
    "/tuf/targets/rekor.pub",
    "/tuf/../anchor/tuf",
    "/tuf/..%2fanchor%2ftuf",
    "/tuf/targets/..%2ftimestamp.json",
    "/tuf/targets/%2e%2e/timestamp.json",
    "/tuf/timestamp.json%00",
    "/tuf/__proto__",
    "/trust/..%2ftuf%2ftimestamp.json",
    "/trust/constructor",
    "/trust/trusted_root.json/x",
  ])("has nothing at %s", async (path, { onTestFinished }) => {
    const service = await startTrustService();
    onTestFinished(() => service[Symbol.asyncDispose]());
    expect(await rawStatus(service, path)).toBe(404);
  });

  test("is the same trust root after a restart, and a client of before follows it to new material", async () => {
    await using first = await startTrustService();
    const root = await bytesOf(await first.get("/tuf/root.json"));
    await using client = await TufClient.trusting(root);
    expect(await client.fetch(`${first.url}/tuf`, "trusted_root.json")).toEqual(first.material.targets[0]!.bytes);

    await using second = await first.again();
    expect(await bytesOf(await second.get("/tuf/root.json"))).toEqual(root);
    expect(await second.json("/trust")).toMatchObject({
      tuf: { roles: [{ version: 1 }, { version: 1 }, {}, { version: 1 }] },
    });

    await using third = await second.again({ material: trustMaterial(await installation(first.url)) });
    expect(await client.fetch(`${third.url}/tuf`, "trusted_root.json")).toEqual(third.material.targets[0]!.bytes);
    expect(await client.version("targets")).toBe(2);
  });

  test("does not start on a repository under other keys", async () => {
    await using service = await startTrustService();
    await expect(service.again({ keys: tufKeys() })).rejects.toThrow(Misconfigured);
  });

  test("is ready until half the timestamp's life is gone unrenewed, and says why it is not", async () => {
    const start = Date.now();
    let now = start;
    await using service = await startTrustService({ clock: () => now });
    expect((await service.get("/readyz")).status).toBe(200);
    now = start + 3.6 * DAY;
    // Readiness is remembered for half a second.
    await expect.poll(async () => (await service.get("/readyz")).status, { timeout: 2_000 }).toBe(503);
    expect(await service.json("/readyz")).toMatchObject({
      reasons: [{ service: "trust", reason: expect.stringMatching(/^TUF timestamp metadata expires in 3\.4 days/) }],
    });
  });

  test("signs anew at the next start what ran out meanwhile, with the root key offline as far as it can", async () => {
    const keys = tufKeys();
    const start = Date.now();
    await using first = await startTrustService({ keys, clock: () => start });
    await using second = await first.again({ keys: { online: keys.online }, clock: () => start + 20 * DAY });
    expect((await second.get("/readyz")).status).toBe(200);
    expect(await second.json("/trust")).toMatchObject({
      tuf: { roles: [{ version: 1 }, { version: 1 }, { version: 1 }, { version: 2 }] },
    });
  });

  test("does not start without the root key when there is something new for it to sign", async () => {
    const keys = tufKeys();
    await using service = await startTrustService({ keys });
    const material = trustMaterial(await installation());
    await expect(service.again({ keys: { online: keys.online }, material })).rejects.toThrow(/offline/);
  });

  test("does not take a key that TUF clients cannot read", async () => {
    const keys = { root: ephemeralSigner("rsa-2048"), online: ephemeralSigner("ecdsa-p256") };
    await expect(startTrustService({ keys })).rejects.toThrow(/tuf root key/);
  });
});
