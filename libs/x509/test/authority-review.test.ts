import { ephemeralSigner, type Signer } from "@chancery/crypto";
import { der } from "@chancery/encoding";
import { beforeAll, describe, expect, test } from "vitest";
import {
  authorityConstraintsExtension,
  type Certificate,
  createIntermediateAuthority,
  createRootAuthority,
  encodeDistinguishedName,
  encodeExtension,
  endOfChain,
  type Extension,
  extendedKeyUsageExtension,
  keyUsageExtension,
  OID,
  parseCertificate,
  reviewAuthorityChain,
  reviewValidity,
  signatureAlgorithmIdentifier,
  subjectKeyIdentifierExtension,
} from "../src/index.ts";
import { PRODUCTION_INTERMEDIATE, PRODUCTION_ROOT } from "./production.ts";
import { type Authority, authority, YEAR_2026, YEAR_2036 } from "./world.ts";

let ca: Authority;
beforeAll(async () => {
  ca = await authority();
});

const validity = { notBefore: YEAR_2026, notAfter: YEAR_2036 };
const parse = (bytes: Uint8Array) => parseCertificate(bytes, "certificate");

/** An intermediate that differs in some extensions and is signed all the same: what a careless ceremony brings back. */
async function resigned(change: (extensions: Extension[]) => Extension[], subject = ca.intermediate.subject) {
  return signed(ca.intermediate, ca.root.subject, ca.rootSigner, change, subject);
}

async function signed(
  model: Certificate,
  issuer: Uint8Array,
  signer: Signer,
  change: (extensions: Extension[]) => Extension[],
  subject = model.subject,
): Promise<Certificate> {
  const algorithm = signatureAlgorithmIdentifier(signer.publicKey.algorithm);
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(7),
    algorithm,
    issuer,
    der.sequence(der.time(model.notBefore), der.time(model.notAfter)),
    subject,
    model.spki,
    der.explicit(3, der.sequence(...change([...model.extensions]).map(encodeExtension))),
  );
  return parse(der.sequence(tbs, algorithm, der.bitString(await signer.sign(tbs))));
}

const less = (oid: string) => (extensions: Extension[]) => extensions.filter((one) => one.oid !== oid);
const other = (replacement: Extension) => (extensions: Extension[]) =>
  extensions.map((one) => (one.oid === replacement.oid ? replacement : one));
const review = (...chain: Certificate[]) => reviewAuthorityChain(chain, chain[0]!.spki);
const FIRST = "certificate 1 of 2 (O=Example, CN=Example Intermediate)";

describe("nothing is said against", () => {
  test("our own chains, a root alone, and the public instance's", async () => {
    expect(review(ca.intermediate, ca.root)).toEqual([]);
    expect(review(ca.root)).toEqual([]);
    expect(review(parse(PRODUCTION_INTERMEDIATE), parse(PRODUCTION_ROOT))).toEqual([]);
    for (const algorithm of ["ecdsa-p384", "rsa-3072", "ed25519"] as const) {
      const { intermediate, root } = await authority(algorithm);
      expect(review(intermediate, root)).toEqual([]);
    }
  });
});

test("nothing is said against a root without key usage, as openssl makes one unless told", async () => {
  const root = await signed(ca.root, ca.root.subject, ca.rootSigner, less(OID.keyUsage));
  expect(review(ca.intermediate, root)).toEqual([]);
  expect(review(root)).toEqual([]);
});

describe("one sentence is said of", () => {
  const rows: readonly [string, (extensions: Extension[]) => Extension[], string][] = [
    ["no basic constraints", less(OID.basicConstraints), "is not an authority (basic constraints CA:TRUE)"],
    [
      "basic constraints that are not critical",
      (all) => other({ ...authorityConstraintsExtension(0), critical: false })(all),
      "its basic constraints are not critical (RFC 5280, Section 4.2.1.9)",
    ],
    ["no key usage", less(OID.keyUsage), "has no key usage (keyCertSign is needed)"],
    ["a key usage without keyCertSign", other(keyUsageExtension(["cRLSign"])), "its key usage has no keyCertSign"],
    ["no extended key usage", less(OID.extendedKeyUsage), "its extended key usage does not list codeSigning"],
    [
      "another extended key usage",
      other(extendedKeyUsageExtension([OID.timeStamping], false)),
      "its extended key usage does not list codeSigning",
    ],
    ["no subject key identifier", less(OID.subjectKeyIdentifier), "has no subject key identifier"],
    ["no authority key identifier", less(OID.authorityKeyIdentifier), "has no authority key identifier"],
    [
      "another authority key identifier",
      other({
        oid: OID.authorityKeyIdentifier,
        critical: false,
        value: der.sequence(der.implicit(0, new Uint8Array(20))),
      }),
      "its authority key identifier is not its issuer's subject key identifier",
    ],
    [
      "a critical extension that nobody knows",
      (all) => [...all, { oid: "2.5.29.30", critical: true, value: der.sequence() }],
      "its critical extension 2.5.29.30 is not understood",
    ],
  ];
  test.for(rows)("%s", async ([, change, complaint]) => {
    expect(review(await resigned(change), ca.root)).toEqual([`${FIRST}: ${complaint}`]);
  });

  test("a certificate of another key", () => {
    const { spki } = ephemeralSigner("ecdsa-p256").publicKey;
    expect(reviewAuthorityChain([ca.intermediate, ca.root], spki)).toEqual([
      `${FIRST}: is not of the key that signs under it`,
    ]);
  });

  test("a chain without its root, in the wrong order, or empty", () => {
    expect(review(ca.intermediate)).toEqual([
      "certificate 1 of 1 (O=Example, CN=Example Intermediate): is not a root, and clients are told one: add O=Example, CN=Example Root as the last",
    ]);
    expect(review(ca.root, ca.intermediate)[0]).toBe(
      "the order is wrong: the issuing certificate comes first, the root last",
    );
    expect(reviewAuthorityChain([], ca.root.spki)).toEqual(["there is no certificate"]);
  });

  // `cat intermediate.pem bundle.pem`, the bundle with the root: it was taken, and then no certificate could be logged.
  test("a root that stands there twice, with the authority key identifier that openssl gives it", async () => {
    const identified = (all: Extension[]) => [
      ...all,
      ...ca.intermediate.extensions.filter(({ oid }) => oid === OID.authorityKeyIdentifier),
    ];
    const root = await signed(ca.root, ca.root.subject, ca.rootSigner, identified);
    expect(review(ca.intermediate, root)).toEqual([]);
    expect(review(ca.intermediate, root, root)).toEqual([
      "certificate 3 of 3 (O=Example, CN=Example Root): comes twice",
    ]);
  });

  test("a root that allows no authority below it: leaves would never verify, though the two of them do", async () => {
    const root = parse(
      await createRootAuthority({
        subject: { commonName: "Example Root", organization: "Example" },
        signer: ca.rootSigner,
        pathLength: 0,
        ...validity,
      }),
    );
    expect(review(ca.intermediate, root)).toEqual([
      "certificate 2 of 2 (O=Example, CN=Example Root): its path length allows 0 authorities below it, and there are 1",
    ]);
  });

  test("a signature of another root of the same name", async () => {
    const stranger = await authority();
    expect(review(ca.intermediate, stranger.root)).toEqual([
      `${FIRST}: its authority key identifier is not its issuer's subject key identifier`,
      `${FIRST}: signature does not verify`,
    ]);
  });

  test("a subject without a name", async () => {
    const nameless = await resigned((all) => all, der.sequence());
    expect(review(nameless, ca.root)).toEqual([
      "certificate 1 of 2 (without a name): has no subject name, which must stand in all it issues",
    ]);
  });

  test("SHA-1 in the root's own signature", () => {
    const sha1 = der.sequence(der.oid("1.2.840.113549.1.1.5"), der.null());
    const old: Certificate = { ...ca.root, signatureAlgorithmIdentifier: sha1 };
    expect(review(ca.intermediate, old)).toEqual([
      "certificate 2 of 2 (O=Example, CN=Example Root): signature algorithm 1.2.840.113549.1.1.5 is not accepted",
    ]);
  });

  test("a weak key", async () => {
    const { generateKeyPairSync } = await import("node:crypto");
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "der" });
    const spki = Uint8Array.from(weak);
    const intermediate = await signed({ ...ca.intermediate, spki }, ca.root.subject, ca.rootSigner, (all) =>
      other(subjectKeyIdentifierExtension(spki))(all),
    );
    expect(review(intermediate, ca.root)).toEqual([expect.stringMatching(/^certificate 1 of 2 .*2048, 3072 or 4096/)]);
  });

  test("an extension that cannot be read", async () => {
    const broken = await resigned(other({ oid: OID.basicConstraints, critical: true, value: Uint8Array.of(5, 0) }));
    const said = review(broken, ca.root);
    expect(said.length).toBeGreaterThan(0);
    expect(said[0]).toMatch(/^certificate 1 of 2 .*2\.5\.29\.19/);
  });
});

test("all mistakes are said at once: a ceremony is held once", async () => {
  const careless = await resigned((all) => all.filter((one) => one.oid === OID.subjectKeyIdentifier));
  expect(review(careless, ca.root)).toEqual([
    `${FIRST}: is not an authority (basic constraints CA:TRUE)`,
    `${FIRST}: has no key usage (keyCertSign is needed)`,
    `${FIRST}: its extended key usage does not list codeSigning`,
    `${FIRST}: has no authority key identifier`,
  ]);
});

const chain = () => [ca.intermediate, ca.root];

describe("the clock", () => {
  test("is asked for itself, both ends being valid", () => {
    expect(reviewValidity(chain(), YEAR_2026)).toEqual([]);
    expect(reviewValidity(chain(), YEAR_2036)).toEqual([]);
    expect(reviewValidity(chain(), new Date(YEAR_2036.getTime() + 1000))).toEqual([
      `${FIRST}: ended on 2036-01-01T00:00:00.000Z`,
      "certificate 2 of 2 (O=Example, CN=Example Root): ended on 2036-01-01T00:00:00.000Z",
    ]);
    expect(reviewValidity(chain(), new Date("2025-12-31"))[0]).toBe(
      `${FIRST}: is valid only from 2026-01-01T00:00:00.000Z`,
    );
  });

  test("the chain ends with the first of its certificates", async () => {
    const notAfter = new Date("2027-01-01T00:00:00Z");
    const request = { issuer: ca.root, issuerSigner: ca.rootSigner, spki: ca.intermediate.spki, ...validity, notAfter };
    const short = parse(await createIntermediateAuthority({ ...request, subject: { commonName: "Short" } }));
    expect(endOfChain([short, ca.root])).toEqual(notAfter);
  });
});

test("a name is shown without what a terminal would obey", async () => {
  const name = encodeDistinguishedName({ commonName: "Evil\u001b[31m\nCA\u202e" });
  expect(review(await resigned(less(OID.keyUsage), name), ca.root)).toEqual([
    "certificate 1 of 2 (CN=Evil?[31m?CA?): has no key usage (keyCertSign is needed)",
  ]);
});
