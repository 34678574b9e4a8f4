import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import {
  type CosignatureScheme,
  type Cosigner,
  cosign,
  cosignedMessage,
  cosignerKeyHash,
  encodeCheckpoint,
  encodeCosignerKey,
  encodeNote,
  leafHash,
  parseCosignerKey,
  parseNote,
  signCheckpoint,
  verifyCheckpoint,
  verifyCosignature,
} from "../src/index.ts";
import cosigned from "./cosigned-note.json" with { type: "json" };

const CHECKPOINT = {
  origin: "log.example/one",
  size: 7n,
  root: leafHash(new Uint8Array()),
  extensions: ["extra line"],
};
const TEXT = encodeCheckpoint(CHECKPOINT);
const SCHEMES = ["ed25519", "ml-dsa-44"] as const;
const unverified = expect.objectContaining({ code: "unverified" }) as Error;
const malformed = expect.objectContaining({ code: "malformed" }) as Error;

interface Witness {
  readonly cosigner: Cosigner;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
}

function newWitness(scheme: CosignatureScheme, name = "witness.example/w1"): Witness {
  const pair: { publicKey: KeyObject; privateKey: KeyObject } =
    scheme === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ml-dsa-44");
  const spki = pair.publicKey.export({ type: "spki", format: "der" });
  const publicKey = new Uint8Array(spki.subarray(scheme === "ed25519" ? -32 : -1312));
  return {
    cosigner: { name, scheme, publicKey },
    sign: async (message) => new Uint8Array(sign(null, message, pair.privateKey)),
  };
}

async function cosignedNote(...witnesses: readonly Witness[]) {
  const lines = await Promise.all(witnesses.map((by) => cosign(TEXT, by.cosigner, by.sign, 1_795_262_400n)));
  return parseNote(encodeNote(TEXT, lines));
}

describe("a note cosigned by another implementation", () => {
  const note = parseNote(new TextEncoder().encode(cosigned.note));
  const witnesses = cosigned.keys.map((key) => parseCosignerKey(key));

  test("has keys of both schemes, which are written as they were read", () => {
    expect(witnesses.map(({ scheme, name }) => [scheme, name])).toEqual([
      ["ed25519", "witness.example/w1"],
      ["ml-dsa-44", "witness.example/w2"],
    ]);
    expect(witnesses.map((witness) => encodeCosignerKey(witness))).toEqual(cosigned.keys);
  });

  test("verifies, and says when it was cosigned", () => {
    for (const [at, cosigner] of witnesses.entries()) {
      const said = Buffer.from(note.signatures[at]!.signature).readBigUInt64BE(0);
      expect(verifyCosignature(note, cosigner)).toEqual({ cosigner, timestamp: said });
      expect(said).toBeGreaterThan(1_790_000_000n);
    }
  });

  test("does not verify with any byte of a cosignature changed, the time's included", () => {
    for (const [at, cosigner] of witnesses.entries()) {
      const line = note.signatures[at]!;
      for (const place of [0, 7, 8, 40, line.signature.length - 1]) {
        const signature = Uint8Array.from(line.signature, (byte, index) => (index === place ? byte ^ 1 : byte));
        const signatures = note.signatures.with(at, { ...line, signature });
        expect(() => verifyCosignature({ ...note, signatures }, cosigner)).toThrow(unverified);
      }
    }
  });
});

describe.for(SCHEMES)("a cosignature of %s", (scheme) => {
  const witness = newWitness(scheme);

  test("is verified, beside the log's own signature and those of strangers", async () => {
    const log = ephemeralSigner("ed25519");
    const own = parseNote(await signCheckpoint(CHECKPOINT, CHECKPOINT.origin, log)).signatures;
    const { signatures } = await cosignedNote(newWitness(scheme, "stranger.example"), witness);
    const bytes = encodeNote(TEXT, [...signatures, ...own]);
    expect(verifyCosignature(parseNote(bytes), witness.cosigner).timestamp).toBe(1_795_262_400n);
    expect(verifyCheckpoint(bytes, CHECKPOINT.origin, log.publicKey)).toEqual(CHECKPOINT);
  });

  test("by another key in the same name is no cosignature", async () => {
    const note = await cosignedNote(newWitness(scheme));
    expect(() => verifyCosignature(note, witness.cosigner)).toThrow("is not cosigned by witness.example/w1");
  });

  test("of one tree does not hold for another", async () => {
    const { signatures } = await cosignedNote(witness);
    for (const changed of [
      { ...CHECKPOINT, size: 8n },
      { ...CHECKPOINT, root: leafHash(Uint8Array.of(1)) },
      { ...CHECKPOINT, origin: "log.example/two" },
    ]) {
      const note = { text: encodeCheckpoint(changed), signatures };
      expect(() => verifyCosignature(note, witness.cosigner)).toThrow(unverified);
    }
  });

  test("that is forged is not hidden by a good one, wherever it stands", async () => {
    const { text, signatures } = await cosignedNote(witness);
    const forged = { ...signatures[0]!, signature: new Uint8Array(signatures[0]!.signature.length) };
    for (const lines of [
      [forged, ...signatures],
      [...signatures, forged],
    ]) {
      expect(() => verifyCosignature({ text, signatures: lines }, witness.cosigner)).toThrow("does not verify");
    }
  });

  test("given twice tells the newer time", async () => {
    const times = await Promise.all([3n, 5n, 4n].map((time) => cosign(TEXT, witness.cosigner, witness.sign, time)));
    expect(verifyCosignature({ text: TEXT, signatures: times }, witness.cosigner).timestamp).toBe(5n);
  });

  test("that is cut short, too long, or of a time beyond 2^63 - 1 is refused", async () => {
    const [line] = (await cosignedNote(witness)).signatures;
    const { signature } = line!;
    for (const wrong of [
      signature.slice(0, -1),
      signature.slice(8),
      Uint8Array.from([...signature, 0]),
      Uint8Array.from(signature, (byte, at) => (at === 0 ? 0x80 : byte)),
    ]) {
      const note = { text: TEXT, signatures: [{ ...line!, signature: wrong }] };
      expect(() => verifyCosignature(note, witness.cosigner)).toThrow(unverified);
    }
    await expect(cosign(TEXT, witness.cosigner, witness.sign, 2n ** 63n)).rejects.toThrow(malformed);
  });
});

test("an Ed25519 cosignature is over two lines and the whole checkpoint, says @noble/curves", async () => {
  const { cosigner, sign: signWith } = newWitness("ed25519");
  const { signature } = await cosign(TEXT, cosigner, signWith, 1_679_315_147n);
  const message = new TextEncoder().encode(`cosignature/v1\ntime 1679315147\n${TEXT}`);
  expect(cosignedMessage(TEXT, cosigner, 1_679_315_147n)).toEqual(message);
  expect(ed25519.verify(signature.slice(8), message, cosigner.publicKey)).toBe(true);
});

test("extension lines stand under a cosignature of Ed25519 and not under one of ML-DSA-44", async () => {
  const [first, second] = SCHEMES.map((scheme) => newWitness(scheme, scheme));
  const { signatures } = await cosignedNote(first!, second!);
  const note = { text: encodeCheckpoint({ ...CHECKPOINT, extensions: [] }), signatures };
  expect(() => verifyCosignature(note, first!.cosigner)).toThrow(unverified);
  expect(verifyCosignature(note, second!.cosigner).timestamp).toBe(1_795_262_400n);
});

test("an origin too long for its field is refused, not a fault of ours", () => {
  const text = encodeCheckpoint({ ...CHECKPOINT, origin: "o".repeat(256) });
  expect(() => cosignedMessage(text, newWitness("ml-dsa-44").cosigner, 1n)).toThrow(malformed);
});

test("a cosigner's key ID depends on name and scheme", () => {
  const { cosigner } = newWitness("ed25519");
  expect(cosignerKeyHash({ ...cosigner, name: "another" })).not.toEqual(cosignerKeyHash(cosigner));
});

test.for([
  ["nothing", "", malformed],
  ["no key ID", "w+AAAA", malformed],
  ["a name with a space", `a b+00000000+${Buffer.alloc(33, 4).toString("base64")}`, malformed],
  ["a key ID of another key", cosigned.keys[0]!.replace("e75f6532", "e75f6533"), malformed],
  ["a key one byte short", `w+00000000+${Buffer.alloc(32, 4).toString("base64")}`, malformed],
  ["an ML-DSA key one byte long", `w+00000000+${Buffer.alloc(1314, 6).toString("base64")}`, malformed],
  [
    "a log's type",
    `w+00000000+${Buffer.alloc(33, 1).toString("base64")}`,
    expect.objectContaining({ code: "unsupported" }),
  ],
  [
    "a point of small order",
    `w+00000000+${Buffer.concat([Buffer.of(4, 1), Buffer.alloc(31)]).toString("base64")}`,
    expect.any(Error),
  ],
] as const)("a cosigner's key with %s is refused", ([, key, reason]) => {
  expect(() => parseCosignerKey(key)).toThrow(reason as Error);
});
