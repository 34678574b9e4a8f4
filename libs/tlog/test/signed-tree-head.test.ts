import { createHash, verify } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { describe, expect, test } from "vitest";
import {
  encodeCheckpoint,
  encodeNote,
  leafHash,
  parseNote,
  signTreeHead,
  treeHeadSignedData,
  verifyTreeHead,
} from "../src/index.ts";

const ORIGIN = "ct.example/2026";
const HEAD = { size: 258n, root: leafHash(new Uint8Array()) };
const TIME = 1_764_000_000_123n;
const signer = ephemeralSigner("ecdsa-p256");

describe("a tree head as RFC 6962 signs it", () => {
  test("signs version, type, time, size and root", () => {
    const expected = Buffer.alloc(50);
    expected.writeUInt8(1, 1);
    expected.writeBigUInt64BE(TIME, 2);
    expected.writeBigUInt64BE(258n, 10);
    expected.set(HEAD.root, 18);
    expect(treeHeadSignedData(HEAD, TIME)).toEqual(new Uint8Array(expected));
  });

  test("travels as a checkpoint whose signature is of type 0x05", async () => {
    const { text, signatures } = parseNote(await signTreeHead(HEAD, TIME, ORIGIN, signer));
    expect(text).toBe(`${ORIGIN}\n258\n${Buffer.from(HEAD.root).toString("base64")}\n`);
    const logId = createHash("sha256").update(signer.publicKey.spki).digest();
    const keyId = createHash("sha256").update(`${ORIGIN}\n\x05`).update(logId).digest();
    const [line] = signatures;
    expect(line).toMatchObject({ name: ORIGIN, keyHash: new Uint8Array(keyId.subarray(0, 4)) });
    const body = Buffer.from(line!.signature);
    expect(body.readBigUInt64BE(0)).toBe(TIME);
    expect(body.subarray(8, 10)).toEqual(Buffer.of(4, 3));
    expect(body.readUInt16BE(10)).toBe(body.length - 12);
    expect(verify("sha256", treeHeadSignedData(HEAD, TIME), signer.publicKey.keyObject, body.subarray(12))).toBe(true);
  });

  test("is read back with its time and DigitallySigned", async () => {
    const note = await signTreeHead(HEAD, TIME, ORIGIN, signer);
    const signed = verifyTreeHead(note, ORIGIN, signer.publicKey);
    expect(signed).toMatchObject({ ...HEAD, timestamp: TIME });
    expect(signed.signature).toEqual(parseNote(note).signatures[0]!.signature.slice(8));
  });

  test("is signed with P-256 only", async () => {
    await expect(signTreeHead(HEAD, TIME, ORIGIN, ephemeralSigner("ed25519"))).rejects.toThrow("P-256");
  });

  test("is refused when time, size, root, origin, key or algorithm is another", async () => {
    const { text, signatures } = parseNote(await signTreeHead(HEAD, TIME, ORIGIN, signer));
    const [own] = signatures;
    const at = (place: number, value: number) => [{ ...own!, signature: own!.signature.with(place, value) }];
    const { publicKey } = signer;
    expect(() => verifyTreeHead(encodeNote(text, at(7, 1)), ORIGIN, publicKey)).toThrow("does not verify");
    expect(() => verifyTreeHead(encodeNote(text.replace("258", "259"), signatures), ORIGIN, publicKey)).toThrow(
      "does not verify",
    );
    const root = encodeCheckpoint({ origin: ORIGIN, ...HEAD, root: leafHash(new Uint8Array(1)), extensions: [] });
    expect(() => verifyTreeHead(encodeNote(root, signatures), ORIGIN, publicKey)).toThrow("does not verify");
    expect(() => verifyTreeHead(encodeNote(text, at(8, 2)), ORIGIN, publicKey)).toThrow("not ECDSA with SHA-256");
    expect(() => verifyTreeHead(encodeNote(text, at(11, 1)), ORIGIN, publicKey)).toThrow("trailing bytes");
    expect(() => verifyTreeHead(encodeNote(text, signatures), "ct.example/2027", publicKey)).toThrow("another log");
    const other = ephemeralSigner("ecdsa-p256").publicKey;
    expect(() => verifyTreeHead(encodeNote(text, signatures), ORIGIN, other)).toThrow("not signed by the log's key");
    const short = [{ ...own!, signature: new Uint8Array(7) }];
    expect(() => verifyTreeHead(encodeNote(text, short), ORIGIN, publicKey)).toThrow("too short");
  });

  test("is refused with lines that its signature does not cover", async () => {
    const { text, signatures } = parseNote(await signTreeHead(HEAD, TIME, ORIGIN, signer));
    const note = encodeNote(`${text}Log frozen\n`, signatures);
    expect(() => verifyTreeHead(note, ORIGIN, signer.publicKey)).toThrow("no signature covers");
  });
});
