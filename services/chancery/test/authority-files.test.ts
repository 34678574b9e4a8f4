import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile } from "@chancery/crypto";
import { createIntermediateAuthority } from "@chancery/x509";
import { describe, expect, test } from "vitest";
import { beginWithEachTest, chainFile, chancery, DAY, makeRoot, open, world, years } from "./authority-world.ts";

beginWithEachTest();

let count = 0;

/** An intermediate below the world's root whose key is a file. */
async function files(kind: "rsa-2048" | "ed25519" | "ecdsa-p384" | "ecdsa-p521", passphrase?: string) {
  const key = join(world.folder, `ca-${(count += 1)}.key`);
  const signer = await createKeyFile(key, kind, { passphrase });
  const intermediate = await createIntermediateAuthority({
    subject: { commonName: "Brought" },
    issuer: world.root.certificate,
    issuerSigner: world.root.signer,
    spki: signer.publicKey.spki,
    notBefore: years(-1),
    notAfter: years(5),
  });
  const chain = await chainFile([intermediate, world.root.certificate.der]);
  return { key, chain, ...(passphrase === undefined ? {} : { passphrase }) };
}

describe("a CA in files of one's own", () => {
  test.for(["rsa-2048", "ed25519", "ecdsa-p384", "ecdsa-p521"] as const)("with a key of %s", async (kind) => {
    const brought = await files(kind, "secret");
    const { signer, generations } = await open(new Date(), brought);
    expect(signer.publicKey.algorithm).toBe(kind);
    expect(generations).toHaveLength(1);
    expect((await open(new Date(), brought)).generations).toEqual(generations);
    expect((await readdir(join(world.data, "keys"))).filter((name) => name.startsWith("fulcio"))).toEqual([]);
  });

  test("is needed at each start, and a new chain follows the old one", async () => {
    const now = new Date(Math.floor(Date.now() / 1000) * 1000);
    await open(now, await files("ecdsa-p384"));
    await expect(open(now)).rejects.toThrow("CHANCERY_CA_KEY: must name the key of");
    const later = new Date(now.getTime() + DAY);
    const { generations } = await open(later, await files("ecdsa-p384"));
    expect(generations.map(({ validFor }) => validFor)).toEqual([
      { start: now, end: new Date(later.getTime() + 600_000) },
      { start: later },
    ]);
  });

  test("that is wrong leaves no world.folder behind", async () => {
    const [one, two] = [await files("ecdsa-p384"), await files("ecdsa-p384")];
    await expect(open(new Date(), { key: one.key, chain: two.chain })).rejects.toThrow("is not of the key that signs");
    await chmod(one.key, 0o640);
    await expect(open(new Date(), one)).rejects.toThrow("open to other users");
    expect(await readdir(world.folder)).not.toContain("data");
  });

  test("is named by flags, variables and a passphrase file, and init takes a new root if that is meant", async () => {
    const one = await files("ecdsa-p384", "pass phrase");
    const passphrase = join(world.folder, "passphrase");
    await writeFile(passphrase, "pass phrase\n", { mode: 0o600 });
    const argv = ["init", "--data", world.data, "--url", "https://sigstore.example.com"];
    const named = ["--ca-key", one.key, "--ca-chain", one.chain];
    expect(await chancery([...argv, ...named, "--ca-passphrase-file", passphrase])).toMatchObject({ code: 0, err: "" });
    const variables = { CHANCERY_CA_KEY: one.key, CHANCERY_CA_CHAIN: one.chain, CHANCERY_CA_PASSPHRASE: "pass phrase" };
    expect((await chancery(argv, variables)).out).toContain("in place already");
    const wrong = await chancery(argv, { ...variables, CHANCERY_CA_PASSPHRASE: "wrong secret" });
    expect(wrong.err).toBe(`chancery: ${one.key}: the passphrase does not open the key\n`);
    await open(new Date(), one);
    world.root = await makeRoot("A new root");
    const other = await files("ecdsa-p384");
    const next = ["--ca-key", other.key, "--ca-chain", other.chain];
    await expect(open(new Date(), other)).rejects.toThrow("ends in another root");
    expect((await chancery([...argv, ...next])).code).toBe(2);
    expect((await chancery([...argv, ...next, "--new-root"])).code).toBe(0);
    expect((await open(new Date(), other)).generations).toHaveLength(2);
  });

  test.for<[Record<string, string>, string]>([
    [{ CHANCERY_CA_KEY: "k" }, "CHANCERY_CA_KEY: needs CHANCERY_CA_CHAIN"],
    [{ CHANCERY_CA_CHAIN: "c" }, "CHANCERY_CA_CHAIN: needs CHANCERY_CA_KEY"],
    [{ CHANCERY_CA_PASSPHRASE: "p" }, "CHANCERY_CA_PASSPHRASE: needs CHANCERY_CA_KEY"],
    [
      { CHANCERY_CA_KEY: "k", CHANCERY_CA_CHAIN: "c", CHANCERY_CA_PASSPHRASE: "p", CHANCERY_CA_PASSPHRASE_FILE: "f" },
      "CHANCERY_CA_PASSPHRASE_FILE: CHANCERY_CA_PASSPHRASE says a passphrase already",
    ],
  ])("%j is refused", async ([environment, reason]) => {
    const { code, err } = await chancery(["init", "--data", world.data], environment);
    expect([code, err]).toEqual([2, expect.stringContaining(reason)]);
  });
});

test("nothing that init prints or refuses holds a key or a passphrase", async () => {
  const key = join(world.folder, "secret.key");
  await createKeyFile(key, "ecdsa-p256", { passphrase: "sesame" });
  const chain = await chainFile([world.root.certificate.der]);
  const environment = { CHANCERY_CA_KEY: key, CHANCERY_CA_CHAIN: chain, CHANCERY_CA_PASSPHRASE: "sesame" };
  const { out, err } = await chancery(["init", "--data", world.data, "--url", "https://a.example.com"], environment);
  expect(err).toContain("is not of the key that signs under it");
  expect(out + err).not.toMatch(/sesame|PRIVATE/);
});
