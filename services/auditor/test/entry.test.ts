import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { canonicalJson, encodePem } from "@chancery/encoding";
import { describe, expect, test } from "vitest";
import { BAD_KEYS, GOOD_KEYS } from "../../../libs/crypto/test/bad-keys.ts";
import { authority, leafRequest } from "../../../libs/x509/test/world.ts";
import { judgeKey } from "../src/domain/certificate/key-policy.ts";
import { type HashName, isDigestSigned } from "../src/domain/entry/digest-signature.ts";
import { judgeEntry } from "../src/domain/entry/logged-entry.ts";

const spkiOf = (key: KeyObject) => key.export({ type: "spki", format: "der" });
const message = Buffer.from("what was signed");
const digestOf = (hash: HashName) => createHash(hash).update(message).digest();

const SIGNERS: [name: string, hash: HashName, make: () => { key: KeyObject; signature: Uint8Array }][] = [
  ...(["P-256", "P-384", "P-521"] as const).map((namedCurve, at) => {
    const hash = (["sha256", "sha384", "sha512"] as const)[at]!;
    const make = () => {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
      return { key: publicKey, signature: sign(hash, message, privateKey) };
    };
    return [namedCurve, hash, make] satisfies (typeof SIGNERS)[number];
  }),
  [
    "RSA 2048",
    "sha256",
    () => {
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      return { key: publicKey, signature: sign("sha256", message, privateKey) };
    },
  ],
  [
    "Ed25519ph",
    "sha512",
    () => {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519");
      const seed = privateKey.export({ type: "pkcs8", format: "der" }).subarray(-32);
      expect(Buffer.from(ed25519.getPublicKey(seed))).toEqual(spkiOf(publicKey).subarray(-32));
      return { key: publicKey, signature: ed25519ph.sign(message, seed) };
    },
  ],
];

describe("a signature over a digest", () => {
  test.for(SIGNERS)("of %s is told from any other", ([, hash, make]) => {
    for (let round = 0; round < 3; round++) {
      const { key, signature } = make();
      const digest = digestOf(hash);
      expect(isDigestSigned(key, hash, digest, signature)).toBe(true);
      expect(isDigestSigned(key, hash, digest.with(0, (digest[0] ?? 0) ^ 1), signature)).toBe(false);
      expect(isDigestSigned(make().key, hash, digest, signature)).toBe(false);
      const last = signature.length - 1;
      expect(isDigestSigned(key, hash, digest, signature.with(last, (signature[last] ?? 0) ^ 1))).toBe(false);
      expect(isDigestSigned(key, hash, digest, signature.subarray(1))).toBe(false);
    }
  });

  test("of the empty message is one too: there the key is not moved at all", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signature = sign("sha256", Buffer.alloc(0), privateKey);
    expect(isDigestSigned(publicKey, "sha256", createHash("sha256").digest(), signature)).toBe(true);
  });
});

describe("a key that nobody should sign with", () => {
  test.for(BAD_KEYS)("%s", ([, spki]) => expect(judgeKey(spki)).toBeTypeOf("string"));
  test.for(Object.entries(GOOD_KEYS))("but for %s", ([, spki]) => expect(judgeKey(spki)).not.toBeTypeOf("string"));
});

interface Changes {
  readonly pem?: string;
  readonly signature?: string;
  readonly kind?: string;
}

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = publicKey.export({ type: "spki", format: "pem" });

function hashedRekord({ pem: content = pem, signature, kind = "hashedrekord" }: Changes = {}): string {
  const value = digestOf("sha256").toString("hex");
  return canonicalJson({
    apiVersion: "0.0.1",
    kind,
    spec: {
      data: { hash: { algorithm: "sha256", value } },
      signature: {
        content: signature ?? sign("sha256", message, privateKey).toString("base64"),
        publicKey: { content: Buffer.from(content).toString("base64") },
      },
    },
  });
}

const complaints = (text: string) => judgeEntry(Buffer.from(text)).complaints.join();

describe("an entry out of the log", () => {
  test("is good, and is found by its digest and its key", () => {
    const judged = judgeEntry(Buffer.from(hashedRekord()));
    expect(judged).toMatchObject({ kind: "hashedrekord 0.0.1", complaints: [], isVerified: true });
    expect(judged.texts).toEqual([
      `sha256:${digestOf("sha256").toString("hex")}`,
      createHash("sha256").update(pem).digest("hex"),
    ]);
  });

  test.for([
    ["signed by another", () => hashedRekord({ signature: otherSignature() }), "does not verify with its own key"],
    ["with white space", () => ` ${hashedRekord()}`, "not in canonical form"],
    ["with members in another order", () => reordered(hashedRekord()), "not in canonical form"],
    ["that says a member twice", () => hashedRekord().replace("{", '{"kind":"hashedrekord",'), "no JSON"],
    ["that is no JSON", () => "entry", "no JSON"],
    ["of an unknown kind", () => hashedRekord({ kind: "made-up" }), "not logged"],
    ["with a weak key", () => hashedRekord({ pem: encodePem("PUBLIC KEY", BAD_KEYS[0]![1]) }), "key"],
  ] as [string, () => string, string][])("%s is not", ([, make, why]) => {
    expect(complaints(make())).toContain(why);
  });
});

const FULCIO = "060a2b0601040183bf300107";
const UPN = "060a2b060104018237140203";
const certified = async (change: (hex: string) => string) => {
  const spki = new Uint8Array(spkiOf(publicKey));
  const { issuer } = await authority();
  const { der } = await issuer.precertificate(
    leafRequest({ spki, san: { type: "username", value: "al!example.com" } }),
  );
  const text = encodePem("CERTIFICATE", Uint8Array.fromHex(change(der.toHex())));
  return { judged: judgeEntry(Buffer.from(hashedRekord({ pem: text }))), digest: createHash("sha256").update(text) };
};

describe("an entry whose certificate has another's otherName", () => {
  test("a user name of Fulcio's is one that it is found by", async () => {
    const { judged } = await certified((hex) => hex);
    expect(judged).toMatchObject({ complaints: [], isVerified: true });
    expect(judged.texts).toContain("al!example.com");
  });

  test.for([
    [
      "a UPN of Active Directory is not looked for, for Rekor does not index it",
      (hex: string) => hex.replace(FULCIO, UPN),
    ],
    [
      "an otherName that is no text, as Kerberos has it, does not make the entry invalid",
      (hex: string) => hex.replace(`${FULCIO}a0100c0e`, `${UPN}a010300e`),
    ],
  ] as const)("%s", async ([, change]) => {
    const { judged, digest } = await certified(change);
    expect(judged).toMatchObject({ complaints: [], isVerified: true });
    expect(judged.texts.slice(1)).toEqual([digest.digest("hex")]);
  });
});

function otherSignature(): string {
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  return sign("sha256", message, createPrivateKey(other.export({ type: "pkcs8", format: "pem" }))).toString("base64");
}

function reordered(text: string): string {
  const { apiVersion, kind, spec } = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify({ kind, apiVersion, spec });
}
