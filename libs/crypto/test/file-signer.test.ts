import { createKeyFile, type KeyAlgorithm, loadKeyFile, verifySignature } from "../src/index.ts";
import { der, encodePem, utf8 } from "@chancery/encoding";
import { Misconfigured } from "@chancery/fault";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keys-"));
});
afterAll(() => rm(folder, { recursive: true }));

const message = utf8("tree head");
const refusal = (path: string) =>
  loadKeyFile(path).then(
    () => undefined,
    (error: unknown) => error,
  );
const pkcs8 = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" });

async function file(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content, { mode });
  await chmod(path, mode);
  return path;
}

describe("a key that is made", () => {
  test.for(["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048"] as const)(
    "%s is found again, and signs",
    async (algorithm: KeyAlgorithm) => {
      const path = join(folder, `${algorithm}.pem`);
      const made = await createKeyFile(path, algorithm);
      const found = await loadKeyFile(path);
      expect(found.publicKey.algorithm).toBe(algorithm);
      expect(found.publicKey.spki).toEqual(made.publicKey.spki);
      expect(verifySignature(made.publicKey, message, await found.sign(message))).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await readFile(path, "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    },
  );

  test("leaves nothing else in its folder", async () => {
    const inside = join(folder, "inside");
    await mkdir(inside);
    await createKeyFile(join(inside, "log.pem"), "ecdsa-p256");
    expect(await readdir(inside)).toEqual(["log.pem"]);
  });

  test("is never replaced, whatever is there", async () => {
    for (const content of ["", "something", pkcs8(generateKeyPairSync("ed25519").privateKey)]) {
      const path = await file("taken.pem", content);
      await expect(createKeyFile(path, "ecdsa-p256")).rejects.toThrow(
        new Misconfigured(path, "there is a key already, and it is never replaced"),
      );
      expect(await readFile(path, "utf8")).toBe(content);
    }
    const dangling = join(folder, "dangling.pem");
    await symlink(join(folder, "nowhere.pem"), dangling);
    await expect(createKeyFile(dangling, "ecdsa-p256")).rejects.toThrow(Misconfigured);
    expect(await readdir(folder)).not.toContain("nowhere.pem");
  });

  test("by many starters at once is one key, and the others are told", async () => {
    const inside = join(folder, "race");
    await mkdir(inside);
    const path = join(inside, "log.pem");
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => createKeyFile(path, "ecdsa-p256")));
    const made = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(made).toHaveLength(1);
    expect((await loadKeyFile(path)).publicKey.spki).toEqual(made[0]?.value.publicKey.spki);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(Misconfigured);
    expect(await readdir(inside)).toEqual(["log.pem"]);
  });

  test("in a folder that is not there is refused", async () => {
    const path = join(folder, "no", "such", "key.pem");
    await expect(createKeyFile(path, "ecdsa-p256")).rejects.toThrow(
      new Misconfigured(path, "there is no such file or directory"),
    );
  });
});

describe("a key that others brought", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const sec1 = privateKey.export({ type: "sec1", format: "pem" });
  const spki = Uint8Array.from(publicKey.export({ type: "spki", format: "der" }));

  test("is read from SEC 1, with and without the parameters that openssl ecparam puts before it", async () => {
    const parameters = encodePem("EC PARAMETERS", der.oid("1.2.840.10045.3.1.7"));
    expect((await loadKeyFile(await file("sec1.pem", sec1))).publicKey.spki).toEqual(spki);
    expect((await loadKeyFile(await file("ecparam.pem", parameters + sec1))).publicKey.spki).toEqual(spki);
  });

  test("is read from a file that is read-only, and through a symbolic link", async () => {
    const path = await file("read-only.pem", pkcs8(privateKey), 0o400);
    const link = join(folder, "link.pem");
    await symlink(path, link);
    expect((await loadKeyFile(link)).publicKey.spki).toEqual(spki);
  });

  test.for([0o644, 0o640, 0o604, 0o660, 0o602, 0o610, 0o666])("with mode %o is refused", async (mode) => {
    const path = await file(`mode-${mode}.pem`, pkcs8(privateKey), mode);
    expect(await refusal(path)).toEqual(new Misconfigured(path, "the file is open to other users; chmod 600 it"));
  });
});

describe("what is no usable key is refused by its path", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const text = pkcs8(privateKey);
  const contents: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ["an empty file", "", /no PEM block/],
    ["text", "not a key", /not PEM/],
    ["bytes", new Uint8Array(100).fill(0xff), /not PEM/],
    ["a cut file", text.slice(0, 120), /has no end/],
    ["two keys", text + text, /not exactly one private key/],
    ["three blocks", text.repeat(3), /more than 2 PEM blocks/],
    ["parameters alone", encodePem("EC PARAMETERS", der.oid("1.2.840.10045.3.1.7")), /not exactly one private key/],
    ["a public key", encodePem("PUBLIC KEY", der.null()), /a PEM block PUBLIC KEY where/],
    ["DER that is no key", encodePem("PRIVATE KEY", der.null()), /not a usable private key/],
    [
      "an encrypted key",
      privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }),
      /the key is encrypted, and no passphrase was given/,
    ],
    ["P-224", pkcs8(generateKeyPairSync("ec", { namedCurve: "secp224r1" }).privateKey), /is not P-256, P-384 or P-521/],
    ["RSA 1024", pkcs8(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey), /2048, 3072 or 4096/],
    ["X25519", pkcs8(generateKeyPairSync("x25519").privateKey), /an X25519 key is not accepted/],
    ["a key of 65 kB", text + "\n".repeat(65 * 1024), /too large to be a key/],
  ];
  test.for(contents)("%s", async ([name, content, reason]) => {
    const path = await file(`${name.replaceAll(" ", "-")}.pem`, content);
    const error = await refusal(path);
    expect(error).toBeInstanceOf(Misconfigured);
    expect((error as Misconfigured).key).toBe(path);
    expect((error as Misconfigured).message).toMatch(reason);
  });

  test("a missing file and a directory", async () => {
    const missing = join(folder, "missing.pem");
    expect(await refusal(missing)).toEqual(new Misconfigured(missing, "there is no such file or directory"));
    const directory = join(folder, "directory");
    await mkdir(directory, { mode: 0o700 });
    expect(await refusal(directory)).toEqual(new Misconfigured(directory, "a directory, not a key file"));
  });

  test("a private key with another's public half", async () => {
    const jwk = privateKey.export({ format: "jwk" });
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" });
    const mixed = der.sequence(
      der.integer(1),
      der.octetString(Uint8Array.fromBase64(jwk.d!, { alphabet: "base64url" })),
      der.explicit(0, der.oid("1.2.840.10045.3.1.7")),
      der.explicit(1, der.bitString(other.subarray(-65))),
    );
    const path = await file("mixed.pem", encodePem("EC PRIVATE KEY", mixed));
    expect(await refusal(path)).toBeInstanceOf(Misconfigured);
  });

  test("no fault shows what the file holds", async () => {
    const secret = text.split("\n")[1]!;
    const contents2 = [
      text.replace("-----END", "----END"),
      text.replace(secret, `${secret}!`),
      `x\n${text}`,
      text + secret,
    ];
    for (const content of contents2) {
      const error = (await refusal(await file("canary.pem", content))) as Misconfigured;
      expect(error).toBeInstanceOf(Misconfigured);
      expect(error.cause).toBeUndefined();
      for (let at = 0; at + 8 <= secret.length; at += 8) {
        expect(`${error.message}${error.stack}`).not.toContain(secret.slice(at, at + 8));
      }
    }
  });
});
