import { createHash, verify } from "node:crypto";
import { ephemeralSigner, type KeyAlgorithm } from "@chancery/crypto";
import { describe, expect, test } from "vitest";
import {
  type Checkpoint,
  EMPTY_ROOT,
  encodeCheckpoint,
  encodeNote,
  leafHash,
  noteKeyHash,
  noteKeyId,
  parseCheckpoint,
  parseNote,
  signCheckpoint,
  verifyCheckpoint,
} from "../src/index.ts";

const ROOT = leafHash(new Uint8Array());
const ROOT64 = Buffer.from(ROOT).toString("base64");
const EMPTY64 = Buffer.from(EMPTY_ROOT).toString("base64");
const CHECKPOINT: Checkpoint = { origin: "rekor.example", size: 7n, root: ROOT, extensions: [] };
const malformed = expect.objectContaining({ code: "malformed" }) as Error;

const sha256 = (...parts: (string | Uint8Array)[]) =>
  new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest());

describe("a checkpoint's text", () => {
  test("is origin, size, root and extension lines", () => {
    const text = `rekor.example\n7\n${ROOT64}\nTimestamp: 1\nmore\n`;
    const checkpoint = { ...CHECKPOINT, extensions: ["Timestamp: 1", "more"] };
    expect(encodeCheckpoint(checkpoint)).toBe(text);
    expect(parseCheckpoint(text)).toEqual(checkpoint);
  });

  test("of an empty log has the root of nothing", () => {
    expect(parseCheckpoint(`o\n0\n${EMPTY64}\n`)).toEqual({ origin: "o", size: 0n, root: EMPTY_ROOT, extensions: [] });
  });

  test("holds sizes up to 2^63 - 1", () => {
    expect(parseCheckpoint(`o\n9223372036854775807\n${ROOT64}\n`).size).toBe(2n ** 63n - 1n);
  });

  // Attack A28.
  test.for([
    ["no lines", ""],
    ["two lines", "o\n7\n"],
    ["no final newline", `o\n7\n${ROOT64}`],
    ["an empty origin", `\n7\n${ROOT64}\n`],
    ["an empty extension line", `o\n7\n${ROOT64}\n\nx\n`],
    ["an empty last line", `o\n7\n${ROOT64}\n\n`],
    ["a leading zero", `o\n07\n${ROOT64}\n`],
    ["a sign", `o\n+7\n${ROOT64}\n`],
    ["a negative size", `o\n-7\n${ROOT64}\n`],
    ["a hexadecimal size", `o\n0x7\n${ROOT64}\n`],
    ["a space after the size", `o\n7 \n${ROOT64}\n`],
    ["an empty size", `o\n\n${ROOT64}\n`],
    ["a size of 2^63", `o\n9223372036854775808\n${ROOT64}\n`],
    ["a size of a million digits", `o\n${"9".repeat(1_000_000)}\n${ROOT64}\n`],
    ["digits of another script", `o\n٧\n${ROOT64}\n`],
    ["a root of 31 bytes", `o\n7\n${Buffer.alloc(31).toString("base64")}\n`],
    ["a root without padding", `o\n7\n${ROOT64.replace("=", "")}\n`],
    ["a root that is not canonical", `o\n7\n${ROOT64.replace(/.=$/, "1=")}\n`],
    ["an empty log with a root", `o\n0\n${ROOT64}\n`],
  ] as const)("with %s is malformed", ([, text]) => {
    expect(() => parseCheckpoint(text)).toThrow(malformed);
  });

  test.for([
    ["an origin of two lines", { ...CHECKPOINT, origin: "a\nb" }],
    ["no origin", { ...CHECKPOINT, origin: "" }],
    ["an extension of two lines", { ...CHECKPOINT, extensions: ["a\nb"] }],
    ["an empty extension", { ...CHECKPOINT, extensions: [""] }],
    ["a size below zero", { ...CHECKPOINT, size: -1n }],
    ["a size of 2^63", { ...CHECKPOINT, size: 2n ** 63n }],
    ["a root that is no hash", { ...CHECKPOINT, root: new Uint8Array(20) }],
    ["an empty log with a root", { ...CHECKPOINT, size: 0n }],
  ] as const)("with %s is never written", ([, checkpoint]) => {
    expect(() => encodeCheckpoint(checkpoint)).toThrow(malformed);
  });
});

describe("key IDs of notes", () => {
  const ecdsa = ephemeralSigner("ecdsa-p256").publicKey;
  const edwards = ephemeralSigner("ed25519").publicKey;
  const rsa = ephemeralSigner("rsa-2048").publicKey;

  test("an Ed25519 key is named with its origin", () => {
    const raw = edwards.spki.slice(-32);
    expect(noteKeyId("ed25519", "log.example", edwards)).toEqual(sha256("log.example\n", Uint8Array.of(1), raw));
  });

  test("the published key of c2sp.org/signed-note has its published ID", () => {
    const point = Buffer.from("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "base64").subarray(1);
    const spki = Buffer.concat([edwards.spki.subarray(0, 12), point]);
    const hash = noteKeyHash("ed25519", "example.com/foo", { ...edwards, spki });
    expect(Buffer.from(hash).toString("hex")).toBe("530d903a");
  });

  test("an ECDSA key is the hash of its SPKI, whatever it is called", () => {
    expect(noteKeyId("ecdsa", "a", ecdsa)).toEqual(sha256(ecdsa.spki));
    expect(noteKeyHash("ecdsa", "a", ecdsa)).toEqual(noteKeyHash("ecdsa", "b", ecdsa));
  });

  test("a CT log's key is named with its origin and log ID", () => {
    expect(noteKeyId("rfc6962", "ct.example/2026", ecdsa)).toEqual(
      sha256("ct.example/2026\n", Uint8Array.of(5), sha256(ecdsa.spki)),
    );
  });

  test("an RSA key is named as rekor-tiles does", () => {
    expect(noteKeyId("rsa", "log.example", rsa)).toEqual(
      sha256("log.example\n", Uint8Array.of(255), "PKIX-RSA-PKCS#1v1.5", rsa.spki),
    );
  });

  test("the Ed25519 rule takes no other key", () => {
    expect(() => noteKeyId("ed25519", "a", ecdsa)).toThrow("not an Ed25519 key");
  });
});

describe("a signed checkpoint", () => {
  test.for<KeyAlgorithm>(["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])(
    "is verified with a key of %s",
    async (algorithm) => {
      const signer = ephemeralSigner(algorithm);
      const note = await signCheckpoint(CHECKPOINT, CHECKPOINT.origin, signer);
      expect(verifyCheckpoint(note, CHECKPOINT.origin, signer.publicKey)).toEqual(CHECKPOINT);
      expect(() => verifyCheckpoint(note, CHECKPOINT.origin, ephemeralSigner(algorithm).publicKey)).toThrow(
        "not signed by the log's key",
      );
    },
  );

  test("of Rekor v1 is signed over SHA-256 under its host name, and named by a tree ID besides", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const checkpoint = { ...CHECKPOINT, origin: "rekor.example - 1193050959916656506" };
    const note = await signCheckpoint(checkpoint, "rekor.example", signer, "ecdsa");
    const { text, signatures } = parseNote(note);
    expect(text).toBe(`rekor.example - 1193050959916656506\n7\n${ROOT64}\n`);
    expect(signatures).toMatchObject([{ name: "rekor.example", keyHash: sha256(signer.publicKey.spki).slice(0, 4) }]);
    expect(verify("sha256", Buffer.from(text), signer.publicKey.keyObject, signatures[0]!.signature)).toBe(true);
    expect(verifyCheckpoint(note, checkpoint.origin, signer.publicKey, "rekor.example")).toEqual(checkpoint);
  });

  test("of another log is refused, though the key is right", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const note = await signCheckpoint({ ...CHECKPOINT, origin: "other.example" }, CHECKPOINT.origin, signer);
    expect(() => verifyCheckpoint(note, CHECKPOINT.origin, signer.publicKey)).toThrow("another log");
  });

  describe("that others signed too", () => {
    const signer = ephemeralSigner("ed25519");
    const { origin } = CHECKPOINT;
    const lines = async () => parseNote(await signCheckpoint(CHECKPOINT, origin, signer));
    const stranger = { name: "witness.example", keyHash: Uint8Array.of(1, 2, 3, 4), signature: new Uint8Array(72) };

    test("is accepted among unknown signatures, wherever the log's own stands", async () => {
      const { text, signatures } = await lines();
      const sameName = { ...stranger, name: origin };
      const sameHash = { ...stranger, keyHash: signatures[0]!.keyHash };
      for (const order of [
        [stranger, sameName, sameHash, ...signatures],
        [...signatures, sameHash, stranger, sameName],
      ]) {
        expect(verifyCheckpoint(encodeNote(text, order), origin, signer.publicKey)).toEqual(CHECKPOINT);
      }
    });

    test("is refused when they are all it has", async () => {
      const { text } = await lines();
      expect(() => verifyCheckpoint(encodeNote(text, [stranger]), origin, signer.publicKey)).toThrow(
        expect.objectContaining({ code: "unverified" }) as Error,
      );
    });

    test("is refused when one of them is a forgery in the log's name, first or last", async () => {
      const { text, signatures } = await lines();
      const forged = { ...signatures[0]!, signature: new Uint8Array(64) };
      for (const order of [
        [forged, ...signatures],
        [...signatures, forged],
      ]) {
        expect(() => verifyCheckpoint(encodeNote(text, order), origin, signer.publicKey)).toThrow("does not verify");
      }
    });

    test("is refused when a character of its text is changed", async () => {
      const { text, signatures } = await lines();
      const changed = text.replace("\n7\n", "\n8\n");
      expect(() => verifyCheckpoint(encodeNote(changed, signatures), origin, signer.publicKey)).toThrow(
        "does not verify",
      );
    });
  });
});
