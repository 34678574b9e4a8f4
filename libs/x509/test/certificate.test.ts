import { X509Certificate as NodeCertificate } from "node:crypto";
import { concatBytes, der, DerReader, encodeHex, encodePem } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  authorityKeyIdentifier,
  basicConstraints,
  certificatePublicKey,
  encodeExtension,
  extendedKeyUsage,
  findExtension,
  isValidAt,
  OID,
  parseCertificate,
  parseCertificatesPem,
  parseFulcioExtensions,
  parseSubjectAlternativeNames,
  subjectKeyIdentifier,
} from "../src/index.ts";
import { PRODUCTION_INTERMEDIATE, PRODUCTION_LEAF, PRODUCTION_ROOT } from "./production.ts";

describe("a certificate of the public instance", () => {
  const leaf = parseCertificate(PRODUCTION_LEAF, "leaf");
  const oracle = new NodeCertificate(PRODUCTION_LEAF);

  test("is read as Node reads it", () => {
    expect(encodeHex(leaf.serial).toUpperCase()).toBe(oracle.serialNumber);
    expect(leaf.notBefore).toEqual(oracle.validFromDate);
    expect(leaf.notAfter).toEqual(oracle.validToDate);
    expect(new Uint8Array(oracle.publicKey.export({ type: "spki", format: "der" }))).toEqual(leaf.spki);
    expect(certificatePublicKey(leaf).algorithm).toBe("ecdsa-p256");
    expect(leaf.der).toEqual(PRODUCTION_LEAF);
  });

  test("tells who signed and on whose word", () => {
    expect(parseSubjectAlternativeNames(leaf)).toEqual([
      {
        type: "uri",
        value:
          "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main",
      },
    ]);
    expect(parseFulcioExtensions(leaf)).toMatchObject({
      issuer: "https://token.actions.githubusercontent.com",
      "github-workflow-trigger": "workflow_dispatch",
      "source-repository-digest": "c7b3dfb335f051e1c86bda4c716fac97df62ad81",
      "source-repository-visibility-at-signing": "public",
    });
  });

  test("names its issuer's key", () => {
    const issuer = parseCertificate(PRODUCTION_INTERMEDIATE, "issuer");
    expect(authorityKeyIdentifier(leaf)).toEqual(subjectKeyIdentifier(issuer));
    expect(basicConstraints(issuer)).toEqual({ certificateAuthority: true, pathLength: 0 });
    expect(basicConstraints(leaf)).toEqual({ certificateAuthority: false });
    expect(extendedKeyUsage(leaf)).toEqual([OID.codeSigning]);
    expect(extendedKeyUsage(parseCertificate(PRODUCTION_ROOT, "root"))).toBeUndefined();
  });

  test("is valid from its first second through its last", () => {
    expect(isValidAt(leaf, new Date("2024-03-19T17:26:25.999Z"))).toBe(false);
    expect(isValidAt(leaf, new Date("2024-03-19T17:26:26Z"))).toBe(true);
    expect(isValidAt(leaf, new Date("2024-03-19T17:36:26Z"))).toBe(true);
    expect(isValidAt(leaf, new Date("2024-03-19T17:36:26.001Z"))).toBe(false);
  });

  test("is read from a copy: what the caller does to its bytes afterwards changes nothing", () => {
    const input = Buffer.from(PRODUCTION_LEAF);
    const parsed = parseCertificate(input, "leaf");
    input.fill(0);
    expect(parsed.der).toEqual(PRODUCTION_LEAF);
    expect(parsed.tbs).toEqual(leaf.tbs);
  });

  test("has no second spelling: every change of one byte that is still accepted changes signed or signature bytes", () => {
    fc.assert(
      fc.property(fc.nat(PRODUCTION_LEAF.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = PRODUCTION_LEAF.slice();
        changed[at] = changed[at]! ^ flip;
        try {
          const parsed = parseCertificate(changed, "leaf");
          expect([parsed.tbs, parsed.signature]).not.toEqual([leaf.tbs, leaf.signature]);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("cut anywhere or followed by anything is refused", () => {
    for (let length = 0; length < PRODUCTION_LEAF.length; length += 7) {
      expect(() => parseCertificate(PRODUCTION_LEAF.subarray(0, length), "leaf")).toThrow(Malformed);
    }
    expect(() => parseCertificate(concatBytes(PRODUCTION_LEAF, Uint8Array.of(0)), "leaf")).toThrow("leaf: ");
    expect(() => parseCertificate(concatBytes(PRODUCTION_LEAF, PRODUCTION_LEAF), "leaf")).toThrow(Malformed);
  });
});

/** A certificate built field by field, each of which a test may replace. */
function certificate(
  changes: { [field in keyof typeof FIELDS]?: Uint8Array | undefined } = {},
  outer: Uint8Array[] = [],
) {
  const fields = { ...FIELDS, ...changes };
  const tbs = der.sequence(...Object.values(fields).filter((field) => field !== undefined));
  return der.sequence(tbs, ...(outer.length > 0 ? outer : [ALGORITHM, der.bitString(new Uint8Array(8))]));
}

const ALGORITHM = der.sequence(der.oid(OID.ecdsaWithSha256));
const EXTENSION = { oid: "1.2.3", critical: false, value: Uint8Array.of(1) };
const FIELDS = {
  version: der.explicit(0, der.integer(2)),
  serial: der.integer(77),
  algorithm: ALGORITHM,
  issuer: der.sequence(),
  validity: der.sequence(der.time(new Date(0)), der.time(new Date("2051-01-01T00:00:00Z"))),
  subject: der.sequence(),
  spki: der.sequence(),
  issuerUniqueId: undefined as Uint8Array | undefined,
  extensions: der.explicit(3, der.sequence(encodeExtension(EXTENSION))),
};

describe("strictness", () => {
  test("the certificate the refusals below start from is accepted", () => {
    const parsed = parseCertificate(certificate(), "c");
    expect(parsed.extensions).toEqual([EXTENSION]);
    expect(parsed.notAfter).toEqual(new Date("2051-01-01T00:00:00Z"));
    expect(findExtension(parsed, "1.2.3")).toEqual(EXTENSION);
    expect(findExtension(parsed, "1.2.4")).toBeUndefined();
  });

  const twice = encodeExtension(EXTENSION);
  const explicitDefault = der.sequence(der.oid("1.2.3"), der.boolean(false), der.octetString(Uint8Array.of(1)));
  test.for<[string, Uint8Array, string]>([
    [
      "an extension that comes twice",
      certificate({ extensions: der.explicit(3, der.sequence(twice, twice)) }),
      "is there twice",
    ],
    ["extensions in version 1", certificate({ version: undefined }), "version 1 has extensions"],
    ["extensions in version 2", certificate({ version: der.explicit(0, der.integer(1)) }), "version 2 has extensions"],
    ["the default version spelt out", certificate({ version: der.explicit(0, der.integer(0)) }), "version"],
    ["version 4", certificate({ version: der.explicit(0, der.integer(3)) }), "version"],
    [
      "an empty extension list",
      certificate({ extensions: der.explicit(3, der.sequence()) }),
      "extension list is empty",
    ],
    [
      "critical FALSE spelt out",
      certificate({ extensions: der.explicit(3, der.sequence(explicitDefault)) }),
      "default of critical",
    ],
    ["a negative serial number", certificate({ serial: der.integer(-5) }), "negative"],
    [
      "a serial number of 21 bytes",
      certificate({ serial: der.integerBytes(new Uint8Array(21).fill(1)) }),
      "longer than 20",
    ],
    ["a padded serial number", certificate({ serial: der.tlv(2, Uint8Array.of(0, 1)) }), "INTEGER"],
    [
      "two signature algorithms that differ",
      certificate({ algorithm: der.sequence(der.oid(OID.ecdsaWithSha384)) }),
      "differ",
    ],
    ["an issuer unique identifier", certificate({ issuerUniqueId: der.implicit(1, Uint8Array.of(0, 1)) }), "trailing"],
    ["an empty relative distinguished name", certificate({ subject: der.sequence(der.set()) }), "empty"],
    ["a signature of 9 bits", certificate({}, [ALGORITHM, der.bitString(Uint8Array.of(1, 0x80), 7)]), "whole number"],
    ["a fourth element", certificate({}, [ALGORITHM, der.bitString(new Uint8Array(8)), der.null()]), "trailing"],
    ["BOOLEAN 01", certificate({ spki: der.sequence(der.tlv(1, Uint8Array.of(1))) }), "BOOLEAN"],
    ["an indefinite length", certificate({ spki: Uint8Array.of(0x30, 0x80, 0, 0) }), "length"],
    ["a length in more octets than needed", certificate({ spki: Uint8Array.of(0x30, 0x81, 0) }), "length"],
    [
      "an object identifier with a padded arc",
      certificate({ spki: der.sequence(der.tlv(6, Uint8Array.of(0x2a, 0x80, 1))) }),
      "object identifier",
    ],
    ["unused bits that are set", certificate({ spki: der.sequence(der.tlv(3, Uint8Array.of(4, 0xff))) }), "BIT STRING"],
    [
      "a constructed OCTET STRING",
      certificate({ spki: der.sequence(der.tlv(0x24, der.octetString(Uint8Array.of(1)))) }),
      "universal type",
    ],
    [
      "more than 64 KiB",
      certificate({ spki: der.sequence(der.octetString(new Uint8Array(65_536))) }),
      "more than 65536 bytes",
    ],
  ])("refuses %s", ([, bytes, reason]) => {
    expect(() => parseCertificate(bytes, "c")).toThrow(Malformed);
    expect(() => parseCertificate(bytes, "c")).toThrow(reason);
  });

  test("refuses ten thousand nested sequences without exhausting the stack", () => {
    let nested = der.sequence();
    for (let depth = 0; depth < 10_000; depth++) nested = nested.length < 60_000 ? der.sequence(nested) : nested;
    expect(() => parseCertificate(certificate({ spki: nested }), "c")).toThrow("nested deeper");
  });

  test("refuses 129 extensions", () => {
    const many = Array.from({ length: 129 }, (_, arc) => encodeExtension({ ...EXTENSION, oid: `1.2.3.${arc}` }));
    const bytes = certificate({ extensions: der.explicit(3, der.sequence(...many)) });
    expect(() => parseCertificate(bytes, "c")).toThrow("more than 128");
  });

  test("no hostile bytes throw anything but a fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const framed = der.sequence(bytes);
        for (const input of [bytes, framed, der.sequence(framed, ALGORITHM, der.bitString(bytes))]) {
          expect(() => parseCertificate(input, "c")).toThrow(Malformed);
        }
      }),
    );
  });
});

describe("PEM", () => {
  const pem = encodePem("CERTIFICATE", PRODUCTION_LEAF) + encodePem("CERTIFICATE", PRODUCTION_INTERMEDIATE);

  test("a chain comes out in its order", () => {
    expect(parseCertificatesPem(pem, "chain").map((one) => one.der)).toEqual([
      PRODUCTION_LEAF,
      PRODUCTION_INTERMEDIATE,
    ]);
  });

  test("more than the caller allows, another label, and nothing at all are refused", () => {
    expect(() => parseCertificatesPem(pem, "chain", { max: 1 })).toThrow("more than 1");
    expect(() => parseCertificatesPem(encodePem("PUBLIC KEY", PRODUCTION_LEAF), "chain")).toThrow("PUBLIC KEY");
    expect(() => parseCertificatesPem("", "chain")).toThrow(Malformed);
  });
});

test("the reader's own depth is what bounds a certificate", () => {
  expect(() => new DerReader(new Uint8Array(), "x", 17)).toThrow("nested deeper");
});
