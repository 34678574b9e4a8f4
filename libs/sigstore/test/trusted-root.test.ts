import { createHash, createPublicKey } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toTrustMaterial } from "@sigstore/verify";
import { beforeAll, describe, expect, test } from "vitest";
import { encodeTrustedRoot, trustedRoot, type TrustedParties } from "../src/index.ts";
import { oneOfEach, SINCE } from "./parties.ts";

let parties: TrustedParties;
beforeAll(async () => {
  parties = await oneOfEach();
});

/** Every field name in a JSON text, however deep. */
const fieldNames = (text: string) => new Set(text.match(/"\w+":/g)?.map((name) => name.slice(1, -2)));

describe("the trusted root", () => {
  test("sets no field that cosign 2.4 and 2.5.0 do not know, for their parser is strict", () => {
    const text = encodeTrustedRoot(trustedRoot(parties));
    expect([...fieldNames(text)].sort().join(" ")).toBe(
      "baseUrl certChain certificateAuthorities certificates commonName ctlogs hashAlgorithm keyDetails keyId logId " +
        "mediaType organization publicKey rawBytes start subject timestampAuthorities tlogs uri validFor",
    );
    expect(JSON.parse(text)).toMatchObject({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [
        {
          hashAlgorithm: "SHA2_256",
          publicKey: { keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor: { start: "2026-01-01T00:00:00.000Z" } },
        },
      ],
      certificateAuthorities: [{ subject: { organization: "example.com", commonName: "fulcio" } }],
    });
  });

  test("writes out what is empty, for sigstore-python requires it", () => {
    const nobody = { certificateAuthorities: [], transparencyLogs: [], ctLogs: [], timestampAuthorities: [] };
    expect(JSON.parse(encodeTrustedRoot(trustedRoot(nobody)))).toEqual({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [],
      certificateAuthorities: [],
      ctlogs: [],
      timestampAuthorities: [],
    });
    const { timestampAuthorities } = trustedRoot(parties);
    expect(timestampAuthorities[0]!.subject).toEqual({ organization: "", commonName: "tsa" });
    expect(encodeTrustedRoot(trustedRoot(parties))).toMatch(/"organization": "",\s*"commonName": "tsa"/);
  });

  test("survives protobuf's own reader unchanged", () => {
    const text = encodeTrustedRoot(trustedRoot(parties));
    expect(encodeTrustedRoot(TrustedRoot.fromJSON(JSON.parse(text)))).toBe(text);
  });

  test("reads as trust material in sigstore-js, with the log IDs of RFC 6962 and the chains in order", () => {
    const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(encodeTrustedRoot(trustedRoot(parties)))));
    const log = parties.transparencyLogs[0]!;
    expect(material.tlogs[0]!.logID.toString("hex")).toBe(
      createHash("sha256").update(log.publicKey.spki).digest("hex"),
    );
    expect(
      material.tlogs[0]!.publicKey.equals(
        createPublicKey({ key: Buffer.from(log.publicKey.spki), format: "der", type: "spki" }),
      ),
    ).toBe(true);
    const [issuing, root] = material.certificateAuthorities[0]!.certChain;
    expect(issuing!.verify(root)).toBe(true);
    expect(root!.verify()).toBe(true);
    const [leaf, tsaRoot] = material.timestampAuthorities[0]!.certChain;
    expect(leaf!.verify(tsaRoot)).toBe(true);
  });

  test("lists generations oldest first, whatever order they are given in", () => {
    const old = { ...parties.ctLogs[0]!, validFor: { start: new Date("2024-01-01"), end: SINCE.start } };
    const young = { ...parties.ctLogs[0]!, publicKey: ephemeralSigner("ecdsa-p256").publicKey };
    const forwards = encodeTrustedRoot(trustedRoot({ ...parties, ctLogs: [old, young] }));
    expect(encodeTrustedRoot(trustedRoot({ ...parties, ctLogs: [young, old] }))).toBe(forwards);
    expect(TrustedRoot.fromJSON(JSON.parse(forwards)).ctlogs.map(({ publicKey }) => publicKey?.validFor)).toEqual([
      { start: new Date("2024-01-01"), end: SINCE.start },
      { start: SINCE.start, end: undefined },
    ]);
  });

  test("takes a log's own identifier where it has one", () => {
    const logId = new Uint8Array(32).fill(7);
    const root = trustedRoot({ ...parties, transparencyLogs: [{ ...parties.transparencyLogs[0]!, logId }] });
    expect(root.tlogs[0]!.logId?.keyId).toEqual(Buffer.from(logId));
  });

  test.for<[string, (good: TrustedParties) => Partial<TrustedParties>]>([
    [
      "a chain that is upside down",
      ({ certificateAuthorities: [ca] }) => ({ certificateAuthorities: [{ ...ca!, chain: ca!.chain.toReversed() }] }),
    ],
    [
      "a chain without its root",
      ({ timestampAuthorities: [tsa] }) => ({ timestampAuthorities: [{ ...tsa!, chain: tsa!.chain.slice(0, 1) }] }),
    ],
    ["an empty chain", ({ certificateAuthorities: [ca] }) => ({ certificateAuthorities: [{ ...ca!, chain: [] }] })],
    ["the same log twice", ({ ctLogs: [log] }) => ({ ctLogs: [log!, log!] })],
    ["a four-byte log ID", ({ ctLogs: [log] }) => ({ ctLogs: [{ ...log!, logId: new Uint8Array(4) }] })],
    [
      "a window that ends before it starts",
      ({ ctLogs: [log] }) => ({ ctLogs: [{ ...log!, validFor: { ...SINCE, end: new Date(0) } }] }),
    ],
    [
      "a start that is no time",
      ({ ctLogs: [log] }) => ({ ctLogs: [{ ...log!, validFor: { start: new Date("soon") } }] }),
    ],
    [
      "a URL with a trailing slash",
      ({ ctLogs: [log] }) => ({ ctLogs: [{ ...log!, baseUrl: "https://sig.example.com/" }] }),
    ],
    ["a URL that is a host name", ({ ctLogs: [log] }) => ({ ctLogs: [{ ...log!, baseUrl: "sig.example.com" }] })],
  ])("refuses %s", ([, broken]) => {
    expect(() => trustedRoot({ ...parties, ...broken(parties) })).toThrow(Misconfigured);
  });
});
