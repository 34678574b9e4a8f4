import { describe, expect, test } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import { dsse, hashedrekord, intoto1 } from "./proposals.ts";
import { ENTRIES, onlyEntry, startRekor } from "./running-rekor.ts";

describe("an installation that is told what may be written", () => {
  test("takes the kinds it names, and reads all", async () => {
    await using rekor = await startRekor({ entryKinds: ["dsse"] });
    await rekor.logged(await dsse());
    const proposal = await hashedrekord();
    const refused = await rekor.request("POST", ENTRIES, proposal);
    expect([refused.status, refused.json]).toEqual([
      400,
      {
        code: 400,
        message: "error processing entry: kind: entry kind 'hashedrekord' is not enabled for submission on this server",
      },
    ]);
    const asked = await rekor.request("POST", `${ENTRIES}/retrieve`, { entries: [proposal] });
    expect([asked.status, asked.json]).toEqual([200, []]);
  });

  test("takes a hashedrekord of the keys it names, and other kinds of any", async () => {
    await using rekor = await startRekor({ keyAlgorithms: ["ecdsa-p384"] });
    const p256 = ephemeralSigner("ecdsa-p256");
    const refused = await rekor.request("POST", ENTRIES, await hashedrekord({ signer: p256 }));
    expect([refused.status, refused.json.message]).toEqual([
      400,
      "error processing entry: spec.signature.publicKey.content: entry algorithm ecdsa-p256 not allowed",
    ]);
    await rekor.logged(await hashedrekord({ signer: ephemeralSigner("ecdsa-p384"), algorithm: "sha384" }));
    await rekor.logged(await dsse({ signers: [p256] }));
  });

  test.for([
    [undefined, true],
    [10_000, true],
    [10, false],
    [0, false],
  ] as const)("keeps payloads of at most %s bytes: %s", async ([attestationBytes, kept]) => {
    await using rekor = await startRekor(attestationBytes === undefined ? {} : { attestationBytes });
    const id = await rekor.logged(await intoto1());
    const entry = onlyEntry((await rekor.request("GET", `${ENTRIES}/${id}`)).json);
    expect("attestation" in entry).toBe(kept);
  });
});
