import {
  defaultHash,
  ephemeralSigner,
  hash,
  type HashAlgorithm,
  type KeyAlgorithm,
  parsePublicKey,
  sha512,
  verifyDigest,
  verifyDigestAside,
  verifySignature,
  verifySignatureP1363,
} from "../src/index.ts";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { concatBytes, der, DerReader, utf8 } from "@chancery/encoding";
import { execFileSync } from "node:child_process";
import { constants, createHash, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { P256, P384, P521, toBigInt } from "../src/curve.ts";
import { verifyEd25519 } from "../src/ed25519.ts";
import { ecSpki, ed25519Spki, toBytes } from "./spki.ts";

const CURVES = [
  ["ecdsa-p256", "sha256", P256, p256],
  ["ecdsa-p384", "sha384", P384, p384],
  ["ecdsa-p521", "sha512", P521, p521],
] as const;

const message = utf8("an artifact");
const flip = (bytes: Uint8Array, at = bytes.length - 1) => bytes.with(at, bytes[at]! ^ 1);
const ecdsaDer = (r: bigint, s: bigint) => der.sequence(der.integer(r), der.integer(s));
const hashes: readonly HashAlgorithm[] = ["sha256", "sha384", "sha512"];

describe("what our signer signs is verified, and nothing beside it", () => {
  const algorithms: readonly KeyAlgorithm[] = ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "ed25519"];
  test.for(algorithms)("%s", async (algorithm) => {
    const signer = ephemeralSigner(algorithm);
    const { publicKey } = signer;
    const signature = await signer.sign(message);
    const h = defaultHash(algorithm);
    expect(verifySignature(publicKey, message, signature)).toBe(true);
    expect(verifySignature(publicKey, flip(message), signature)).toBe(false);
    expect(verifySignature(publicKey, message, flip(signature))).toBe(false);
    expect(verifySignature(publicKey, message, new Uint8Array())).toBe(false);
    expect(verifySignature(ephemeralSigner(algorithm).publicKey, message, signature)).toBe(false);
    if (algorithm === "ed25519") return;
    expect(verifyDigest(publicKey, h, hash(h, message), signature)).toBe(true);
    expect(verifyDigest(publicKey, h, flip(hash(h, message)), signature)).toBe(false);
    expect(verifyDigest(publicKey, h, hash(h, message), flip(signature))).toBe(false);
    expect(verifyDigest(publicKey, h, hash(h, message).subarray(1), signature)).toBe(false);
    expect(verifyDigest(publicKey, h, hash(h, message), new Uint8Array())).toBe(false);
  });
});

describe.for(CURVES)("%s", ([, defaultAlgorithm, curve, oracle]) => {
  const { secretKey } = oracle.keygen();
  const point = oracle.getPublicKey(secretKey, false);
  const key = parsePublicKey(ecSpki(curve.oid, point), "key");
  const raw = { prehash: false, lowS: false } as const;

  test("what @noble/curves signs is verified here, under any hash", () => {
    for (const h of hashes) {
      const digest = hash(h, message);
      const signature = oracle.sign(digest, secretKey, { ...raw, format: "der" });
      expect(verifySignature(key, message, signature, h)).toBe(true);
      expect(verifyDigest(key, h, digest, signature)).toBe(true);
      expect(verifySignature(key, message, signature, h === "sha256" ? "sha384" : "sha256")).toBe(false);
    }
    const compact = oracle.sign(hash(defaultAlgorithm, message), secretKey, raw);
    expect(verifySignatureP1363(key, message, compact)).toBe(true);
    expect(verifySignatureP1363(key, flip(message), compact)).toBe(false);
    expect(verifySignatureP1363(key, message, compact.subarray(1))).toBe(false);
    expect(verifySignature(key, message, compact)).toBe(false);
  });

  test("what Node signs is verified by @noble/curves and by the digest alone", () => {
    const pair = generateKeyPairSync("ec", { namedCurve: curve.name });
    const parsed = parsePublicKey(Uint8Array.from(pair.publicKey.export({ type: "spki", format: "der" })), "key");
    for (const h of hashes) {
      const signature = Uint8Array.from(sign(h, message, pair.privateKey));
      const at = parsed.spki.length - 2 * curve.width - 1;
      expect(oracle.verify(signature, hash(h, message), parsed.spki.subarray(at), { ...raw, format: "der" })).toBe(
        true,
      );
      expect(verifyDigest(parsed, h, hash(h, message), signature)).toBe(true);
    }
  });

  test("digests at the edges: zero, all ones, the order, beside it, and that of the empty message", () => {
    const length = { sha256: 32, sha384: 48, sha512: 64 }[defaultAlgorithm];
    const order = toBytes(curve.n, curve.width).subarray(0, length);
    const digests = [
      new Uint8Array(length),
      new Uint8Array(length).fill(255),
      order,
      flip(order),
      hash(defaultAlgorithm, new Uint8Array()),
    ];
    for (const digest of digests) {
      const signature = oracle.sign(digest, secretKey, { ...raw, format: "der" });
      expect(verifyDigest(key, defaultAlgorithm, digest, signature)).toBe(true);
      expect(verifyDigest(key, defaultAlgorithm, flip(digest, 3), signature)).toBe(false);
    }
  });

  test("a digest without its leading zero is another length, and refused", () => {
    const digest = hash(defaultAlgorithm, message).with(0, 0);
    const signature = oracle.sign(digest, secretKey, { ...raw, format: "der" });
    expect(verifyDigest(key, defaultAlgorithm, digest, signature)).toBe(true);
    expect(verifyDigest(key, defaultAlgorithm, digest.subarray(1), signature)).toBe(false);
  });

  test("a digest chosen so that the moved key meets the key itself, or vanishes, is still judged right", async () => {
    const { n } = curve;
    const d = toBigInt(secretKey);
    const k = 0x1234567n;
    const r = oracle.Point.BASE.multiply(k).toAffine().x % n;
    const empty = toBigInt(hash("sha256", new Uint8Array()));
    for (const e of [empty + r * d, empty - r * d].map((value) => ((value % n) + n) % n)) {
      // P-521's numbers rarely fit its hash; the two other curves reach both cases every time.
      if (e >= 1n << 512n) continue;
      const h: HashAlgorithm = curve === P256 ? "sha256" : curve === P384 ? "sha384" : "sha512";
      const digest = toBytes(e, { sha256: 32, sha384: 48, sha512: 64 }[h]);
      const s = (((e + r * d) % n) * inverse(k, n)) % n;
      if (s === 0n) continue;
      expect(oracle.verify(ecdsaDer(r, s), digest, point, { ...raw, format: "der" })).toBe(true);
      expect(verifyDigest(key, h, digest, ecdsaDer(r, s))).toBe(true);
      expect(verifyDigest(key, h, flip(digest), ecdsaDer(r, s))).toBe(false);
      expect(await verifyDigestAside(key, h, digest, ecdsaDer(r, s))).toBe(true);
      expect(await verifyDigestAside(key, h, flip(digest), ecdsaDer(r, s))).toBe(false);
    }
  });

  test("high s is valid, as clients emit it", () => {
    const digest = hash(defaultAlgorithm, message);
    const [r, s] = integers(oracle.sign(digest, secretKey, { ...raw, format: "der" }));
    for (const other of [s, curve.n - s]) {
      expect(verifySignature(key, message, ecdsaDer(r, other))).toBe(true);
      expect(verifyDigest(key, defaultAlgorithm, digest, ecdsaDer(r, other))).toBe(true);
    }
  });

  test("r and s out of range, and a second spelling of the signature, are refused", () => {
    const digest = hash(defaultAlgorithm, message);
    const good = oracle.sign(digest, secretKey, { ...raw, format: "der" });
    const [r, s] = integers(good);
    const { n } = curve;
    const wrong = [
      ecdsaDer(0n, s),
      ecdsaDer(r, 0n),
      ecdsaDer(0n, 0n),
      ecdsaDer(r + n, s),
      ecdsaDer(r, s + n),
      ecdsaDer(n, s),
      ecdsaDer(r, n),
      ecdsaDer(-r, s),
      ecdsaDer(r, -s),
      ecdsaDer(s, r),
      der.sequence(der.integer(r)),
      der.sequence(der.integer(r), der.integer(s), der.null()),
      der.set(der.integer(r), der.integer(s)),
      Uint8Array.of(...good, 0),
      good.subarray(0, -1),
      Uint8Array.of(0x30, 0x80, ...good.subarray(2), 0, 0),
      der.sequence(der.tlv(2, Uint8Array.of(0, 0, ...toBytes(r, curve.width))), der.integer(s)),
      new Uint8Array(1_000_000),
      new Uint8Array(good.length),
    ];
    for (const signature of wrong) {
      expect(verifySignature(key, message, signature)).toBe(false);
      expect(verifyDigest(key, defaultAlgorithm, digest, signature)).toBe(false);
    }
  });
});

test("by digest, here and on the pool, and by message P-256 gives one answer, and @noble/curves the same", async () => {
  const { secretKey } = p256.keygen();
  const point = p256.getPublicKey(secretKey, false);
  const key = parsePublicKey(ecSpki(P256.oid, point), "key");
  const raw = { prehash: false, lowS: false, format: "der" } as const;
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 40 }),
      fc.option(fc.tuple(fc.nat(), fc.nat(7))),
      async (text, mutation) => {
        const digest = hash("sha256", text);
        const signature = p256.sign(digest, secretKey, raw);
        if (mutation !== null) signature[mutation[0] % signature.length]! ^= 1 << mutation[1];
        const expected = verifySignature(key, text, signature);
        expect(expected).toBe(mutation === null);
        expect(verifyDigest(key, "sha256", digest, signature)).toBe(expected);
        expect(await verifyDigestAside(key, "sha256", digest, signature)).toBe(expected);
      },
    ),
    { numRuns: 60 },
  );
});

describe("RSA", () => {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = parsePublicKey(Uint8Array.from(pair.publicKey.export({ type: "spki", format: "der" })), "key");
  const digest = hash("sha256", message);
  const info = hexConcat("3031300d060960864801650304020105000420", digest);
  const encrypt = (encoded: Uint8Array) => Uint8Array.from(rawRsa(pair.privateKey, encoded));

  test("every hash, by message and by digest", () => {
    for (const h of hashes) {
      const signature = Uint8Array.from(sign(h, message, pair.privateKey));
      expect(verifySignature(key, message, signature, h)).toBe(true);
      expect(verifyDigest(key, h, hash(h, message), signature)).toBe(true);
      expect(verifyDigest(key, h === "sha256" ? "sha512" : "sha256", hash(h, message), signature)).toBe(false);
    }
  });

  test("the hand-made block is the one OpenSSL makes", () => {
    expect(encrypt(block(info))).toEqual(Uint8Array.from(sign("sha256", message, pair.privateKey)));
  });

  test.for([
    ["DigestInfo without NULL", block(hexConcat("302f300b06096086480165030402010420", digest))],
    ["the digest of another hash's DigestInfo", block(hexConcat("3031300d060960864801650304020205000420", digest))],
    ["the bare digest", block(digest)],
    ["garbage after the digest", garbageAfter(info)],
    ["block type 2", block(info, 2)],
    ["padding that is not ff", block(info, 1, 0xfe)],
    ["no leading zero", block(info).with(0, 1)],
    ["a digest with trailing zero", block(hexConcat("3031300d060960864801650304020105000420", digest, [0]))],
  ] as const)("%s is refused", ([, encoded]) => {
    let signature: Uint8Array;
    try {
      signature = encrypt(encoded);
    } catch {
      return; // not below the modulus, so no signature has it
    }
    expect(verifySignature(key, message, signature)).toBe(false);
    expect(verifyDigest(key, "sha256", digest, signature)).toBe(false);
  });

  test("a signature that is not as long as the modulus, or not below it", () => {
    const signature = Uint8Array.from(sign("sha256", message, pair.privateKey));
    for (const wrong of [Uint8Array.of(0, ...signature), signature.subarray(1), new Uint8Array(256).fill(255)]) {
      expect(verifySignature(key, message, wrong)).toBe(false);
      expect(verifyDigest(key, "sha256", digest, wrong)).toBe(false);
    }
  });

  test("PSS is another scheme", () => {
    const pss = sign("sha256", message, { key: pair.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING });
    expect(verifySignature(key, message, Uint8Array.from(pss))).toBe(false);
    expect(verifyDigest(key, "sha256", digest, Uint8Array.from(pss))).toBe(false);
  });
});

describe("Ed25519", () => {
  test("RFC 8032, Section 7.3: Ed25519ph of abc", () => {
    const key = ed25519Key("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
    const signature = Uint8Array.fromHex(
      "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
    );
    expect(verifyDigest(key, "sha512", sha512(utf8("abc")), signature)).toBe(true);
    expect(verifyDigest(key, "sha512", sha512(utf8("abd")), signature)).toBe(false);
    expect(verifySignature(key, utf8("abc"), signature)).toBe(false);
  });

  test("what @noble/curves signs prehashed is verified, and pure is not taken for it", () => {
    const { secretKey, publicKey } = ed25519ph.keygen();
    const key = ed25519Key(publicKey.toHex());
    const digest = sha512(message);
    const signature = ed25519ph.sign(message, secretKey);
    expect(verifyDigest(key, "sha512", digest, signature)).toBe(true);
    expect(verifyDigest(key, "sha512", digest, flip(signature))).toBe(false);
    expect(verifyDigest(key, "sha512", digest, flip(signature, 0))).toBe(false);
    expect(verifyDigest(key, "sha512", digest, signature.subarray(1))).toBe(false);
    expect(verifyDigest(key, "sha256", hash("sha256", message), signature)).toBe(false);
    expect(verifyDigest(key, "sha512", digest, ed25519.sign(digest, secretKey))).toBe(false);
    expect(verifySignature(key, message, ed25519.sign(message, secretKey))).toBe(true);
    expect(verifySignatureP1363(key, message, ed25519.sign(message, secretKey))).toBe(false);
  });

  test("S is below the order: S + L is a second spelling", () => {
    const { secretKey, publicKey } = ed25519ph.keygen();
    const signature = ed25519ph.sign(message, secretKey);
    const s = toBigInt(signature.subarray(32).toReversed()) + ed25519.Point.Fn.ORDER;
    const again = Uint8Array.of(...signature.subarray(0, 32), ...toBytes(s, 32).toReversed());
    expect(verifyDigest(ed25519Key(publicKey.toHex()), "sha512", sha512(message), again)).toBe(false);
  });

  test("our equation with an empty prefix is OpenSSL's Ed25519, for good and bad signatures", () => {
    const { secretKey, publicKey } = ed25519.keygen();
    const key = ed25519Key(publicKey.toHex());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.option(fc.tuple(fc.nat(63), fc.nat(7))), (text, mutation) => {
        const signature = ed25519.sign(text, secretKey);
        if (mutation !== null) signature[mutation[0]]! ^= 1 << mutation[1];
        expect(verifyEd25519(publicKey, text, signature)).toBe(verifySignature(key, text, signature));
      }),
      { numRuns: 30 },
    );
  });

  test("a signature whose R is of small order is refused, by OpenSSL as by us", () => {
    // With S = k·a and R the identity the equation holds: 0 = S·B − k·A.
    const { secretKey, publicKey } = ed25519.keygen();
    const { scalar } = ed25519.utils.getExtendedPublicKey(secretKey);
    const identity = ed25519.Point.ZERO.toBytes();
    const k = toBigInt(createHash("sha512").update(identity).update(publicKey).update(message).digest().toReversed());
    const s = (k * scalar) % ed25519.Point.Fn.ORDER;
    const signature = Uint8Array.of(...identity, ...toBytes(s, 32).toReversed());
    expect(verifyEd25519(publicKey, message, signature)).toBe(false);
    expect(verifySignature(ed25519Key(publicKey.toHex()), message, signature)).toBe(false);
  });
});

describe.skipIf(!hasOpenssl())("the openssl command, given the digest alone, agrees (skipped without it)", () => {
  test.for(["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048"] as const)("%s", async (algorithm) => {
    const signer = ephemeralSigner(algorithm);
    const h = defaultHash(algorithm);
    const digest = hash(h, message);
    const signature = await signer.sign(message);
    for (const candidate of [signature, flip(signature, signature.length - 2)]) {
      const answer = opensslVerifies(signer.publicKey.keyObject, h, digest, candidate);
      expect(verifyDigest(signer.publicKey, h, digest, candidate)).toBe(answer);
      expect(await verifyDigestAside(signer.publicKey, h, digest, candidate)).toBe(answer);
    }
  });
});

/** EMSA-PKCS1-v1_5 for 2048 bits, with whatever stands in for DigestInfo. */
function block(tail: Uint8Array, type = 1, fill = 0xff): Uint8Array {
  return Uint8Array.of(0, type, ...new Uint8Array(256 - 3 - tail.length).fill(fill), 0, ...tail);
}

/** Bleichenbacher 2006: eight octets of padding, and the forger's garbage where nobody looks. */
function garbageAfter(tail: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(256).fill(0x5a);
  encoded.set(Uint8Array.of(0, 1, ...new Uint8Array(8).fill(0xff), 0, ...tail));
  return encoded;
}

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function opensslVerifies(key: KeyObject, h: HashAlgorithm, digest: Uint8Array, signature: Uint8Array): boolean {
  const folder = mkdtempSync(join(tmpdir(), "verify-"));
  try {
    writeFileSync(join(folder, "key.pem"), key.export({ type: "spki", format: "pem" }));
    writeFileSync(join(folder, "digest"), digest);
    writeFileSync(join(folder, "signature"), signature);
    const inputs = ["-pubin", "-inkey", "key.pem", "-in", "digest", "-sigfile", "signature", "-pkeyopt", `digest:${h}`];
    execFileSync("openssl", ["pkeyutl", "-verify", ...inputs], { cwd: folder, stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function ed25519Key(publicKey: string) {
  return parsePublicKey(ed25519Spki(Uint8Array.fromHex(publicKey)), "key");
}

function integers(signature: Uint8Array): [bigint, bigint] {
  const sequence = new DerReader(signature, "signature").sequence();
  return [sequence.integer(), sequence.integer()];
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [power, base] = [1n, value % modulus];
  for (let exponent = modulus - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) power = (power * base) % modulus;
    base = (base * base) % modulus;
  }
  return power;
}

function rawRsa(key: KeyObject, encoded: Uint8Array): Uint8Array {
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
}

function hexConcat(prefix: string, ...tails: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return concatBytes(Uint8Array.fromHex(prefix), ...tails.map((tail) => Uint8Array.from(tail)));
}
