import { parsePublicKey, sha256, spkiHash } from "@chancery/crypto";
import { concatBytes, encodeBase64, encodeHex } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import {
  certSignedData,
  embeddedScts,
  encodeDigitallySigned,
  encodeSct,
  encodeSctList,
  parseCertificate,
  parseSct,
  parseSctList,
  precertSignedData,
  removeSctList,
  sctFromJson,
  sctToJson,
  verifySct,
} from "../src/index.ts";
import { PRODUCTION_CT_KEY, PRODUCTION_INTERMEDIATE, PRODUCTION_LEAF } from "./production.ts";
import { sct } from "./world.ts";

describe("the SCT of the public instance", () => {
  const leaf = parseCertificate(PRODUCTION_LEAF, "leaf");
  const logKey = parsePublicKey(PRODUCTION_CT_KEY, "log key");
  const issuerKeyHash = sha256(parseCertificate(PRODUCTION_INTERMEDIATE, "issuer").spki);
  const entry = { type: "precertificate" as const, issuerKeyHash, tbs: removeSctList(leaf) };

  test("verifies over the leaf without its SCT list", async () => {
    const [embedded, ...others] = embeddedScts(leaf);
    expect(others).toEqual([]);
    expect(embedded!.logId).toEqual(spkiHash(logKey));
    expect(new Date(embedded!.timestamp)).toEqual(new Date("2024-03-19T17:26:26.470Z"));
    await verifySct(embedded!, logKey, entry);
  });

  test("does not verify for another issuer, another certificate, another time or another log", async () => {
    const [embedded] = embeddedScts(leaf);
    const refusals: [Parameters<typeof verifySct>, string][] = [
      [[embedded!, logKey, { ...entry, issuerKeyHash: new Uint8Array(32) }], "signature does not verify"],
      [[embedded!, logKey, { ...entry, tbs: leaf.tbs }], "signature does not verify"],
      [[embedded!, logKey, { type: "certificate", der: leaf.der }], "signature does not verify"],
      [[{ ...embedded!, timestamp: embedded!.timestamp + 1 }, logKey, entry], "signature does not verify"],
      [[{ ...embedded!, extensions: Uint8Array.of(0) }, logKey, entry], "signature does not verify"],
      [[embedded!, ephemeralSigner("ecdsa-p256").publicKey, entry], "log ID"],
    ];
    for (const [args, reason] of refusals) {
      await expect(verifySct(...args)).rejects.toThrow(Unverified);
      await expect(verifySct(...args)).rejects.toThrow(reason);
    }
  });
});

describe("SCTs of our own", () => {
  test.for(["ecdsa-p256", "rsa-2048"] as const)("signed with %s verify over a whole certificate", async (algorithm) => {
    const log = ephemeralSigner(algorithm);
    const [timestamp, extensions] = [1_763_719_200_123, Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 9)];
    const signature = await log.sign(certSignedData({ timestamp, certificate: PRODUCTION_LEAF, extensions }));
    const signed = {
      logId: spkiHash(log.publicKey),
      timestamp,
      extensions,
      signature: encodeDigitallySigned(log.publicKey, signature),
    };
    await verifySct(parseSct(encodeSct(signed), "sct"), log.publicKey, { type: "certificate", der: PRODUCTION_LEAF });
  });

  test("the bytes a log signs for a precertificate are RFC 6962's", () => {
    const signed = precertSignedData({
      timestamp: 0x0102_0304,
      issuerKeyHash: new Uint8Array(32).fill(0xaa),
      tbs: Uint8Array.of(1, 2, 3),
      extensions: Uint8Array.of(9),
    });
    expect(encodeHex(signed)).toBe(`000000000000010203040001${"aa".repeat(32)}000003010203000109`);
  });

  test("a list comes back as it was", () => {
    const scts = [sct(), sct({ timestamp: 5, extensions: Uint8Array.of(1, 2) })];
    expect(parseSctList(encodeSctList(scts), "list")).toEqual(scts);
  });

  test("JSON comes back as it was, in upstream's names", () => {
    const json = sctToJson(sct());
    expect(json).toEqual({
      sct_version: 0,
      id: encodeBase64(new Uint8Array(32).fill(7)),
      timestamp: 1_700_000_000_123,
      extensions: "",
      signature: encodeBase64(Uint8Array.of(4, 3, 0, 2, 0xab, 0xcd)),
    });
    expect(sctFromJson(json, "sct")).toEqual(sct());
  });

  test.for<[string, Uint8Array]>([
    ["an empty list", Uint8Array.of(0, 0)],
    ["a list that is cut short", encodeSctList([sct()]).subarray(0, -1)],
    ["bytes after the list", concatBytes(encodeSctList([sct()]), Uint8Array.of(0))],
    ["version 2", withByte(encodeSctList([sct()]), 4, 1)],
    ["a time beyond the year 287396", withByte(encodeSctList([sct()]), 4 + 33, 0xff)],
    ["seventeen SCTs", encodeSctList(Array.from({ length: 17 }, () => sct()))],
  ])("refuses %s", ([, bytes]) => {
    expect(() => parseSctList(bytes, "list")).toThrow(Malformed);
  });

  test.for<[string, object]>([
    ["no members", {}],
    ["another version", { ...sctToJson(sct()), sct_version: 1 }],
    ["a short log ID", { ...sctToJson(sct()), id: "AAAA" }],
    ["a time that is text", { ...sctToJson(sct()), timestamp: "5" }],
    ["a time with a fraction", { ...sctToJson(sct()), timestamp: 1.5 }],
    ["extensions that are no text", { ...sctToJson(sct()), extensions: null }],
    ["a signature that is cut short", { ...sctToJson(sct()), signature: "BAMAAqs=" }],
  ])("refuses JSON with %s", ([, json]) => {
    expect(() => sctFromJson(json as never, "sct")).toThrow(Malformed);
  });
});

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}
