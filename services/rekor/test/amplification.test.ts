import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Signer, signerFromKeyObject } from "@chancery/crypto";
import { parseEntry } from "../src/domain/entries/entry-kinds.ts";
import { aCertificate, dsse, hashedrekord, IN_TOTO, intoto1, intoto2, type Proposal } from "./proposals.ts";

/** An envelope is signed over SHA-256 whatever the curve, which is not what a Signer does. */
function sha256Signers(namedCurve: string, count: number): Signer[] {
  return Array.from({ length: count }, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve });
    const { publicKey } = signerFromKeyObject(privateKey);
    return { publicKey, sign: async (message) => new Uint8Array(sign("sha256", message, privateKey)) };
  });
}

const names = (count: number) =>
  Array.from({ length: count }, (_, place) => ({ type: "email" as const, value: `${place}@b.c` }));

async function timed(proposal: Proposal): Promise<{ readonly outcome: unknown; readonly milliseconds: number }> {
  const began = performance.now();
  let outcome: unknown;
  try {
    outcome = (await parseEntry(proposal)).body.length;
  } catch (error) {
    outcome = error;
  }
  return { outcome, milliseconds: performance.now() - began };
}

describe("a small request that would keep everyone else waiting is refused", () => {
  test.each([
    ["P-384", 100],
    ["P-521", 100],
    ["P-521", 70_000],
  ])("ten signatures by ten keys on %s over %i bytes", async (curve, size) => {
    const signers = sha256Signers(curve, 10);
    const { outcome, milliseconds } = await timed(
      await dsse({ signers, payload: "x".repeat(size), payloadType: "text" }),
    );
    expect(outcome).toMatchObject({ code: "too-large", message: expect.stringContaining("too many signatures") });
    // Some 60 ms; it took 0.6 s for P-521, and 1 s above 64 kB.
    expect(milliseconds).toBeLessThan(500);
  });

  test.each([
    ["P-256", 10],
    ["P-384", 7],
    ["P-521", 3],
  ])("but on %s all pairs of %i are verified", async (curve, count) => {
    const signers = sha256Signers(curve, count);
    expect((await timed(await dsse({ signers }))).outcome).toBeGreaterThan(count * 100);
    expect((await timed(await dsse({ signers, payload: "x".repeat(70_000) }))).outcome).toBeGreaterThan(count * 100);
  });

  test.each([
    ["nested a million deep", `{"subject":${"[".repeat(1_000_000)}`, "nested deeper than 256"],
    ["of a million objects", `{"subject":[${"{},".repeat(1_000_000)}{}]}`, "more than 500000 objects"],
  ])("a statement %s", async (_name, payload, message) => {
    for (const proposal of [
      await dsse({ payload }),
      await intoto1(undefined, payload),
      await intoto2(undefined, payload),
    ]) {
      expect((await timed(proposal)).outcome).toMatchObject({
        code: "malformed",
        message: expect.stringContaining(message),
      });
    }
  });

  test("brackets in a statement's texts are not its structure", async () => {
    const digest = "a".repeat(64);
    const statement = { name: '["\\"['.repeat(1_000), subject: [{ digest: { sha256: digest } }] };
    const { searchTexts } = await parseEntry(await dsse({ payload: JSON.stringify(statement), payloadType: IN_TOTO }));
    expect(searchTexts).toContain(`sha256:${digest}`);
  });

  test("a certificate of a thousand and more names, each a row of the search index", async () => {
    const many = await aCertificate(names(1_024));
    expect((await parseEntry(await hashedrekord({ signer: many.signer, verifier: many.leaf }))).searchTexts).toContain(
      "7@b.c",
    );
    const tooMany = await aCertificate(names(1_025));
    const proposal = await hashedrekord({ signer: tooMany.signer, verifier: tooMany.leaf });
    await expect(parseEntry(proposal)).rejects.toThrow("more than 1024 alternative names");
  });
});
