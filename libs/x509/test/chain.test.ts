import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { Malformed, Unverified } from "@chancery/fault";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  createTimestampingCertificate,
  encodeSubjectAlternativeName,
  type Extension,
  extendedKeyUsageExtension,
  keyUsageExtension,
  OID,
  parseCertificate,
  removePoison,
  serialNumber,
  serialNumbers,
  type SubjectAlternativeName,
  parseSubjectAlternativeNames,
  verifyAuthorityChain,
  verifyChain,
  verifyTimestampingChain,
} from "../src/index.ts";
import { PRODUCTION_INTERMEDIATE, PRODUCTION_LEAF, PRODUCTION_ROOT } from "./production.ts";
import { type Authority, authority, leafRequest, YEAR_2026, YEAR_2036 } from "./world.ts";

let ca: Authority;
beforeAll(async () => {
  ca = await authority();
});

const validity = { notBefore: YEAR_2026, notAfter: YEAR_2036 };
const parse = (bytes: Uint8Array) => parseCertificate(bytes, "certificate");
const without = (certificate: Certificate, oid: string): Certificate => ({
  ...certificate,
  extensions: certificate.extensions.filter((extension) => extension.oid !== oid),
});

describe("the chain of a Fulcio authority", () => {
  test("is accepted: ours, a root alone, and that of the public instance", () => {
    verifyAuthorityChain([ca.intermediate, ca.root]);
    verifyAuthorityChain([ca.root]);
    verifyAuthorityChain([parse(PRODUCTION_INTERMEDIATE), parse(PRODUCTION_ROOT)]);
  });

  test("also holds for a leaf, and for its precertificate", async () => {
    verifyChain([PRODUCTION_LEAF, PRODUCTION_INTERMEDIATE, PRODUCTION_ROOT].map(parse), OID.codeSigning, "chain");
    const precertificate = parse((await ca.issuer.precertificate(leafRequest())).der);
    verifyChain([precertificate, ca.intermediate, ca.root], OID.codeSigning, "chain");
    expect(removePoison(precertificate).length).toBeGreaterThan(0);
  });

  test("is refused when empty, out of order, too long, or another's", async () => {
    const other = await authority();
    expect(() => verifyAuthorityChain([])).toThrow("chain is empty");
    expect(() => verifyAuthorityChain([ca.root, ca.intermediate])).toThrow("issuer name");
    expect(() => verifyAuthorityChain(Array.from({ length: 11 }, () => ca.root))).toThrow("more than 10");
    expect(() => verifyAuthorityChain([ca.intermediate, other.root])).toThrow("signature does not verify");
  });

  test("is refused when its first certificate is a leaf", async () => {
    const leaf = parse(await ca.issuer.unloggedCertificate(leafRequest()));
    expect(() => verifyAuthorityChain([leaf, ca.intermediate, ca.root])).toThrow(
      "first certificate is not an authority",
    );
  });

  test("is refused when the intermediate does not list codeSigning", async () => {
    const request = { subject: { commonName: "I" }, issuer: ca.root, issuerSigner: ca.rootSigner, ...validity };
    const spki = ephemeralSigner("ecdsa-p256").publicKey.spki;
    const server = parse(
      await createIntermediateAuthority({ ...request, spki, extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] }),
    );
    expect(() => verifyAuthorityChain([server, ca.root])).toThrow("extended key usage does not allow");
    const any = parse(
      await createIntermediateAuthority({ ...request, spki, extendedKeyUsage: [OID.anyExtendedKeyUsage] }),
    );
    expect(() => verifyAuthorityChain([any, ca.root])).toThrow("does not list extended key usage codeSigning");
  });

  test("is refused when a path length is exceeded", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const below = parse(
      await createIntermediateAuthority({
        subject: { commonName: "Too deep" },
        issuer: ca.intermediate,
        issuerSigner: ca.intermediateSigner,
        spki: signer.publicKey.spki,
        ...validity,
      }),
    );
    const leafBelow = [parse(PRODUCTION_LEAF), below, ca.intermediate, ca.root];
    expect(() => verifyChain([below, ca.intermediate, ca.root], OID.codeSigning, "c")).not.toThrow();
    expect(() => verifyChain(leafBelow, OID.codeSigning, "c")).toThrow(Unverified);
    const leaf = await authorityBelow(below, signer);
    expect(() => verifyChain([leaf, below, ca.intermediate, ca.root], OID.codeSigning, "c")).toThrow("path length");
  });

  test("is refused when a critical extension is not understood, or the issuer may not sign", () => {
    const constraints = { oid: "2.5.29.30", critical: true, value: new Uint8Array() };
    const constrained = { ...ca.root, extensions: [...ca.root.extensions, constraints] };
    expect(() => verifyAuthorityChain([ca.intermediate, constrained])).toThrow("2.5.29.30 is not understood");
    const powerless = without(ca.root, OID.basicConstraints);
    expect(() => verifyAuthorityChain([ca.intermediate, powerless])).toThrow("its issuer is not an authority");
    const extensions = [...without(ca.root, OID.keyUsage).extensions, keyUsageExtension(["cRLSign"])];
    const revoker = { ...ca.root, extensions };
    expect(() => verifyAuthorityChain([ca.intermediate, revoker])).toThrow("its issuer may not sign certificates");
    expect(() => verifyAuthorityChain([revoker])).toThrow("the first certificate may not sign certificates");
  });
});

/** Its signature no longer fits; what the chain rules say of the purposes comes first. */
function withPurposes(certificate: Certificate, purposes: Extension): Certificate {
  const others = without(certificate, OID.extendedKeyUsage);
  return { ...others, extensions: [...others.extensions, purposes] };
}

function authorityBelow(issuer: Certificate, issuerSigner: Signer): Promise<Certificate> {
  const spki = ephemeralSigner("ecdsa-p256").publicKey.spki;
  const request = { subject: { commonName: "Deeper" }, issuer, issuerSigner, spki, ...validity };
  return createIntermediateAuthority(request).then(parse);
}

function tsa(issuer: Certificate, issuerSigner: Signer): Promise<Certificate> {
  const spki = ephemeralSigner("ecdsa-p256").publicKey.spki;
  const subject = { commonName: "TSA", organization: "Example" };
  return createTimestampingCertificate({ subject, issuer, issuerSigner, spki, ...validity }).then(parse);
}

describe("the chain of a timestamp authority", () => {
  test("is accepted below a root", async () => {
    verifyTimestampingChain([await tsa(ca.root, ca.rootSigner), ca.root]);
  });

  test("is refused below an authority that only allows codeSigning", async () => {
    const chain = [await tsa(ca.intermediate, ca.intermediateSigner), ca.intermediate, ca.root];
    expect(() => verifyTimestampingChain(chain)).toThrow("extended key usage does not allow");
  });

  test("is refused when it is one certificate, or its first is an authority", async () => {
    const leaf = await tsa(ca.root, ca.rootSigner);
    expect(() => verifyTimestampingChain([leaf])).toThrow("needs the signing certificate and its issuer");
    const signer = ephemeralSigner("ecdsa-p256");
    const intermediate = parse(
      await createIntermediateAuthority({
        subject: { commonName: "I" },
        issuer: ca.root,
        issuerSigner: ca.rootSigner,
        spki: signer.publicKey.spki,
        extendedKeyUsage: [OID.timeStamping],
        ...validity,
      }),
    );
    expect(() => verifyTimestampingChain([intermediate, ca.root])).toThrow("first certificate is an authority");
    verifyTimestampingChain([await tsa(intermediate, signer), intermediate, ca.root]);
  });

  test("is refused when timeStamping is not critical, or not alone", async () => {
    const leaf = await tsa(ca.root, ca.rootSigner);
    const relaxed = withPurposes(leaf, extendedKeyUsageExtension([OID.timeStamping], false));
    expect(() => verifyTimestampingChain([relaxed, ca.root])).toThrow("timeStamping alone, critical");
    const wider = withPurposes(leaf, extendedKeyUsageExtension([OID.timeStamping, OID.codeSigning], true));
    expect(() => verifyTimestampingChain([wider, ca.root])).toThrow("timeStamping alone, critical");
  });
});

describe("names and numbers", () => {
  test("a serial number is positive and keeps 159 bits", () => {
    expect(serialNumber(new Uint8Array(20).fill(0xff))[0]).toBe(0x7f);
    expect(() => serialNumber(new Uint8Array(20))).toThrow(Malformed);
    expect(() => serialNumber(new Uint8Array(8).fill(1))).toThrow("20 random bytes");
  });

  test("serial numbers come from blocks of randomness, none of it used twice", () => {
    let asked = 0;
    let byte = 0;
    const next = serialNumbers((count) => {
      asked++;
      return Buffer.from(Array.from({ length: count }, () => (byte = (byte + 7) % 251)));
    });
    const serials = Array.from({ length: 250 }, next);
    expect(asked).toBe(2);
    expect(new Set(serials.map(String)).size).toBe(250);
    expect(serials.every((serial) => serial.length === 20 && serial[0]! < 0x80)).toBe(true);
  });

  test("a root without a name is not made", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    await expect(async () => createRootAuthority({ subject: { commonName: "" }, signer, ...validity })).rejects.toThrow(
      "common name",
    );
  });

  test.for<[SubjectAlternativeName]>([
    [{ type: "email", value: "dev@example.com" }],
    [{ type: "uri", value: "spiffe://example.com/ns/a" }],
    [{ type: "dns", value: "example.com" }],
    [{ type: "ip", value: "192.0.2.1" }],
    [{ type: "ip", value: "2001:db8:0:0:0:0:0:1" }],
    [{ type: "username", value: "zoë!example.com" }],
  ])("%o comes back as it was", ([name]) => {
    const certificate = {
      ...ca.root,
      extensions: [{ oid: OID.subjectAlternativeName, critical: true, value: encodeSubjectAlternativeName(name) }],
    };
    expect(parseSubjectAlternativeNames(certificate)).toEqual([name]);
  });

  test.for<[string, SubjectAlternativeName]>([
    ["an empty value", { type: "email", value: "" }],
    ["a NUL", { type: "email", value: "a@example.com\0.evil" }],
    ["a line break in a user name", { type: "username", value: "a\nb!c" }],
    ["an umlaut where only ASCII can stand", { type: "email", value: "jürgen@example.com" }],
    ["half a surrogate pair", { type: "username", value: "\ud800!c" }],
    ["an address with a leading zero", { type: "ip", value: "192.0.2.01" }],
    ["an address with two gaps", { type: "ip", value: "1::2::3" }],
    ["five thousand characters", { type: "uri", value: `https://${"a".repeat(5000)}` }],
  ])("a name with %s is refused", ([, name]) => {
    expect(() => encodeSubjectAlternativeName(name)).toThrow(Malformed);
  });
});
