import { describe, expect, test } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import { dsse, hashedrekord, intoto1 } from "./proposals.ts";
import { ENTRIES, onlyEntry, startRekor } from "./running-rekor.ts";
import { dsseRequest, expectProven, hashedRekordRequest, newKey, startRekorV2 } from "./running-rekor-v2.ts";

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

  test("takes of the keys it names alone into the v2 log, as a digest or as an envelope", async () => {
    await using rekor = await startRekorV2("ecdsa-p256", { keyAlgorithms: ["ecdsa-p384"] });
    const [p256, p384] = [newKey(), newKey("P-384", "sha384", "PKIX_ECDSA_P384_SHA_384")];
    const refusals = [
      [hashedRekordRequest("artifact", p256), "hashedRekordRequestV002.signature.verifier"],
      [dsseRequest("payload", p256).request, "dsseRequestV002.verifiers.0"],
    ] as const;
    for (const [request, field] of refusals) {
      const refused = await rekor.post(request);
      const message = `${field}.keyDetails: entry algorithm ecdsa-p256 not allowed`;
      expect([refused.status, refused.json]).toEqual([400, { code: 3, message, details: [] }]);
    }
    expect((await rekor.log.published()).head.size).toBe(0n);
    for (const request of [hashedRekordRequest("artifact", p384), dsseRequest("payload", p384).request]) {
      expectProven(await rekor.post(request), rekor);
    }
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
