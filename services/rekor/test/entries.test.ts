import { ed25519ph } from "@noble/curves/ed25519.js";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ephemeralSigner, sha256, type Signer, signerFromKeyObject } from "@chancery/crypto";
import { encodeHex, encodePem, utf8 } from "@chancery/encoding";
import { TooLarge } from "@chancery/fault";
import { parseEntry } from "../src/domain/entries/entry-kinds.ts";
import type { ProposedEntry } from "../src/domain/entries/entry-kind.ts";
import {
  aCertificate,
  anArtifact,
  anEnvelope,
  aStatement,
  base64,
  dsse,
  hashedrekord,
  intoto1,
  intoto2,
  keyPem,
  rekord,
} from "./proposals.ts";

const bodyText = async (proposed: ProposedEntry) => new TextDecoder().decode((await parseEntry(proposed)).body);
const stored = async (proposed: ProposedEntry) => JSON.parse(await bodyText(proposed)).spec;
const hexOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");

describe("a hashedrekord", () => {
  test.for([
    ["ecdsa-p256", "sha256"],
    ["ecdsa-p384", "sha384"],
    ["ecdsa-p521", "sha512"],
    ["rsa-2048", "sha256"],
  ] as const)("is taken for a key of %s over %s", async ([key, algorithm]) => {
    const proposal = await hashedrekord({ signer: ephemeralSigner(key), algorithm });
    expect(await stored(proposal)).toEqual(proposal.spec);
  });

  test("means Ed25519ph for an Ed25519 key, over SHA-512 alone", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const seed = Buffer.from(privateKey.export({ format: "jwk" }).d!, "base64url");
    const artifact = anArtifact();
    const signer: Signer = {
      publicKey: signerFromKeyObject(privateKey).publicKey,
      sign: async (message) => ed25519ph.sign(message, seed),
    };
    const proposal = await hashedrekord({ signer, artifact, algorithm: "sha512" });
    expect(await stored(proposal)).toEqual(proposal.spec);
    const plain = { ...signer, sign: async (message: Uint8Array) => new Uint8Array(sign(null, message, privateKey)) };
    expect(publicKey.asymmetricKeyType).toBe("ed25519");
    const refused = await hashedrekord({ signer: plain, artifact, algorithm: "sha512" });
    await expect(parseEntry(refused)).rejects.toThrow("signature does not verify");
    const wrongHash = await hashedrekord({ signer, artifact, algorithm: "sha256" });
    await expect(parseEntry(wrongHash)).rejects.toThrow("entry algorithm ed25519/sha256 not allowed");
  });

  test("is refused when key and hash are no pair of the registry", async () => {
    const proposal = await hashedrekord({ signer: ephemeralSigner("ecdsa-p256"), algorithm: "sha512" });
    await expect(parseEntry(proposal)).rejects.toThrow("entry algorithm ecdsa-p256/sha512 not allowed");
  });

  test("is refused when the signature is over another digest, or by another key", async () => {
    const proposal = await hashedrekord();
    const other = await hashedrekord();
    const otherDigest = { ...proposal, spec: { ...proposal.spec, data: other.spec.data } };
    await expect(parseEntry(otherDigest)).rejects.toThrow("spec.signature.content: signature does not verify");
    const otherKey = {
      ...proposal,
      spec: { ...proposal.spec, signature: { ...proposal.spec.signature, publicKey: other.spec.signature.publicKey } },
    };
    await expect(parseEntry(otherKey)).rejects.toThrow("spec.signature.content: signature does not verify");
  });

  test("keeps the case of the digest's digits, as upstream", async () => {
    const proposal = await hashedrekord();
    const { hash } = proposal.spec.data;
    hash.value = hash.value.toUpperCase();
    expect((await stored(proposal)).data.hash.value).toBe(hash.value);
    expect((await parseEntry(proposal)).searchTexts).toContain(`sha256:${hash.value}`);
    // In both cases at once one digest would have as many spellings, and one signature as many entries, as it has letters.
    hash.value = `${"a".repeat(32)}${"A".repeat(32)}`;
    await expect(parseEntry(proposal)).rejects.toThrow("mixed case");
  });

  test("stores one spelling of the key, whatever line ends and white space it came with", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const proposal = await hashedrekord({ signer });
    const { publicKey } = proposal.spec.signature;
    publicKey.content = base64(`\n  ${keyPem(signer).replaceAll("\n", "\r\n")}\n\n`);
    expect((await stored(proposal)).signature.publicKey.content).toBe(base64(keyPem(signer)));
  });

  test("takes base64 with line breaks, as Go does", async () => {
    const proposal = await hashedrekord();
    const { signature } = proposal.spec;
    const plain = await bodyText(proposal);
    signature.content = signature.content.replaceAll(/(.{20})/g, "$1\r\n");
    expect(await bodyText(proposal)).toBe(plain);
  });

  test("by a certificate is found by every name in it, by its key hash and by the artifact", async () => {
    const { signer, leaf } = await aCertificate([
      { type: "email", value: "Dev@Example.com" },
      { type: "url", value: "https://example.com/ci" },
      { type: "dns", value: "build.example.com" },
      { type: "ip", value: "192.0.2.7" },
    ]);
    const artifact = anArtifact();
    const { searchTexts } = await parseEntry(await hashedrekord({ signer, artifact, verifier: leaf }));
    expect(searchTexts).toEqual([
      hexOf(leaf),
      `sha256:${hexOf(leaf)}`,
      "Dev@Example.com",
      "https://example.com/ci",
      "build.example.com",
      "192.0.2.7",
      `sha256:${hexOf(artifact)}`,
    ]);
  });

  test("takes an expired certificate with its chain, and refuses a chain that does not hold", async () => {
    const { signer, chain, leaf } = await aCertificate([{ type: "email", value: "a@example.com" }]);
    const whole = await hashedrekord({ signer, verifier: chain.join("") });
    expect((await stored(whole)).signature.publicKey.content).toBe(base64(chain.join("")));
    const stranger = await aCertificate([{ type: "email", value: "a@example.com" }]);
    const broken = await hashedrekord({ signer, verifier: [leaf, ...stranger.chain.slice(1)].join("") });
    await expect(parseEntry(broken)).rejects.toThrow(/certificate 0: signature does not verify/);
    const mixed = await hashedrekord({ signer, verifier: leaf + keyPem(signer) });
    await expect(parseEntry(mixed)).rejects.toThrow("a public key among certificates");
  });

  test("is refused for keys nobody should sign with, and for other PEM blocks", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const artifact = anArtifact();
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    const pkcs1 = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
    const verifiers = [
      [weak.export({ type: "spki", format: "pem" }), /RSA|1024|modulus/],
      [pkcs1.export({ type: "pkcs1", format: "pem" }), /RSA PUBLIC KEY/],
      [keyPem(signer) + keyPem(signer), /more than one public key/],
      [encodePem("PUBLIC KEY", new Uint8Array([0x30, 0x00])), /spec.signature.publicKey.content/],
      [encodePem("CERTIFICATE", new Uint8Array([0x30, 0x00])), /spec.signature.publicKey.content/],
      ["not PEM", /spec.signature.publicKey.content/],
      [Array.from({ length: 11 }, () => keyPem(signer)).join(""), /more than 10/],
    ] as const;
    for (const [verifier, reason] of verifiers) {
      const proposal = await hashedrekord({ signer, artifact, verifier });
      await expect(parseEntry(proposal)).rejects.toThrow(reason);
    }
  });

  test("is refused when what would be logged is longer than an entry bundle holds", async () => {
    const names = Array.from({ length: 10 }, (_, place) => `https://example.com/${place}/${"x".repeat(4_000)}`);
    const { signer, leaf } = await aCertificate(names.map((value) => ({ type: "url", value })));
    const proposal = await hashedrekord({ signer, verifier: leaf });
    await expect(parseEntry(proposal)).rejects.toThrow(TooLarge);
  });
});

describe("a dsse entry", () => {
  test("keeps hashes of envelope and payload, and the signatures sorted by their text", async () => {
    const signers = Array.from({ length: 4 }, () => ephemeralSigner("ecdsa-p256"));
    const proposal = await dsse({ signers });
    const { envelope } = proposal.spec.proposedContent;
    const { signatures, ...hashes } = await stored(proposal);
    expect(hashes).toEqual({
      envelopeHash: { algorithm: "sha256", value: hexOf(envelope) },
      payloadHash: { algorithm: "sha256", value: hexOf(Buffer.from(JSON.parse(envelope).payload, "base64")) },
    });
    const sent: string[] = JSON.parse(envelope).signatures.map(({ sig }: { sig: string }) => sig);
    expect(signatures.map(({ signature }: { signature: string }) => signature)).toEqual(sent.toSorted());
    for (const { signature, verifier } of signatures) {
      expect(verifier).toBe(base64(keyPem(signers[sent.indexOf(signature)]!)));
    }
  });

  test("gives a signature that two verifiers made to the one that is named first, and tries no more", async () => {
    const { signer, leaf } = await aCertificate([{ type: "email", value: "a@example.com" }]);
    const both = await dsse({ signers: [signer], verifiers: [leaf, keyPem(signer)] });
    expect((await stored(both)).signatures[0].verifier).toBe(base64(leaf));
  });

  test("is refused unless each signature has a verifier, and each verifier a signature", async () => {
    const [one, other, stranger] = [0, 1, 2].map(() => ephemeralSigner("ecdsa-p256")) as [Signer, Signer, Signer];
    const missing = await dsse({ signers: [one, other], verifiers: [keyPem(one)] });
    await expect(parseEntry(missing)).rejects.toThrow("each must have a key that verifies it");
    const idle = await dsse({ signers: [one, other], verifiers: [keyPem(stranger), keyPem(one), keyPem(other)] });
    await expect(parseEntry(idle)).rejects.toThrow("spec.proposedContent.verifiers.0: verifies none");
  });

  test("hashes with SHA-256 for the larger curves too, as upstream", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const { publicKey } = signerFromKeyObject(privateKey);
    const signer = {
      publicKey,
      sign: async (message: Uint8Array) => new Uint8Array(sign("sha256", message, privateKey)),
    };
    expect((await stored(await dsse({ signers: [signer] }))).signatures).toHaveLength(1);
    const default384 = await dsse({ signers: [signerFromKeyObject(privateKey)] });
    await expect(parseEntry(default384)).rejects.toThrow("verifies none");
  });

  test("is found by key in both spellings, by envelope, payload, subjects and materials", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const payload = aStatement("AB".repeat(32), {
      materials: [{ uri: "git+https://example.com", digest: { sha1: "c0ffee" } }],
    });
    const proposal = await dsse({ signers: [signer], payload });
    expect((await parseEntry(proposal)).searchTexts).toEqual([
      hexOf(keyPem(signer)),
      `sha256:${hexOf(keyPem(signer))}`,
      `sha256:${hexOf(payload)}`,
      `sha256:${hexOf(proposal.spec.proposedContent.envelope)}`,
      `sha256:${"AB".repeat(32)}`,
      "sha1:c0ffee",
    ]);
  });

  test("may carry anything as its payload; what is no statement has no subjects", async () => {
    for (const payload of ["", "not JSON", "[]", '{"subject":7}', '{"subject":[null,{"digest":{"sha256":5}}]}']) {
      expect((await parseEntry(await dsse({ payload }))).searchTexts).toHaveLength(4);
    }
    const other = await dsse({ payload: aStatement(), payloadType: "text/plain" });
    expect((await parseEntry(other)).searchTexts).toHaveLength(4);
  });

  test("is refused with more subjects, signatures or verifiers than the limits", async () => {
    const subject = Array.from({ length: 1_025 }, (_, place) => ({ name: "a", digest: { sha256: String(place) } }));
    const crowded = await dsse({ payload: JSON.stringify({ subject }) });
    await expect(parseEntry(crowded)).rejects.toThrow("more than 1024 subjects");
    const signers = Array.from({ length: 11 }, () => ephemeralSigner("ecdsa-p256"));
    const many = await dsse({ signers, verifiers: [keyPem(signers[0]!)] });
    await expect(parseEntry(many)).rejects.toThrow("signatures: more than 10");
    const keys = await dsse({ signers: [signers[0]!], verifiers: signers.map(keyPem) });
    await expect(parseEntry(keys)).rejects.toThrow("verifiers: more than 10");
  });

  test("of many megabytes is verified as a small one is, and hashed a bounded number of times", async () => {
    const payload = "x".repeat(4 * 1024 * 1024);
    const options = { payload, payloadType: "text/plain" };
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
    const p384: Signer = {
      publicKey: signerFromKeyObject(privateKey).publicKey,
      sign: async (message) => new Uint8Array(sign("sha256", message, privateKey)),
    };
    const signers = [ephemeralSigner("ecdsa-p256"), p384, ephemeralSigner("rsa-2048"), ephemeralSigner("ed25519")];
    expect((await stored(await dsse({ signers, ...options }))).signatures).toHaveLength(4);
    const stranger = ephemeralSigner("ecdsa-p256");
    const wrong = await dsse({ signers: [stranger], verifiers: [keyPem(signers[0]!)], ...options });
    await expect(parseEntry(wrong)).rejects.toThrow("verifies none");
    const many = Array.from({ length: 10 }, () => ephemeralSigner("ed25519"));
    const costly = await dsse({ signers: many, ...options });
    await expect(parseEntry(costly)).rejects.toThrow(TooLarge);
    expect((await stored(await dsse({ signers: many }))).signatures).toHaveLength(10);
  });

  test("takes the computed members as null and not otherwise", async () => {
    const proposal = await dsse();
    const withNulls = {
      ...proposal,
      spec: { ...proposal.spec, signatures: null, envelopeHash: null, payloadHash: null },
    };
    expect(await bodyText(withNulls)).toBe(await bodyText(proposal));
    const claimed = { ...proposal, spec: { ...proposal.spec, ...(await stored(proposal)) } };
    await expect(parseEntry(claimed)).rejects.toThrow("spec.envelopeHash: is computed here");
  });

  test("passes over what else stands in the client's envelope", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const plain = await anEnvelope([signer]);
    const rich = {
      ...plain,
      extra: 1,
      signatures: plain.signatures.map(({ sig }) => ({ sig, keyid: "x", certificate: "y" })),
    };
    const proposal = await dsse({ signers: [signer] });
    const spec = { proposedContent: { ...proposal.spec.proposedContent, envelope: JSON.stringify(rich) } };
    expect((await stored({ ...proposal, spec })).envelopeHash.value).toBe(hexOf(JSON.stringify(rich)));
  });

  test("is refused when a signature is spelt otherwise than base64 is written: it is logged as text", async () => {
    const proposal = await dsse();
    const envelope = JSON.parse(proposal.spec.proposedContent.envelope);
    const { sig } = envelope.signatures[0];
    for (const spelling of [sig.replace(/=+$/, ""), `${sig}\n`, ` ${sig}`, `${sig.slice(0, 8)}\n${sig.slice(8)}`]) {
      if (spelling === sig) continue;
      const text = JSON.stringify({ ...envelope, signatures: [{ sig: spelling }] });
      const spec = { proposedContent: { ...proposal.spec.proposedContent, envelope: text } };
      await expect(parseEntry({ ...proposal, spec })).rejects.toThrow("signatures.0.sig: not canonical base64");
    }
  });
});

describe("an intoto entry", () => {
  test("of version 0.0.1 keeps hashes and key, and its payload as attestation", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const payload = aStatement();
    const proposal = await intoto1(signer, payload);
    expect(await stored(proposal)).toEqual({
      content: {
        hash: { algorithm: "sha256", value: hexOf(proposal.spec.content.envelope) },
        payloadHash: { algorithm: "sha256", value: hexOf(payload) },
      },
      publicKey: base64(keyPem(signer)),
    });
    expect((await parseEntry(proposal)).attestation).toEqual(utf8(payload));
    const other = { ...proposal, spec: { ...proposal.spec, publicKey: base64(keyPem(ephemeralSigner("ecdsa-p256"))) } };
    await expect(parseEntry(other)).rejects.toThrow("spec.publicKey: verifies none");
  });

  test("of version 0.0.2 keeps signatures with their keys as sent, and the claimed envelope hash", async () => {
    const payload = aStatement("ab".repeat(32));
    const proposal = await intoto2(undefined, payload);
    const { envelope, hash } = proposal.spec.content;
    expect(await stored(proposal)).toEqual({
      content: {
        envelope: { payloadType: envelope.payloadType, signatures: envelope.signatures },
        hash,
        payloadHash: { algorithm: "sha256", value: hexOf(payload) },
      },
    });
    const parsed = await parseEntry(proposal);
    expect(parsed.attestation).toEqual(utf8(payload));
    expect(parsed.searchTexts).toContain(`sha256:${"ab".repeat(32)}`);
    expect(parsed.searchTexts).not.toContain(`sha256:${hash.value}`);
  });

  test("of version 0.0.2 is refused when any signature does not verify", async () => {
    const [proposal, other] = [await intoto2(), await intoto2()];
    const { content } = proposal.spec;
    content.envelope.signatures = [...content.envelope.signatures, ...other.spec.content.envelope.signatures];
    await expect(parseEntry(proposal)).rejects.toThrow("signatures.1.publicKey: verifies none");
  });
});

describe("a rekord entry", () => {
  test("keeps the hash of the artifact in its place", async () => {
    const artifact = anArtifact();
    const proposal = await rekord(undefined, artifact);
    expect(await stored(proposal)).toEqual({
      data: { hash: { algorithm: "sha256", value: encodeHex(sha256(artifact)) } },
      signature: proposal.spec.signature,
    });
  });

  test("is refused with a hash that is not the artifact's, and in a format that it is not", async () => {
    const proposal = await rekord();
    const data = { ...proposal.spec.data, hash: { algorithm: "sha256", value: "00".repeat(32) } };
    await expect(parseEntry({ ...proposal, spec: { ...proposal.spec, data } })).rejects.toThrow("spec.data.hash.value");
    const signature = { ...proposal.spec.signature, format: "pgp" };
    await expect(parseEntry({ ...proposal, spec: { ...proposal.spec, signature } })).rejects.toThrow(
      "spec.signature.publicKey.content: not OpenPGP",
    );
  });
});
