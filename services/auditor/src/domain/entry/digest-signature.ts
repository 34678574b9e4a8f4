import {
  constants,
  createECDH,
  createPublicKey,
  hash as digestOf,
  type KeyObject,
  publicDecrypt,
  verify,
} from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { concatBytes, DerReader, utf8 } from "@chancery/encoding";

export type HashName = "sha256" | "sha384" | "sha512";

const CURVES = { prime256v1: p256, secp384r1: p384, secp521r1: p521 } as const;

/**
 * Whether a signature holds over something of which only the digest is known, as in a hashedrekord. OpenSSL always hashes
 * first, so each algorithm goes another way.
 */
export function isDigestSigned(key: KeyObject, hash: HashName, digest: Uint8Array, signature: Uint8Array): boolean {
  switch (key.asymmetricKeyType) {
    case "ec":
      return isEcdsaSigned(key, digest, signature);
    case "rsa":
      return isRsaSigned(key, hash, digest, signature);
    case "ed25519":
      return hash === "sha512" && isEd25519phSigned(key, digest, signature);
    default:
      return false;
  }
}

/**
 * The equation of ECDSA is `s⁻¹(e·G + r·Q)`. With Q moved by `((e − e₀) / r)·G`, where e₀ is the hash of the empty message,
 * it is that of the empty message, which OpenSSL can be asked for.
 */
function isEcdsaSigned(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const name = key.asymmetricKeyDetails?.namedCurve;
  if (name !== "prime256v1" && name !== "secp384r1" && name !== "secp521r1") return false;
  const { Point } = CURVES[name];
  const { Fn } = Point;
  const spki = key.export({ type: "spki", format: "der" });
  const width = 2 * Point.Fp.BYTES + 1;
  let r: bigint;
  try {
    r = new DerReader(signature, "signature").sequence().integer();
  } catch {
    return false;
  }
  if (r <= 0n || r >= Fn.ORDER) return false;
  const shift = Fn.div(
    Fn.create(numberOf(digest, Fn.BITS) - numberOf(digestOf("sha256", "", "buffer"), Fn.BITS)),
    Fn.create(r),
  );
  const moved = Point.fromBytes(spki.subarray(-width)).add(multipleOfBase(name, shift));
  if (moved.is0())
    return CURVES[name].verify(signature, digest, spki.subarray(-width), {
      prehash: false,
      lowS: false,
      format: "der",
    });
  const there = Buffer.concat([spki.subarray(0, spki.length - width), moved.toBytes(false)]);
  return verify("sha256", new Uint8Array(), createPublicKey({ key: there, format: "der", type: "spki" }), signature);
}

/** As a private key's public half: a tenth of the time that the same takes here. */
function multipleOfBase(name: keyof typeof CURVES, scalar: bigint) {
  const { Point } = CURVES[name];
  if (scalar === 0n) return Point.ZERO;
  const agreement = createECDH(name);
  agreement.setPrivateKey(Point.Fn.toBytes(scalar));
  return Point.fromBytes(agreement.getPublicKey());
}

/** FIPS 186-5, Section 6.4.2: the leftmost bits of a digest, as many as the order has. */
function numberOf(digest: Uint8Array, bits: number): bigint {
  const excess = Math.max(0, digest.length * 8 - bits);
  return BigInt(`0x${digest.toHex() || "0"}`) >> BigInt(excess);
}

/** DigestInfo of RFC 8017, Section 9.2, up to the digest. */
const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

/** RFC 8017, Section 8.2.2: what the signature opens to is compared whole with what it must be. */
function isRsaSigned(key: KeyObject, hash: HashName, digest: Uint8Array, signature: Uint8Array): boolean {
  const length = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  if (signature.length !== length) return false;
  const end = concatBytes(Uint8Array.of(0), Uint8Array.fromHex(DIGEST_INFO[hash]), digest);
  const expected = concatBytes(Uint8Array.of(0, 1), new Uint8Array(length - 2 - end.length).fill(0xff), end);
  try {
    return Buffer.compare(publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature), expected) === 0;
  } catch {
    return false;
  }
}

const DOM2 = concatBytes(utf8("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1, 0));

/** RFC 8032, Section 5.1.7, with the hash of the message in its place: S·B = R + k·A. */
function isEd25519phSigned(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const { Point } = ed25519;
  const a = key.export({ type: "spki", format: "der" }).subarray(-32);
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  if (s >= Point.Fn.ORDER) return false;
  const k = Point.Fn.create(littleEndian(digestOf("sha512", concatBytes(DOM2, r, a, digest), "buffer")));
  try {
    const right = Point.fromBytes(r).add(Point.fromBytes(a).multiplyUnsafe(k));
    return Point.BASE.multiplyUnsafe(s).equals(right);
  } catch {
    return false;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Uint8Array.from(bytes).toReversed().toHex()}`);
}
