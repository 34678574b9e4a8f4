import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { der, encodePem, parsePem } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKeyFile, loadKeyFile, readPassphraseFile } from "../src/index.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "encrypted-keys-"));
});
afterAll(() => rm(folder, { recursive: true }));

const PASSPHRASE = "correct horse — battery";

async function file(name: string, content: string, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content, { mode });
  await chmod(path, mode);
  return path;
}

const refusal = (path: string, passphrase?: string) =>
  loadKeyFile(path, { passphrase }).then(
    () => undefined,
    (error: unknown) => error,
  );

describe("an encrypted key that is made", () => {
  test("opens with its passphrase alone, here and in Node", async () => {
    const path = join(folder, "made.pem");
    const made = await createKeyFile(path, "ecdsa-p384", { passphrase: PASSPHRASE });
    const text = await readFile(path, "utf8");
    expect(text).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await loadKeyFile(path, { passphrase: PASSPHRASE })).publicKey.spki).toEqual(made.publicKey.spki);
    expect(createPrivateKey({ key: text, passphrase: PASSPHRASE }).asymmetricKeyDetails).toEqual({
      namedCurve: "secp384r1",
    });
    expect(await refusal(path, "wrong")).toEqual(new Misconfigured(path, "the passphrase does not open the key"));
    expect(await refusal(path)).toEqual(new Misconfigured(path, "the key is encrypted, and no passphrase was given"));
  });

  test.skipIf(!hasOpenssl)("is read by openssl (skipped without it)", async () => {
    const path = join(folder, "for-openssl.pem");
    const made = await createKeyFile(path, "ecdsa-p256", { passphrase: "abc" });
    const spki = execFileSync("openssl", ["pkey", "-in", path, "-passin", "pass:abc", "-pubout", "-outform", "DER"]);
    expect(Uint8Array.from(spki)).toEqual(made.publicKey.spki);
  });
});

describe.skipIf(!hasOpenssl)("a key that openssl encrypted (skipped without it)", () => {
  test.for([
    ["-v2 aes-256-cbc"],
    ["-v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 100000"],
    ["-v2 aes-192-cbc -v2prf hmacWithSHA1"],
    ["-scrypt"],
  ])("with %s opens", async ([options]) => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const args = ["pkcs8", "-topk8", "-passout", `pass:${PASSPHRASE}`, ...options!.split(" ")];
    const text = execFileSync("openssl", args, { input: privateKey.export({ type: "pkcs8", format: "pem" }) });
    const path = await file("openssl.pem", text.toString());
    const found = await loadKeyFile(path, { passphrase: PASSPHRASE });
    expect(found.publicKey.spki).toEqual(Uint8Array.from(publicKey.export({ type: "spki", format: "der" })));
    expect(await refusal(path, `${PASSPHRASE} `)).toBeInstanceOf(Misconfigured);
  });

  test("by an old scheme is refused, with the way out", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const input = privateKey.export({ type: "pkcs8", format: "pem" });
    const run = (...args: string[]) => execFileSync("openssl", args, { input, stdio: "pipe" }).toString();
    const pkcs12 = await file("v1.pem", run("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:x"));
    expect(String(await refusal(pkcs12, "x"))).toMatch(/encrypted by an old scheme \(1\.2\.840\.113549\.1\.12\.1\.3\)/);
    const tripleDes = await file("des.pem", run("pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:x"));
    expect(String(await refusal(tripleDes, "x"))).toMatch(/cipher 1\.2\.840\.113549\.3\.7, which is not AES in CBC/);
    const headers = await file("old.pem", run("ec", "-aes256", "-passout", "pass:x"));
    expect(String(await refusal(headers, "x"))).toMatch(/encrypted the old way \(Proc-Type\); `openssl pkcs8 -topk8`/);
  });
});

describe("what is refused", () => {
  test("a passphrase for a key that is not encrypted: somebody believes it is safe", async () => {
    const path = join(folder, "plain.pem");
    await createKeyFile(path, "ed25519");
    expect(await refusal(path, "x")).toEqual(
      new Misconfigured(path, "the key is not encrypted, though a passphrase was given"),
    );
  });

  test("work without bound", async () => {
    const aes = der.sequence(der.oid("2.16.840.1.101.3.4.1.42"), der.octetString(new Uint8Array(16)));
    const work = (iterations: bigint) => {
      const parameters = der.sequence(der.octetString(new Uint8Array(16)), der.integer(iterations));
      const derivation = der.sequence(der.oid("1.2.840.113549.1.5.12"), parameters);
      const algorithm = der.sequence(der.oid("1.2.840.113549.1.5.13"), der.sequence(derivation, aes));
      return encodePem("ENCRYPTED PRIVATE KEY", der.sequence(algorithm, der.octetString(new Uint8Array(64))));
    };
    for (const iterations of [0n, 10_000_001n, 2n ** 63n]) {
      expect(String(await refusal(await file("slow.pem", work(iterations)), "x"))).toMatch(/iterations of PBKDF2/);
    }
    expect(String(await refusal(await file("fair.pem", work(1n)), "x"))).toMatch(/does not open the key/);
  });

  test("a damaged file, without a word of what it holds", async () => {
    const path = join(folder, "damaged.pem");
    await createKeyFile(path, "ecdsa-p256", { passphrase: PASSPHRASE });
    const [block] = parsePem(await readFile(path, "utf8"), path);
    for (const cut of [1, 20, 60]) {
      const damaged = await file("cut.pem", encodePem("ENCRYPTED PRIVATE KEY", block!.der.slice(0, -cut)));
      const error = (await refusal(damaged, PASSPHRASE)) as Misconfigured;
      expect(error).toBeInstanceOf(Misconfigured);
      expect(error.cause).toBeUndefined();
      expect(error.message).not.toContain(PASSPHRASE);
    }
  });
});

describe("a passphrase file", () => {
  test("holds one line, whose blanks count", async () => {
    expect(await readPassphraseFile(await file("a", "secret\n"))).toBe("secret");
    expect(await readPassphraseFile(await file("b", " se cret \r\n"))).toBe(" se cret ");
    expect(await readPassphraseFile(await file("c", "ü"))).toBe("ü");
  });

  test.for<[string, string, number, RegExp]>([
    ["open to the group", "secret", 0o640, /open to other users/],
    ["empty", "\n", 0o600, /the passphrase is empty/],
    ["of two lines", "a\nb\n", 0o600, /more than one line/],
    ["of 2 kB", "x".repeat(2048), 0o600, /too long/],
  ])("%s is refused", async ([name, content, mode, reason]) => {
    await expect(readPassphraseFile(await file(`passphrase ${name}`, content, mode))).rejects.toThrow(reason);
  });
});
