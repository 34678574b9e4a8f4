import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ephemeralSigner, loadKeyFile } from "@chancery/crypto";
import { parsePem } from "@chancery/encoding";
import { createIntermediateAuthority } from "@chancery/x509";
import { describe, expect, test } from "vitest";
import {
  beginWithEachTest,
  chainFile,
  DAY,
  init,
  makeRoot,
  offline,
  open,
  sign,
  windows,
  world,
  years,
} from "./authority-world.ts";

beginWithEachTest();

/** A first intermediate is there; when it may begin to issue. */
const begin = async () => {
  await offline();
  await init("--certificate", await sign("fulcio.csr"));
  return new Date(Math.floor(Date.now() / 1000) * 1000);
};

describe("an intermediate below an offline root", () => {
  test("is asked for, signed elsewhere, taken, and issues", async () => {
    const asked = await offline();
    expect(asked).toMatchObject({ code: 0, err: "" });
    expect(asked.out).toContain(join(world.data, "certificates", "fulcio.csr"));
    expect(asked.out).toContain(`chancery init --data ${world.data} --certificate FILE`);
    await expect(open()).rejects.toThrow("the CA has no certificate yet: have");
    expect((await init("--certificate", "/nowhere.pem")).err).toContain("the certificates cannot be read (ENOENT)");
    expect(await init("--certificate", await sign("fulcio.csr"))).toMatchObject({ code: 0, err: "" });
    const { chain, signer, generations } = await open();
    expect(chain[1]!.der).toEqual(world.root.certificate.der);
    expect(chain[0]!.spki).toEqual(signer.publicKey.spki);
    expect(generations).toHaveLength(1);
    expect(await readdir(join(world.data, "keys"))).not.toContain("fulcio-root.pem");
  });

  test("says the same however often it is asked for", async () => {
    const first = await offline();
    const text = await readFile(join(world.data, "certificates", "fulcio.csr"), "utf8");
    expect((await offline()).out).toBe(first.out.replace("made, signing", "an installation, signing"));
    expect((await init("--offline-root")).out).toBe((await offline()).out);
    expect(await readFile(join(world.data, "certificates", "fulcio.csr"), "utf8")).toBe(text);
    const chain = await sign("fulcio.csr");
    await init("--certificate", chain);
    expect((await init("--certificate", chain)).out).toContain("in place already");
    expect((await offline()).out).toContain("--renew");
  });

  test("is taken from a file with the text that openssl ca puts before each certificate", async () => {
    await offline();
    const [intermediate] = parsePem(await readFile(await sign("fulcio.csr"), "utf8"), "chain");
    const path = await chainFile([intermediate!.der, world.root.certificate.der], "Certificate:\n    Data: (text)\n");
    expect(await init("--certificate", path)).toMatchObject({ code: 0 });
  });

  test("may have a P-384 key", async () => {
    await offline("--ca-algorithm", "ecdsa-p384");
    await init("--certificate", await sign("fulcio.csr"));
    expect((await open()).signer.publicKey.algorithm).toBe("ecdsa-p384");
    expect((await offline("--renew", "--ca-algorithm", "rsa-1024")).err).toContain(
      "--ca-algorithm: rsa-1024 is neither",
    );
    await offline("--renew");
    const renewed = await loadKeyFile(join(world.data, "keys", "fulcio-intermediate-2.pem"));
    expect(renewed.publicKey.algorithm).toBe("ecdsa-p384");
  });

  test("of what was signed carelessly all is said, and nothing is taken", async () => {
    await offline();
    const [, stranger] = [await sign("fulcio.csr"), await makeRoot("Another")];
    const expired = { notBefore: years(-2), notAfter: years(-1), extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] };
    const { code, err } = await init("--certificate", await sign("fulcio.csr", expired));
    expect(code).toBe(2);
    expect(err).toContain("its extended key usage does not list codeSigning");
    expect(err).toContain("ended on");
    const foreign = await createIntermediateAuthority({
      subject: { commonName: "Foreign" },
      issuer: stranger.certificate,
      issuerSigner: stranger.signer,
      spki: ephemeralSigner("ecdsa-p256").publicKey.spki,
      notBefore: years(-1),
      notAfter: years(1),
    });
    const other = await init("--certificate", await chainFile([foreign, stranger.certificate.der]));
    expect(other.err).toMatch(
      /is not of the key that signs under it; the key that was to be certified has SHA-256 [0-9a-f]{64}/,
    );
    const [lonely] = parsePem(await readFile(await sign("fulcio.csr"), "utf8"), "chain");
    expect((await init("--certificate", await chainFile([lonely!.der]))).err).toContain(
      "add CN=Offline root as the last",
    );
    await expect(open()).rejects.toThrow("the CA has no certificate yet");
  });
});

describe("the next intermediate", () => {
  test("issues from the next start on; the one before it is trusted for the life of a leaf longer", async () => {
    const first = await begin();
    expect(await windows(first)).toEqual([[first, undefined]]);
    await offline("--renew");
    const accepted = await init("--certificate", await sign("fulcio-2.csr"));
    expect(accepted.out).toContain(`${join(world.data, "keys", "fulcio-intermediate.pem")} signs nothing any more`);
    const second = new Date(first.getTime() + 100 * DAY);
    const expected = [
      [first, new Date(second.getTime() + 600_000)],
      [second, undefined],
    ];
    expect(await windows(second)).toEqual(expected);
    await rm(join(world.data, "keys", "fulcio-intermediate.pem"));
    expect(await windows(new Date(second.getTime() + DAY))).toEqual(expected);
    const { chain, generations } = await open(second);
    expect(chain).toEqual(generations[1]!.chain);
    expect(generations[0]!.chain[1]!.der).toEqual(generations[1]!.chain[1]!.der);
  });

  test("may be a new certificate of the same key", async () => {
    const end = years(6);
    const first = await begin();
    await open(first);
    expect(await init("--certificate", await sign("fulcio.csr", { notAfter: end }))).toMatchObject({ code: 0 });
    const { generations, chain } = await open(new Date(first.getTime() + DAY));
    expect(generations).toHaveLength(2);
    expect(chain[0]!.notAfter).toEqual(end);
  });

  test("that never issued is forgotten for the one after it", async () => {
    const end = years(3);
    const first = await begin();
    await open(first);
    await offline("--renew");
    await init("--certificate", await sign("fulcio-2.csr", { notAfter: years(2) }));
    await init("--certificate", await sign("fulcio-2.csr", { notAfter: end }));
    const { generations, chain } = await open();
    expect([generations.length, chain[0]!.notAfter]).toEqual([2, end]);
  });

  test("below another root is refused unless that is meant", async () => {
    const first = await begin();
    await open(first);
    await offline("--renew");
    const chain = await sign("fulcio-2.csr", { by: await makeRoot("A new root") });
    const refused = await init("--certificate", chain);
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/ends in another root \(SHA-256 [0-9a-f]{64}\) than the one clients trust/);
    expect(await windows(first)).toEqual([[first, undefined]]);
    expect(await init("--certificate", chain, "--new-root")).toMatchObject({ code: 0 });
    expect((await open()).generations).toHaveLength(2);
  });

  test("cannot be one that was replaced", async () => {
    const first = await begin();
    await open(first);
    const old = join(world.data, "certificates", "fulcio.pem");
    await offline("--renew");
    await init("--certificate", await sign("fulcio-2.csr"));
    await open();
    expect((await init("--certificate", old)).err).toMatch(/fulcio\.pem: was replaced, and is trusted until 20/);
  });

  test("of an installation with a root of its own is below the offline one, which clients must be told of", async () => {
    await init("--url", "https://sigstore.example.com");
    await open();
    await init("--offline-root", "--renew");
    const chain = await sign("fulcio-2.csr");
    expect((await init("--certificate", chain)).code).toBe(2);
    await init("--certificate", chain, "--new-root");
    const { generations } = await open();
    expect(generations.map((one) => one.chain.at(-1)!.der)[1]).toEqual(world.root.certificate.der);
  });
});

describe("a start is refused, by file and reason,", () => {
  test("when the chain has ended", async () => {
    await offline();
    await init("--certificate", await sign("fulcio.csr", { notAfter: years(1) }));
    await expect(open(new Date(years(1).getTime() + 1000))).rejects.toThrow(
      /certificates\/fulcio\.pem: certificate 1 of 2 \(O=sigstore\.example\.com, CN=Chancery intermediate\): ended on/,
    );
  });

  test("when a chain of before was swapped: clients would be told to trust another", async () => {
    await offline();
    await init("--certificate", await sign("fulcio.csr"));
    await open();
    await offline("--renew");
    await init("--certificate", await sign("fulcio-2.csr"));
    const old = join(world.data, "certificates", "fulcio.pem");
    await writeFile(old, await readFile(join(world.data, "certificates", "fulcio-2.pem")));
    await expect(open()).rejects.toThrow(`${old}: is not the chain that was put there`);
  });

  test.for(["", "{", '{"version":1}', '{"version":1,"generations":[{"name":"../x"}]}'])(
    "when authority.json is damaged: %j",
    async (text) => {
      await offline();
      await writeFile(join(world.data, "authority.json"), text);
      await expect(open()).rejects.toThrow("authority.json");
    },
  );
});
