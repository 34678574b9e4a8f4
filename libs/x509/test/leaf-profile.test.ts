import { X509Certificate as NodeCertificate } from "node:crypto";
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";
import { ephemeralSigner, type KeyAlgorithm } from "@chancery/crypto";
import { concatBytes, encodeHex, utf8 } from "@chancery/encoding";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Certificate,
  embeddedScts,
  encodeExtension,
  encodeFulcioExtensions,
  encodeSctList,
  FULCIO_EXTENSIONS,
  type FulcioExtensionName,
  type FulcioExtensions,
  LeafIssuer,
  OID,
  parseCertificate,
  parseFulcioExtensions,
  parseSubjectAlternativeNames,
  removePoison,
  removeSctList,
  roomForFulcioExtensions,
  serialNumber,
  subjectKeyIdentifier,
  verifyIssuedBy,
  writeFulcioExtensions,
} from "../src/index.ts";
import { BackwardDer } from "../src/backward-der.ts";
import { PRODUCTION_INTERMEDIATE, PRODUCTION_LEAF } from "./production.ts";
import { type Authority, authority, leafRequest, sct } from "./world.ts";

let ca: Authority;
beforeAll(async () => {
  ca = await authority();
});

const everyExtension = Object.fromEntries(
  FULCIO_EXTENSIONS.map(({ name }) => [name, `https://example.com/${name}?ü=1`]),
) as Record<FulcioExtensionName, string>;

describe("a Fulcio leaf", () => {
  test("has upstream's extensions in upstream's order", async () => {
    const bytes = await ca.issuer.certificate(leafRequest({ extensions: everyExtension }), [sct()]);
    const leaf = parseCertificate(bytes, "leaf");
    expect(leaf.extensions.map((extension) => [extension.oid, extension.critical])).toEqual([
      [OID.keyUsage, true],
      [OID.extendedKeyUsage, false],
      [OID.subjectKeyIdentifier, false],
      [OID.authorityKeyIdentifier, false],
      [OID.subjectAlternativeName, true],
      ...[1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24].map((arc) => [
        `1.3.6.1.4.1.57264.1.${arc}`,
        false,
      ]),
      [OID.sctList, false],
    ]);
    expect(encodeHex(leaf.subject)).toBe("3000");
    expect(parseFulcioExtensions(leaf)).toEqual(everyExtension);
  });

  test("is read alike by @peculiar/x509", async () => {
    const request = leafRequest();
    const bytes = await ca.issuer.certificate(request, [sct()]);
    const oracle = new peculiar.X509Certificate(bytes.slice());
    expect(oracle.serialNumber).toBe(encodeHex(request.serial));
    expect(oracle.notBefore).toEqual(new Date("2026-11-21T10:00:00Z"));
    expect(oracle.notAfter).toEqual(new Date("2026-11-21T10:10:00Z"));
    expect(oracle.subject).toBe("");
    expect(oracle.issuer).toBe("O=Example, CN=Example Intermediate");
    expect(new Uint8Array(oracle.publicKey.rawData)).toEqual(request.spki);
    const names = oracle.getExtension(peculiar.SubjectAlternativeNameExtension)!;
    expect(names.critical).toBe(true);
    expect(names.names.toJSON()).toEqual([{ type: "email", value: "dev@example.com" }]);
    expect(oracle.getExtension(peculiar.KeyUsagesExtension)!.usages).toBe(peculiar.KeyUsageFlags.digitalSignature);
    expect(oracle.getExtension(peculiar.ExtendedKeyUsageExtension)!.usages).toEqual([OID.codeSigning]);
    expect(oracle.getExtension(peculiar.AuthorityKeyIdentifierExtension)!.keyId).toBe(
      encodeHex(subjectKeyIdentifier(ca.intermediate)!),
    );
    expect(oracle.getExtension(peculiar.SubjectKeyIdentifierExtension)!.keyId).toBe(
      Buffer.from(await oracle.publicKey.getKeyIdentifier("SHA-1")).toString("hex"),
    );
    expect(oracle.getExtension(OID.basicConstraints)).toBeNull();
  });

  test.for<KeyAlgorithm>(["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "ed25519"])(
    "signed with %s verifies in Node and here",
    async (algorithm) => {
      const other = await authority(algorithm);
      const bytes = await other.issuer.certificate(leafRequest(), [sct()]);
      const [leaf, issuer] = [new NodeCertificate(bytes), new NodeCertificate(other.intermediate.der)];
      expect(leaf.verify(issuer.publicKey)).toBe(true);
      expect(leaf.checkIssued(issuer)).toBe(true);
      verifyIssuedBy(parseCertificate(bytes, "leaf"), other.intermediate, "leaf");
    },
  );

  test("is, but for issuer key and signature, the one the public instance issued", async () => {
    const original = parseCertificate(PRODUCTION_LEAF, "leaf");
    const signer = ephemeralSigner("ecdsa-p384");
    const parent: Certificate = { ...parseCertificate(PRODUCTION_INTERMEDIATE, "issuer"), spki: signer.publicKey.spki };
    const request = {
      spki: original.spki,
      san: parseSubjectAlternativeNames(original)[0]!,
      extensions: parseFulcioExtensions(original),
      notBefore: original.notBefore,
      notAfter: original.notAfter,
      serial: original.serial,
    };
    const issuer = new LeafIssuer(parent, signer);
    const ours = parseCertificate(await issuer.certificate(request, embeddedScts(original)), "leaf");
    expect(encodeHex(ours.tbs)).toBe(encodeHex(original.tbs));
    const { tbs } = await issuer.precertificate(request);
    expect(encodeHex(tbs)).toBe(encodeHex(removeSctList(original)));
  });

  test("carries several SCTs, in the order given", async () => {
    const scts = [sct(), sct({ extensions: Uint8Array.of(0, 0, 5, 0, 0, 0, 1, 2) }), sct({ timestamp: 3 })];
    const leaf = parseCertificate(await ca.issuer.certificate(leafRequest(), scts), "leaf");
    expect(embeddedScts(leaf)).toEqual(scts);
  });

  test("is refused an issuer that is not the signer's, or that has no key identifier", () => {
    expect(() => new LeafIssuer(ca.root, ca.intermediateSigner)).toThrow("not the certificate of the signing key");
    const nameless = { ...ca.intermediate, extensions: [] };
    expect(() => new LeafIssuer(nameless, ca.intermediateSigner)).toThrow("no subject key identifier");
  });

  test("whose two issuer extensions differ is not believed either", () => {
    const original = parseCertificate(PRODUCTION_LEAF, "leaf");
    const raw = { oid: "1.3.6.1.4.1.57264.1.1", critical: false, value: utf8("https://other.example.com") };
    const extensions = [raw, ...original.extensions.filter((extension) => extension.oid !== raw.oid)];
    expect(() => parseFulcioExtensions({ ...original, extensions })).toThrow("the two issuer extensions differ");
    const old = original.extensions.filter((extension) => extension.oid !== "1.3.6.1.4.1.57264.1.8");
    expect(parseFulcioExtensions({ ...original, extensions: old }).issuer).toBe(
      "https://token.actions.githubusercontent.com",
    );
  });

  test("is not issued without an issuer, or with text that is not Unicode", async () => {
    await expect(ca.issuer.precertificate(leafRequest({ extensions: {} }))).rejects.toThrow(
      "issuer extension is empty",
    );
    const broken = { issuer: "https://a", "build-trigger": "\ud800" };
    await expect(ca.issuer.precertificate(leafRequest({ extensions: broken }))).rejects.toThrow("build-trigger");
  });
});

describe("precertificate and certificate", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 });
  const request = fc.record({
    san: fc.oneof(
      fc.record({ type: fc.constant("email" as const), value: fc.emailAddress() }),
      fc.record({ type: fc.constant("uri" as const), value: fc.webUrl() }),
      fc.record({ type: fc.constant("username" as const), value: fc.constantFrom("jürgen!example.com", "a!b") }),
    ),
    extensions: fc
      .dictionary(fc.constantFrom(...FULCIO_EXTENSIONS.map(({ name }) => name)), text)
      .map((some) => Object.assign(some, { issuer: "https://issuer.example.com" })),
    serial: fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .filter((bytes) => bytes.some((byte) => byte % 128 !== 0))
      .map(serialNumber),
    notBefore: fc.date({ min: new Date("2020-01-01"), max: new Date("2060-01-01"), noInvalidDate: true }),
  });

  test("are the same but for poison and SCT list, byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(request, fc.integer({ min: 1, max: 3 }), async (some, count) => {
        const complete = leafRequest({ ...some, notAfter: new Date(some.notBefore.getTime() + 600_000) });
        const pre = await ca.issuer.precertificate(complete);
        const final = await ca.issuer.certificate(
          complete,
          Array.from({ length: count }, () => sct()),
        );
        const [precertificate, certificate] = [parseCertificate(pre.der, "pre"), parseCertificate(final, "final")];
        expect(removePoison(precertificate)).toEqual(pre.tbs);
        expect(removeSctList(certificate)).toEqual(pre.tbs);
        expect(precertificate.extensions.at(-1)!.oid).toBe(OID.precertificatePoison);
        expect(certificate.extensions.at(-1)!.oid).toBe(OID.sctList);
        expect(parseFulcioExtensions(certificate)).toEqual(some.extensions);
        expect(parseSubjectAlternativeNames(certificate)).toEqual([complete.san]);
      }),
      { numRuns: 60 },
    );
  });

  test("stay the same when the request object is changed in between", async () => {
    const mutable = { ...leafRequest() };
    const { tbs } = await ca.issuer.precertificate(mutable);
    mutable.san = { type: "email", value: "mallory@example.com" };
    const certificate = parseCertificate(await ca.issuer.certificate(mutable, [sct()]), "final");
    expect(removeSctList(certificate)).toEqual(tbs);
  });

  test("write the extensions the fast way as the plain way writes them", () => {
    fc.assert(
      fc.property(request, ({ extensions }) => {
        const plain = concatBytes(...encodeFulcioExtensions(extensions).map(encodeExtension));
        expect(written(extensions)).toEqual(plain);
      }),
    );
    const long = { issuer: "a".repeat(70_000), "build-trigger": "ü".repeat(40_000), "token-subject": "" };
    const plain = concatBytes(...encodeFulcioExtensions(long).map(encodeExtension));
    expect(written(long)).toEqual(plain);
  });

  test("the log list stands in an OCTET STRING inside the extension's own", async () => {
    const leaf = parseCertificate(await ca.issuer.certificate(leafRequest(), [sct()]), "leaf");
    const list = encodeSctList([sct()]);
    expect(leaf.extensions.at(-1)!.value).toEqual(concatBytes(Uint8Array.of(0x04, list.length), list));
  });
});

function written(extensions: FulcioExtensions): Uint8Array {
  const writer = new BackwardDer(roomForFulcioExtensions(extensions));
  writeFulcioExtensions(writer, extensions);
  return writer.finish();
}
