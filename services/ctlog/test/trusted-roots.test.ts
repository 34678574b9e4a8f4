import { ephemeralSigner } from "@chancery/crypto";
import { der } from "@chancery/encoding";
import { createIntermediateAuthority, extendedKeyUsageExtension, OID, parseCertificate } from "@chancery/x509";
import { beforeAll, describe, expect, test } from "vitest";
import { TrustedRoots } from "../src/domain/trusted-roots.ts";
import {
  type Authority,
  certificateChain,
  CODE_SIGNING,
  createAuthority,
  leafRequest,
  oddLeaf,
  precertificateChain,
} from "./authority.ts";

let authority: Authority;
let stranger: Authority;

const acceptChain = (chain: readonly Uint8Array[], roots: ConstructorParameters<typeof TrustedRoots>[0]) =>
  new TrustedRoots(roots).accept(chain);

beforeAll(async () => {
  [authority, stranger] = await Promise.all([createAuthority("chancery"), createAuthority("stranger")]);
});

test("a log without roots does not start", () => {
  expect(() => new TrustedRoots([])).toThrow("nothing could be logged");
});

describe("a chain that the log takes", () => {
  test("is Fulcio's precertificate, intermediate and root", async () => {
    const chain = await precertificateChain(authority);
    const accepted = await acceptChain(chain, [stranger.root, authority.root]);
    expect(accepted.leaf.der).toEqual(chain[0]);
    expect(accepted.authorities.map((certificate) => certificate.der)).toEqual(chain.slice(1));
  });

  test("may leave the root out, and is the same", async () => {
    const chain = await certificateChain(authority);
    expect(await acceptChain(chain.slice(0, -1), [authority.root])).toEqual(await acceptChain(chain, [authority.root]));
  });

  test("may be issued by a root itself", async () => {
    const issuedByRoot = await oddLeaf(authority, {
      issuerName: authority.root.subject,
      signer: authority.rootSigner,
    });
    const accepted = await acceptChain([issuedByRoot], [authority.root]);
    expect(accepted.authorities.map(({ der: bytes }) => bytes)).toEqual([authority.root.der]);
  });

  test("finds its root among several of one name", async () => {
    const renewed = await createAuthority("chancery");
    const chain = await certificateChain(authority);
    const accepted = await acceptChain(chain.slice(0, -1), [renewed.root, authority.root]);
    expect(accepted.authorities.at(-1)).toEqual(authority.root);
  });

  test("gives the same from authorities it knows", async () => {
    const roots = new TrustedRoots([authority.root]);
    await certificateChain(authority).then((chain) => roots.accept(chain));
    const chain = await precertificateChain(authority);
    expect(await roots.accept(chain)).toEqual(await acceptChain(chain, [authority.root]));
  });

  test("is held against its own issuer, though the last one came without any", async () => {
    const roots = new TrustedRoots([authority.root, stranger.root]);
    for (const { root, rootSigner } of [authority, stranger]) {
      const leaf = await oddLeaf(authority, { issuerName: root.subject, signer: rootSigner });
      expect((await roots.accept([leaf])).authorities).toEqual([root]);
    }
  });

  test("is taken from more authorities than the log remembers", async () => {
    const roots = new TrustedRoots([authority.root]);
    const [leaf, intermediate] = await certificateChain(authority);
    for (let serial = 0; serial < 70; serial++) {
      const signer = authority.signer;
      const other = await createIntermediateAuthority({
        subject: { commonName: "chancery intermediate", organization: "test" },
        notBefore: new Date("2026-01-01T00:00:00Z"),
        notAfter: new Date("2036-01-01T00:00:00Z"),
        issuer: authority.root,
        issuerSigner: authority.rootSigner,
        spki: signer.publicKey.spki,
      });
      expect((await roots.accept([leaf!, other])).authorities[0].der).toEqual(other);
    }
    expect((await roots.accept([leaf!, intermediate!])).authorities).toEqual([authority.intermediate, authority.root]);
  });

  test("may be long expired: a log does not ask the clock", async () => {
    const request = { ...leafRequest(), notBefore: new Date(0), notAfter: new Date(1000) };
    const chain = await certificateChain(authority, request);
    expect((await acceptChain(chain, [authority.root])).leaf.notAfter).toEqual(new Date(1000));
  });
});

/** Each refusal has to be the same whether the authorities are new to the log or known to it. */
describe.for(["that it has not seen", "that it knows"])("from authorities %s, a chain is refused that", (seen) => {
  let roots: TrustedRoots;

  beforeAll(async () => {
    roots = new TrustedRoots([authority.root]);
    if (seen !== "that it knows") return;
    const chain = await certificateChain(authority);
    await roots.accept(chain);
    await roots.accept(chain.slice(0, -1));
  });

  const refuse = async (chain: readonly Uint8Array[], reason: string) => {
    await expect(roots.accept(chain)).rejects.toThrow(reason);
  };

  test("is empty", () => refuse([], "empty"));

  test("has eleven certificates", () =>
    refuse(
      Array.from({ length: 11 }, () => authority.root.der),
      "more than 10",
    ));

  test("leads to a root of someone else", async () => {
    await refuse(await precertificateChain(stranger), "does not lead to a root of this log");
  });

  test("leads to a root of someone else that has our root's name", async () => {
    const impostor = await createAuthority("chancery");
    const chain = await precertificateChain(impostor);
    await refuse(chain, "chain");
    await refuse(chain.slice(0, -1), "does not lead to a root of this log");
  });

  test("ends in our root without having been issued below it", async () => {
    const [leaf] = await precertificateChain(stranger);
    await refuse([leaf!, stranger.intermediate.der, authority.root.der], "issuer name is not its issuer's");
  });

  test("has a leaf with a signature by another key", async () => {
    const forged = await oddLeaf(authority, { signer: stranger.signer });
    await refuse([forged, authority.intermediate.der, authority.root.der], "signature does not verify");
  });

  test("has a leaf that names another issuer than the one that signed it", async () => {
    const misnamed = await oddLeaf(authority, { issuerName: stranger.intermediate.subject });
    await refuse([misnamed, authority.intermediate.der, authority.root.der], "issuer name is not its issuer's");
  });

  test("has two certificates in one", async () => {
    const [leaf, intermediate, root] = await certificateChain(authority);
    await refuse([leaf!, Uint8Array.of(...intermediate!, ...root!)], "chain: certificate 1");
  });

  test("has a bit of its leaf changed", async () => {
    const [leaf, ...above] = await certificateChain(authority);
    const changed = leaf!.with(leaf!.length - 1, leaf!.at(-1)! ^ 1);
    await refuse([changed, ...above], "chain");
  });

  test("has an intermediate too many, or in another order", async () => {
    const [leaf, intermediate, root] = await certificateChain(authority);
    await refuse([leaf!, intermediate!, intermediate!, root!], "twice");
    await refuse([leaf!, root!, intermediate!], "chain");
    await refuse([leaf!, intermediate!, root!, root!], "twice");
  });

  test("has certificates after its root", async () => {
    const [leaf, intermediate, root] = await certificateChain(authority);
    await refuse([leaf!, intermediate!, root!, stranger.root.der], "does not lead to a root of this log");
  });

  test("is a root alone", () => refuse([authority.root.der], "nothing it issued"));

  test("has a leaf that issues another", async () => {
    const chain = await certificateChain(authority);
    const below = await oddLeaf(authority, { issuerName: parseCertificate(chain[0]!, "leaf").subject });
    await refuse([below, ...chain], "not an authority");
  });

  test.for([
    ["for server authentication", [extendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1"], false)]],
    ["for timestamping", [extendedKeyUsageExtension([OID.timeStamping], true)]],
    ["for anything", [extendedKeyUsageExtension([OID.anyExtendedKeyUsage], false)]],
    ["that does not say what for", []],
  ] as const)("has a leaf %s", async ([, extensions]) => {
    await refuse([await oddLeaf(authority, { extensions }), authority.intermediate.der], "extended key usage");
  });

  test("passes through a precertificate signing certificate, which no issuer here has", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const signing = parseCertificate(
      await createIntermediateAuthority({
        subject: { commonName: "precertificate signing", organization: "test" },
        notBefore: new Date("2026-01-01T00:00:00Z"),
        notAfter: new Date("2036-01-01T00:00:00Z"),
        issuer: authority.root,
        issuerSigner: authority.rootSigner,
        spki: signer.publicKey.spki,
        extendedKeyUsage: ["1.3.6.1.4.1.11129.2.4.4"],
      }),
      "signing",
    );
    const leaf = await oddLeaf(authority, { issuerName: signing.subject, signer });
    await refuse([leaf, signing.der, authority.root.der], "extended key usage");
  });

  test("has bytes that are no certificate, or more bytes than one", async () => {
    const [leaf, ...above] = await certificateChain(authority);
    await refuse([new Uint8Array(), ...above], "chain: certificate 0");
    await refuse([Uint8Array.of(0x30, 0x80), ...above], "chain: certificate 0");
    await refuse([Uint8Array.of(...leaf!, 0), ...above], "chain: certificate 0");
    await refuse([leaf!.slice(0, -1), ...above], "chain: certificate 0");
    await refuse([leaf!, new Uint8Array(5)], "chain: certificate 1");
  });

  test("has a critical extension that no one here understands", async () => {
    const strange = { oid: "1.2.3.4", critical: true, value: der.null() };
    const leaf = await oddLeaf(authority, { extensions: [CODE_SIGNING, strange] });
    await refuse([leaf, authority.intermediate.der], "1.2.3.4");
  });
});
