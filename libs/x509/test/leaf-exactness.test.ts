import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";
import { ephemeralSigner } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  encodeSctList,
  FULCIO_EXTENSIONS,
  type FulcioExtensions,
  type LeafRequest,
  parseCertificate,
  removePoison,
  removeSctList,
  type SubjectAlternativeName,
  subjectKeyIdentifier,
} from "../src/index.ts";
import { type LiteralLeaf, literalTbs, POISON, sctListExtension, tlv } from "./literal-profile.ts";
import { type Authority, authority, sct } from "./world.ts";

let ca: Authority;
let spki: Uint8Array;
beforeAll(async () => {
  ca = await authority();
  ({ spki } = ephemeralSigner("ecdsa-p256").publicKey);
});

/** ecdsa-with-SHA256, parameters absent. */
const ALGORITHM = Uint8Array.from([0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);

const literal = (request: LeafRequest): LiteralLeaf => ({
  ...request,
  extensions: request.extensions,
  issuer: ca.intermediate.subject,
  issuerKeyIdentifier: subjectKeyIdentifier(ca.intermediate)!,
  algorithm: ALGORITHM,
});

/** Where one more octet makes a length field grow, in the value or in anything that holds it. */
const BOUNDARIES = [127, 128, 255, 256, 65_535, 65_536];
const LENGTHS = BOUNDARIES.flatMap((edge) => Array.from({ length: 32 }, (_, back) => edge - 30 + back));

const lengths = fc.oneof(fc.constantFrom(...LENGTHS), fc.integer({ min: 1, max: 400 }));
/** Texts of exactly so many octets: characters of one, two, three and four fill them up. */
const text = fc
  .tuple(lengths, fc.string({ unit: fc.constantFrom("ü", "語", "🦉", "a", "é"), maxLength: 30 }))
  .map(([octets, start]) => {
    const kept = Buffer.byteLength(start) > octets ? "" : start;
    return kept + "x".repeat(octets - Buffer.byteLength(kept));
  });

const name = fc.constantFrom(...new Set(FULCIO_EXTENSIONS.map(({ name: one }) => one)));
const extensions: fc.Arbitrary<FulcioExtensions> = fc
  .tuple(fc.dictionary(name, text, { maxKeys: 6 }), text)
  .map(([some, issuer]) => Object.assign({ issuer }, some, { issuer }));

const shorter = lengths.map((octets) => Math.min(octets, 2000));
const san: fc.Arbitrary<SubjectAlternativeName> = fc.oneof(
  shorter.map((octets) => ({ type: "email" as const, value: `${"a".repeat(octets)}@b` })),
  shorter.map((octets) => ({ type: "uri" as const, value: `https://${"a".repeat(octets)}` })),
  shorter.map((octets) => ({ type: "dns" as const, value: "a".repeat(octets) })),
  shorter.map((octets) => ({ type: "username" as const, value: `jürgen🦉${"a".repeat(octets)}!example.com` })),
);

/** Leading zeros, a set high bit, and both: INTEGER is signed, minimal and never negative. */
const serial = fc.oneof(
  fc
    .uint8Array({ minLength: 20, maxLength: 20 })
    .map((octets) => octets.with(0, octets[0]! & 0x7f).with(19, octets[19]! | 1)),
  fc.constantFrom(
    ...["01", "7f", "80", "00ff", `00${"80".repeat(19)}`, `7f${"ff".repeat(19)}`, `0000${"01".repeat(18)}`].map((hex) =>
      Uint8Array.fromHex(hex),
    ),
  ),
);

const notBefore = fc.oneof(
  fc.date({ min: new Date("2000-01-01"), max: new Date("2090-01-01"), noInvalidDate: true }),
  fc
    .integer({ min: -700_000, max: 700_000 })
    .map((milliseconds) => new Date(Date.parse("2050-01-01T00:00:00Z") + milliseconds)),
);

const requests = fc.record({ san, extensions, serial, notBefore });

/** The TBSCertificate as the first element of the outer SEQUENCE, found without a parser of ours. */
function firstElement(der: Uint8Array): Uint8Array {
  const body = header(der);
  const inner = der.subarray(body.start);
  const { start, length } = header(inner);
  return inner.subarray(0, start + length);
}

function header(der: Uint8Array): { readonly start: number; readonly length: number } {
  const first = der[1]!;
  if (first < 0x80) return { start: 2, length: first };
  const octets = der.subarray(2, 2 + (first & 0x7f));
  return { start: 2 + octets.length, length: Number(`0x${Buffer.from(octets).toString("hex")}`) };
}

describe("a leaf is the literal profile, byte for byte:", () => {
  test("precertificate, what the log signs, certificate, and one that no log has seen", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 3 }), async (some, count) => {
        const request = { ...some, spki, notAfter: new Date(some.notBefore.getTime() + 600_000) };
        const scts = Array.from({ length: count }, () => sct());
        const list = sctListExtension(encodeSctList(scts));
        const precertificate = await ca.issuer.precertificate(request);
        const certificate = await ca.issuer.certificate(request, scts);
        const leaf = literal(request);
        expect(printed(firstElement(precertificate.der))).toBe(printed(literalTbs(leaf, POISON)));
        expect(printed(precertificate.tbs)).toBe(printed(literalTbs(leaf)));
        expect(printed(firstElement(certificate))).toBe(printed(literalTbs(leaf, list)));
        expect(printed(firstElement(await ca.issuer.unloggedCertificate(request)))).toBe(printed(literalTbs(leaf)));
        // The parser's own bound; no such certificate is accepted, and none may be written wrongly.
        if (certificate.length > 60_000) return;
        expect(printed(removePoison(parseCertificate(precertificate.der, "pre")))).toBe(printed(literalTbs(leaf)));
        expect(printed(removeSctList(parseCertificate(certificate, "leaf")))).toBe(printed(literalTbs(leaf)));
      }),
      { numRuns: 150 },
    );
  });

  test("with a value at every edge of every length", async () => {
    for (const octets of LENGTHS) {
      const request: LeafRequest = {
        spki,
        san: { type: "email", value: "dev@example.com" },
        extensions: { issuer: "https://issuer.example.com", "build-trigger": "x".repeat(octets) },
        notBefore: new Date("2049-12-31T23:59:59.999Z"),
        notAfter: new Date("2050-01-01T00:09:59.999Z"),
        serial: Uint8Array.fromHex(`00${"ff".repeat(18)}`),
      };
      const { tbs } = await ca.issuer.precertificate(request);
      expect(printed(tbs), `${octets} octets`).toBe(printed(literalTbs(literal(request))));
    }
  });
});

/** A digest above a few kilobytes: two texts of 130,000 digits are not what a failure should print. */
function printed(octets: Uint8Array): string {
  return octets.length < 4096
    ? encodeHex(octets)
    : `${octets.length}:${createHash("sha256").update(octets).digest("hex")}`;
}

const iso = (date: Date) => date.toISOString().replace("T", " ").replace(".000", "");
const kind = (date: Date) => (date.getUTCFullYear() < 2050 ? "UTCTIME" : "GENERALIZEDTIME");

describe("certificates at the edges are read alike", () => {
  const edges: readonly Omit<LeafRequest, "spki">[] = [
    {
      san: { type: "username", value: `jürgen🦉${"a".repeat(100)}!example.com` },
      extensions: { issuer: "https://issuer.example.com/ü", "token-subject": "語".repeat(43) },
      notBefore: new Date("2049-12-31T23:59:59Z"),
      notAfter: new Date("2050-01-01T00:09:59Z"),
      serial: Uint8Array.fromHex(`00${"80".repeat(19)}`),
    },
    {
      san: { type: "uri", value: `https://${"a".repeat(246)}` },
      extensions: { issuer: "i", "build-trigger": "x".repeat(65_534) },
      notBefore: new Date("2050-01-01T00:00:00Z"),
      notAfter: new Date("2050-01-01T00:10:00Z"),
      serial: Uint8Array.fromHex(`7f${"ff".repeat(19)}`),
    },
  ];

  test.for(edges)("by @peculiar/x509", async (edge) => {
    const bytes = await ca.issuer.certificate({ ...edge, spki }, [sct()]);
    const oracle = new peculiar.X509Certificate(bytes.slice());
    expect(BigInt(`0x${oracle.serialNumber}`)).toBe(BigInt(`0x${encodeHex(edge.serial)}`));
    expect([oracle.notBefore, oracle.notAfter]).toEqual([edge.notBefore, edge.notAfter]);
    const subject = new Uint8Array(oracle.getExtension("1.3.6.1.4.1.57264.1.8")!.value);
    expect(new TextDecoder().decode(subject.subarray(header(subject).start))).toBe(edge.extensions.issuer);
    expect(oracle.extensions.slice(0, 5).map(({ type, critical }) => [type, critical])).toEqual([
      ["2.5.29.15", true],
      ["2.5.29.37", false],
      ["2.5.29.14", false],
      ["2.5.29.35", false],
      ["2.5.29.17", true],
    ]);
    expect(oracle.extensions.at(-1)!.type).toBe("1.3.6.1.4.1.11129.2.4.2");
  });

  test.skipIf(spawnSync("openssl", ["version"]).status !== 0).for(edges)(
    "by openssl (skipped without it)",
    async (edge) => {
      const bytes = await ca.issuer.certificate({ ...edge, spki }, [sct()]);
      const openssl = (...args: string[]) => execFileSync("openssl", args, { input: bytes, encoding: "utf8" });
      const shown = openssl("x509", "-inform", "DER", "-noout", "-serial", "-dates", "-dateopt", "iso_8601");
      const number = BigInt(`0x${encodeHex(edge.serial)}`)
        .toString(16)
        .toUpperCase();
      expect(shown).toContain(`serial=${number}`);
      expect(shown).toContain(`notBefore=${iso(edge.notBefore)}\nnotAfter=${iso(edge.notAfter)}`);
      const parsed = openssl("asn1parse", "-inform", "DER");
      const times = parsed.match(/(UTCTIME|GENERALIZEDTIME)/g);
      expect(times).toEqual([kind(edge.notBefore), kind(edge.notAfter)]);
      expect(openssl("x509", "-inform", "DER", "-noout", "-text")).toMatch(/Alternative Name: critical/);
    },
  );
});

test("the oracle itself writes lengths as X.690 prints them", () => {
  expect(encodeHex(tlv(0x04, new Uint8Array(128)).subarray(0, 3))).toBe("048180");
  expect(encodeHex(tlv(0x04, new Uint8Array(65_536)).subarray(0, 5))).toBe("0483010000");
});
