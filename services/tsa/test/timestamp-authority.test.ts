import { verify } from "node:crypto";
import { ephemeralSigner, type KeyAlgorithm, sha256 } from "@chancery/crypto";
import { der, DerReader, encodeHex } from "@chancery/encoding";
import { Misconfigured, RefusedToSign, Unavailable, Unsupported } from "@chancery/fault";
import { createRootAuthority, parseCertificate } from "@chancery/x509";
import { beforeAll, describe, expect, test } from "vitest";
import { parseTimestampRequest } from "../src/index.ts";
import { RFC3161Timestamp, verifyRFC3161Timestamp, X509Certificate } from "./sigstore-js.ts";
import { authority, NOW, query, SHA256, type World, world } from "./world.ts";

let tsa: World;
beforeAll(async () => {
  tsa = await world();
});

const data = Buffer.from("the signature that is stamped");
const request = (changes: Parameters<typeof query>[0] = {}) =>
  parseTimestampRequest(query({ digest: sha256(data), ...changes }));

/** The parts of a response by RFC 3161 and RFC 5652, read in order; whatever is left over is a failure. */
function dissect(response: Uint8Array) {
  const reply = new DerReader(response, "reply").sequence();
  const status = encodeHex(reply.any());
  const token = reply.sequence();
  reply.end();
  expect(token.oid()).toBe("1.2.840.113549.1.7.2");
  const signedData = token.explicit(0)!.sequence();
  token.end();
  expect(signedData.integer()).toBe(3n);
  const digestAlgorithms = encodeHex(signedData.any());
  const encapsulated = signedData.sequence();
  expect(encapsulated.oid()).toBe("1.2.840.113549.1.9.16.1.4");
  const info = encapsulated.explicit(0)!.octetString();
  const certificates = signedData.tag() === 0xa0 ? signedData.read(0xa0) : undefined;
  const signers = signedData.set();
  signedData.end();
  const signer = signers.sequence();
  signers.end();
  expect(signer.integer()).toBe(1n);
  const sid = signer.any();
  const digestAlgorithm = encodeHex(signer.any());
  const attributes = der.tlv(0x31, signer.read(0xa0));
  const signatureAlgorithm = encodeHex(signer.any());
  const signature = signer.octetString();
  signer.end();
  return {
    status,
    digestAlgorithms,
    info,
    certificates,
    sid,
    digestAlgorithm,
    attributes,
    signatureAlgorithm,
    signature,
  };
}

function dissectInfo(info: Uint8Array) {
  const fields = new DerReader(info, "TSTInfo").sequence();
  return {
    version: fields.integer(),
    policy: fields.oid(),
    imprint: fields.any(),
    serial: fields.integerBytes(),
    time: fields.time({ fraction: true }),
    accuracy: encodeHex(fields.any()),
    nonce: fields.tag() === 2 ? fields.any() : undefined,
    tsa: fields.any(),
    done: fields.done(),
  };
}

describe("a token", () => {
  test("says what was asked, when, by whom and under which policy", async () => {
    const nonce = der.integer(-77n);
    const info = dissectInfo(dissect(await authority(tsa).stamp(request({ nonce }))).info);
    expect(info).toMatchObject({
      version: 1n,
      policy: "1.3.6.1.4.1.57264.2",
      imprint: der.sequence(der.sequence(der.oid(SHA256), der.null()), der.octetString(sha256(data))),
      time: new Date("2026-11-21T10:00:00Z"),
      accuracy: "3003020101",
      nonce,
      tsa: der.explicit(0, der.explicit(4, tsa.chain[0]!.subject)),
      done: true,
    });
  });

  test("has the outer shape of upstream's: granted, one signer, four signed attributes in DER's order", async () => {
    const parts = dissect(await authority(tsa).stamp(request()));
    expect(parts.status).toBe("3003020100");
    expect(parts.digestAlgorithms).toBe("310d300b0609608648016503040201");
    expect(parts.digestAlgorithm).toBe("300b0609608648016503040201");
    expect(parts.signatureAlgorithm).toBe("300a06082a8648ce3d040302");
    const attributes = new DerReader(parts.attributes, "attributes").set();
    const types: string[] = [];
    while (!attributes.done()) types.push(attributes.sequence().oid());
    expect(types).toEqual([
      "1.2.840.113549.1.9.3",
      "1.2.840.113549.1.9.5",
      "1.2.840.113549.1.9.4",
      "1.2.840.113549.1.9.16.2.47",
    ]);
  });

  test("is signed over the attributes as a SET, by the certificate it names", async () => {
    const parts = dissect(await authority(tsa).stamp(request()));
    const key = tsa.signer.publicKey.keyObject;
    expect(verify("sha256", parts.attributes, key, parts.signature)).toBe(true);
    const [leaf] = tsa.chain;
    expect(parts.sid).toEqual(der.sequence(leaf!.issuer, der.integerBytes(leaf!.serial)));
    expect(encodeHex(parts.attributes)).toContain(encodeHex(sha256(parts.info)));
    expect(encodeHex(parts.attributes)).toContain(encodeHex(sha256(leaf!.der)));
  });

  test("carries our certificate when asked, and none otherwise", async () => {
    const withCertificate = await authority(tsa).stamp(request({ certReq: der.boolean(true) }));
    expect(dissect(withCertificate).certificates).toEqual(tsa.chain[0]!.der);
    expect(dissect(await authority(tsa).stamp(request())).certificates).toBeUndefined();
  });

  test("has a serial number of its own, of 20 random bytes", async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => authority(tsa).stamp(request())));
    const serials = tokens.map((token) => dissectInfo(dissect(token).info).serial);
    expect(new Set(serials.map(encodeHex)).size).toBe(50);
    expect(Math.max(...serials.map((serial) => serial.length))).toBe(20);
    expect(serials.every((serial) => (serial[0] ?? 0) < 0x80)).toBe(true);
  });

  test.for<KeyAlgorithm>(["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])(
    "signed with %s verifies in sigstore-js, up to the root",
    async (algorithm) => {
      const other = await world(algorithm);
      const timestamp = RFC3161Timestamp.parse(Buffer.from(await authority(other).stamp(request())));
      expect(timestamp.status).toBe(0n);
      expect(timestamp.signingTime).toEqual(new Date("2026-11-21T10:00:00Z"));
      const certChain = other.chain.map((certificate) => X509Certificate.parse(Buffer.from(certificate.der)));
      const trusted = { certChain, validFor: { start: new Date(0), end: new Date("2040-01-01T00:00:00Z") } };
      verifyRFC3161Timestamp(timestamp, data, [trusted]);
      expect(() => verifyRFC3161Timestamp(timestamp, Buffer.from("other"), [trusted])).toThrow("could not be verified");
    },
  );
});

describe("the authority refuses", () => {
  test("another policy than its own", async () => {
    await expect(authority(tsa).stamp(request({ policy: der.oid("1.2.3") }))).rejects.toThrow(Unsupported);
    const own = authority(tsa, { policy: "1.2.3" });
    const token = await own.stamp(request({ policy: der.oid("1.2.3") }));
    expect(dissectInfo(dissect(token).info).policy).toBe("1.2.3");
  });

  test("to start with a chain that is not its key's, not a chain, or not for timestamps", async () => {
    const start = (changes: object) => () => authority(tsa, changes);
    expect(start({ signer: ephemeralSigner("ecdsa-p256") })).toThrow("not that of the signing key");
    expect(start({ chain: [] })).toThrow(Misconfigured);
    expect(start({ chain: [tsa.chain[0]] })).toThrow("needs the signing certificate and its issuer");
    expect(start({ chain: [tsa.chain[1], tsa.chain[1]] })).toThrow("is an authority");
    const other = await world();
    expect(start({ chain: [tsa.chain[0], other.chain[1]] })).toThrow("signature does not verify");
  });

  test.for(["", "1", "1.2.x", "3.1", "1.40", "1.2.03", "1.2.3."])("to start with policy %j", (policy) => {
    expect(() => authority(tsa, { policy })).toThrow("tsa.policy: is not an object identifier");
  });

  test("to start with a root whose own signature is broken", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const validity = { notBefore: new Date(0), notAfter: new Date("2036-01-01T00:00:00Z") };
    const stranger = await createRootAuthority({ subject: { commonName: "Example Root" }, signer, ...validity });
    const forged = { ...tsa.chain[1]!, signature: parseCertificate(stranger, "root").signature };
    expect(() => authority(tsa, { chain: [tsa.chain[0]!, forged] })).toThrow("root: signature does not verify");
  });
});

describe("time", () => {
  test("outside the certificate's validity stamps nothing, and readiness says so", async () => {
    const early = authority(tsa, { clock: () => Date.parse("2025-12-31T23:59:59Z") });
    await expect(early.stamp(request())).rejects.toThrow(RefusedToSign);
    expect(early.readiness()).toBe("the clock is before the signing certificate begins (2026-01-01T00:00:00.000Z)");
    const late = authority(tsa, { clock: () => Date.parse("2036-01-01T00:00:01Z") });
    await expect(late.stamp(request())).rejects.toThrow(RefusedToSign);
    expect(late.readiness()).toBe("the signing certificate ended at 2036-01-01T00:00:00.000Z");
    expect(authority(tsa).readiness()).toBeUndefined();
  });

  test("that goes back more than the accuracy stamps nothing until it has caught up", async () => {
    let now = NOW;
    const clocked = authority(tsa, { clock: () => now });
    await clocked.stamp(request());
    now = NOW - 172_800_000;
    await expect(clocked.stamp(request())).rejects.toThrow(Unavailable);
    expect(clocked.readiness()).toBe("the clock is 172799 s behind the last token");
    now = NOW + 1;
    expect(clocked.readiness()).toBeUndefined();
    await clocked.stamp(request());
  });

  test("that was wrong by decades for one request, which was refused, holds up none that follow", async () => {
    let now = Date.parse("2099-01-01T00:00:00Z");
    const clocked = authority(tsa, { clock: () => now });
    await expect(clocked.stamp(request())).rejects.toThrow(RefusedToSign);
    now = NOW;
    expect(clocked.readiness()).toBeUndefined();
    await clocked.stamp(request());
  });

  test("that jitters below the accuracy never makes a token older than the one before", async () => {
    let now = NOW;
    const clocked = authority(tsa, { clock: () => now });
    const times: number[] = [];
    for (const step of [0, -900, 400, -300, 1_500, -1_000, 0]) {
      now += step;
      times.push(dissectInfo(dissect(await clocked.stamp(request())).info).time.getTime());
    }
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });
});
