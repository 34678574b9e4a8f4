import { X509Certificate } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseCertificatesPem } from "@chancery/x509";
import { describe, expect, test } from "vitest";
import type { Environment } from "../src/settings.ts";
import { beginWithEachTest, chancery, init, offline, open, world } from "./authority-world.ts";

beginWithEachTest();

const rootFolder = () => join(world.folder, "root");
const fingerprint = (out: string) => /SHA-256: ([0-9a-f]{64})/.exec(out)![1]!;
const secret = { CHANCERY_ROOT_PASSPHRASE: "correct horse" };
const signAt = (key: string, out: string, request = "fulcio.csr", environment: Environment = secret) =>
  chancery(
    [
      "sign-intermediate",
      `--root-folder=${rootFolder()}`,
      `--request=${join(world.data, "certificates", request)}`,
      `--out=${join(world.folder, out)}`,
      `--key=${key}`,
    ],
    environment,
  );

describe("the root's own machine", () => {
  test("makes the root once, encrypted, and signs one request after another below it", async () => {
    const asked = await offline();
    expect(await signAt(fingerprint(asked.out), "one.pem")).toMatchObject({ code: 0, err: "" });
    expect(await readFile(join(rootFolder(), "root.key"), "utf8")).toContain("BEGIN ENCRYPTED PRIVATE KEY");
    await init("--certificate", join(world.folder, "one.pem"));
    await open();
    const renewed = await offline("--renew");
    expect(await signAt(fingerprint(renewed.out), "two.pem", "fulcio-2.csr")).toMatchObject({ code: 0, err: "" });
    expect(await init("--certificate", join(world.folder, "two.pem"))).toMatchObject({ code: 0, err: "" });
    const { generations } = await open();
    expect(generations).toHaveLength(2);
    const [first, last] = parseCertificatesPem(await readFile(join(world.folder, "two.pem"), "utf8"), "two.pem");
    expect(new X509Certificate(first!.der).verify(new X509Certificate(last!.der).publicKey)).toBe(true);
  });

  test("refuses a request that was swapped, a wrong passphrase, none, and to replace a file", async () => {
    const key = fingerprint((await offline()).out);
    const swapped = await signAt("ab".repeat(32), "x.pem");
    expect(swapped.err).toContain(`is for the key ${key}, which is not the one you name`);
    expect((await signAt(key, "x.pem", "fulcio.csr", {})).err).toContain("--passphrase-file: must be given");
    expect(await readdir(world.folder)).not.toContain("root");
    await signAt(key, "x.pem");
    expect((await signAt(key, "x.pem")).err).toContain("is there already");
    const wrong = await signAt(key, "y.pem", "fulcio.csr", { CHANCERY_ROOT_PASSPHRASE: "wrong" });
    expect(wrong.err).toContain("root.key: the passphrase does not open the key");
  });

  test("after a crash between key and certificate makes the certificate, and never a second key", async () => {
    const key = fingerprint((await offline()).out);
    await signAt(key, "one.pem");
    const before = await readFile(join(rootFolder(), "root.key"), "utf8");
    await rm(join(rootFolder(), "root.pem"));
    expect(await signAt(key, "two.pem")).toMatchObject({ code: 0 });
    expect(await readFile(join(rootFolder(), "root.key"), "utf8")).toBe(before);
    await rm(join(rootFolder(), "root.key"));
    expect((await signAt(key, "three.pem")).err).toContain("root.key: is not there, and its certificate is");
  });
});
