import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createKeyFile } from "@chancery/crypto";
import { createIntermediateAuthority } from "@chancery/x509";
import { describe, expect, test } from "vitest";
import {
  beginWithEachTest,
  chainFile,
  DAY,
  init,
  offline,
  open,
  sign,
  windows,
  world,
  years,
} from "./authority-world.ts";

/*
 * Clients that keep trust metadata for days (cosign 2) refuse certificates of a chain that they have not seen. So it is
 * published first, and issues when they have.
 */

beginWithEachTest();

const now = new Date(Math.floor(Date.now() / 1000) * 1000);
const after = (days: number) => new Date(now.getTime() + days * DAY);
const leafLife = (from: Date) => new Date(from.getTime() + 600_000);

/** The first intermediate issues since `now`, the second is signed. */
async function renewed(): Promise<string> {
  await offline();
  await init("--certificate", await sign("fulcio.csr"));
  await open(now);
  await offline("--renew");
  return sign("fulcio-2.csr");
}

describe("a chain that is announced", () => {
  test("is published from the next start on, while the old one goes on issuing, until it is given once more", async () => {
    const chain = await renewed();
    const announced = await init("--certificate", chain, "--announce");
    expect(announced).toMatchObject({ code: 0, err: "" });
    expect(announced.out).toContain("the one before goes on issuing");
    expect(announced.out).not.toContain("delete it");
    for (const start of [after(1), after(2)]) {
      const { chain: issues, signer, generations } = await open(start);
      expect([issues, issues[0]!.spki]).toEqual([generations[0]!.chain, signer.publicKey.spki]);
      expect(await windows(start)).toEqual([
        [now, undefined],
        [after(1), undefined],
      ]);
    }
    expect((await init()).out).toContain("fulcio-2.pem is published and waits");
    const released = await init("--certificate", chain);
    expect(released.out).toContain("it issues from the next start");
    expect(released.out).toContain(`${join(world.data, "keys", "fulcio-intermediate.pem")} signs nothing any more`);
    const { chain: issues, generations } = await open(after(9));
    expect(issues).toEqual(generations[1]!.chain);
    await rm(join(world.data, "keys", "fulcio-intermediate.pem"));
    expect(await windows(after(10))).toEqual([
      [now, leafLife(after(9))],
      [after(1), undefined],
    ]);
    expect((await init("--certificate", chain)).out).toContain("in place already");
  });

  test("says the same when it is announced again, and is forgotten for one that follows it", async () => {
    const chain = await renewed();
    const end = years(4);
    await init("--certificate", chain, "--announce");
    expect((await init("--certificate", chain, "--announce")).out).toContain("in place already");
    await open(after(1));
    await init("--certificate", await sign("fulcio-2.csr", { notAfter: years(3) }), "--announce");
    expect(await windows(after(2))).toEqual([
      [now, undefined],
      [after(2), undefined],
    ]);
    await init("--certificate", await sign("fulcio-2.csr", { notAfter: end }));
    expect(await windows(after(3))).toEqual([
      [now, leafLife(after(3))],
      [after(3), undefined],
    ]);
    expect((await open(after(3))).chain[0]!.notAfter).toEqual(end);
  });

  test("may issue without ever having been published, if one thinks better of it", async () => {
    const chain = await renewed();
    await init("--certificate", chain, "--announce");
    await init("--certificate", chain);
    expect(await windows(after(1))).toEqual([
      [now, leafLife(after(1))],
      [after(1), undefined],
    ]);
  });

  test("needs one that issues meanwhile, and something to announce", async () => {
    await offline();
    const refused = await init("--certificate", await sign("fulcio.csr"), "--announce");
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("no chain is there that could go on")]);
    expect((await init("--announce")).err).toContain("--announce: goes with --certificate or --ca-key");
    await expect(open()).rejects.toThrow("the CA has no certificate yet");
  });

  test("in files of one's own issues when `serve` is given them", async () => {
    let count = 0;
    const files = async () => {
      const key = join(world.folder, `ca-${(count += 1)}.key`);
      const { publicKey } = await createKeyFile(key, "ecdsa-p384");
      const intermediate = await createIntermediateAuthority({
        subject: { commonName: `Brought ${count}` },
        issuer: world.root.certificate,
        issuerSigner: world.root.signer,
        spki: publicKey.spki,
        notBefore: years(-1),
        notAfter: years(5),
      });
      return { key, chain: await chainFile([intermediate, world.root.certificate.der]) };
    };
    const [old, next] = [await files(), await files()];
    await open(now, old);
    await init("--ca-key", next.key, "--ca-chain", next.chain, "--announce");
    const waiting = await open(after(1), old);
    expect(waiting.chain).toEqual(waiting.generations[0]!.chain);
    expect(waiting.generations.map(({ validFor }) => validFor)).toEqual([{ start: now }, { start: after(1) }]);
    const issues = await open(after(8), next);
    expect(issues.chain).toEqual(issues.generations[1]!.chain);
    expect(issues.generations.map(({ validFor }) => validFor)).toEqual([
      { start: now, end: leafLife(after(8)) },
      { start: after(1) },
    ]);
    await expect(open(after(9), old)).rejects.toThrow("was replaced");
    expect(await readFile(join(world.data, "authority.json"), "utf8")).not.toContain("waits");
  });
});
