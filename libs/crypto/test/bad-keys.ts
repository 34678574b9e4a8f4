import { p256 } from "@noble/curves/nist.js";
import { concatBytes, der, encodePem } from "@chancery/encoding";
import { InsecureKey, Malformed, Unsupported } from "@chancery/fault";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { P256, P384 } from "../src/curve.ts";
import {
  differenceOfSquares,
  ecSpki,
  ed25519Spki,
  OID,
  p256Spki,
  rocaModulus,
  roughNumber,
  rsaSpki,
  spki,
} from "./spki.ts";

export const spkiBytes = (key: KeyObject) => Uint8Array.from(key.export({ type: "spki", format: "der" }));
const ec = (namedCurve: string, paramEncoding: "named" | "explicit" = "named") =>
  spkiBytes(generateKeyPairSync("ec", { namedCurve, paramEncoding }).publicKey);
export const hex = (text: string) => Uint8Array.fromHex(text);

export const GOOD_KEYS = {
  "ecdsa-p256": ec("P-256"),
  "ecdsa-p384": ec("P-384"),
  "ecdsa-p521": ec("P-521"),
  ed25519: spkiBytes(generateKeyPairSync("ed25519").publicKey),
  "rsa-2048": spkiBytes(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey),
  "rsa-3072": rsaSpki(roughNumber(3072, 0x123456789n), 65_537n),
  "rsa-4096": rsaSpki(roughNumber(4096, 0x987654321n), 65_537n),
};

// A point with a small x, so that x + p still fits 32 octets.
const smallX = (() => {
  const { p, b } = P256;
  for (let x = 1n; ; x++) {
    const square = ((((x * x - 3n) * x + b) % p) + p) % p;
    const y = rootOrUndefined(square);
    if (y !== undefined) return { x, y };
  }
})();

function rootOrUndefined(square: bigint): bigint | undefined {
  try {
    return p256.Point.Fp.sqrt(square);
  } catch {
    return undefined;
  }
}

const point = GOOD_KEYS["ecdsa-p256"].subarray(-64);
const [x, y] = [point.subarray(0, 32), point.subarray(32)];
const withForm = (form: number, ...coordinates: readonly Uint8Array[]) =>
  ecSpki(P256.oid, concatBytes(Uint8Array.of(form), ...coordinates));
const n2048 = roughNumber(2048, 0xabcdefn);
const ed = GOOD_KEYS.ed25519.subarray(-32);
export const yOfSize = (value: bigint, sign = 0) => {
  const bytes = hex(value.toString(16).padStart(64, "0")).toReversed();
  return bytes.with(31, bytes[31]! | (sign << 7));
};
export const p25519 = 2n ** 255n - 19n;
const rsaBits = (bits: number) => rsaSpki(roughNumber(bits, 77n), 65_537n);
const flipTag = (bytes: Uint8Array, at: number, octet: number) => bytes.with(at, octet);

/** Each with the class of the fault it is refused by, wherever a stranger can hand in a key. */
export const BAD_KEYS: readonly (readonly [
  string,
  Uint8Array,
  typeof InsecureKey | typeof Malformed | typeof Unsupported,
])[] = [
  // Curves
  ["P-192", ec("prime192v1"), InsecureKey],
  ["P-224", ec("secp224r1"), InsecureKey],
  ["secp256k1", ec("secp256k1"), InsecureKey],
  ["brainpoolP256r1", ec("brainpoolP256r1"), InsecureKey],
  ["brainpoolP384r1", ec("brainpoolP384r1"), InsecureKey],
  ["sect283k1", ec("sect283k1"), InsecureKey],
  ["explicit P-256 parameters", ec("P-256", "explicit"), InsecureKey],
  ["explicit P-384 parameters", ec("P-384", "explicit"), InsecureKey],
  ["explicit P-521 parameters", ec("P-521", "explicit"), InsecureKey],
  ["no curve", spki(OID.ec, [], GOOD_KEYS["ecdsa-p256"].subarray(-65)), InsecureKey],
  ["an implicit curve (NULL)", spki(OID.ec, [der.null()], GOOD_KEYS["ecdsa-p256"].subarray(-65)), InsecureKey],
  [
    "something after the curve",
    spki(OID.ec, [der.oid(P256.oid), der.null()], GOOD_KEYS["ecdsa-p256"].subarray(-65)),
    Malformed,
  ],
  ["P-256 under P-384's name", ecSpki(P384.oid, GOOD_KEYS["ecdsa-p256"].subarray(-65)), Malformed],
  ["ECDH only", spki(OID.ecdh, [der.oid(P256.oid)], GOOD_KEYS["ecdsa-p256"].subarray(-65)), InsecureKey],
  // Points
  ["compressed, even", withForm(2, x), InsecureKey],
  ["compressed, odd", withForm(3, x), InsecureKey],
  ["hybrid, even", withForm(6, x, y), InsecureKey],
  ["hybrid, odd", withForm(7, x, y), InsecureKey],
  ["infinity", withForm(0), InsecureKey],
  ["infinity, padded", withForm(0, x, y), InsecureKey],
  ["form 5", withForm(5, x, y), Malformed],
  ["no point", ecSpki(P256.oid, new Uint8Array()), Malformed],
  ["a point cut short", withForm(4, x, y.subarray(1)), Malformed],
  ["a point with more", withForm(4, x, y, Uint8Array.of(0)), Malformed],
  ["off the curve", withForm(4, x, y.with(31, y[31]! ^ 1)), InsecureKey],
  ["x and y exchanged", withForm(4, y, x), InsecureKey],
  ["the origin", p256Spki(0n, 0n), InsecureKey],
  ["x + p for x", p256Spki(smallX.x + P256.p, smallX.y), InsecureKey],
  ["coordinates of all ones", withForm(4, new Uint8Array(64).fill(255)), InsecureKey],
  ["off P-384", flipTag(GOOD_KEYS["ecdsa-p384"], 119, GOOD_KEYS["ecdsa-p384"][119]! ^ 1), InsecureKey],
  ["off P-521", flipTag(GOOD_KEYS["ecdsa-p521"], 157, GOOD_KEYS["ecdsa-p521"][157]! ^ 1), InsecureKey],
  // RSA sizes
  ["RSA 1024", rsaBits(1024), InsecureKey],
  ["RSA 2047", rsaBits(2047), InsecureKey],
  ["RSA 2049", rsaBits(2049), InsecureKey],
  ["RSA 2056", rsaBits(2056), InsecureKey],
  ["RSA 8192", rsaBits(8192), InsecureKey],
  ["RSA 16384", rsaBits(16_384), InsecureKey],
  ["a modulus of 0", rsaSpki(0n, 65_537n), InsecureKey],
  ["a negative modulus", rsaSpki(-n2048, 65_537n), InsecureKey],
  // RSA exponents
  ["e = 0", rsaSpki(n2048, 0n), InsecureKey],
  ["e = 1", rsaSpki(n2048, 1n), InsecureKey],
  ["e = 2", rsaSpki(n2048, 2n), InsecureKey],
  ["e = 3", rsaSpki(n2048, 3n), InsecureKey],
  ["e = 17", rsaSpki(n2048, 17n), InsecureKey],
  ["e = 65536", rsaSpki(n2048, 65_536n), InsecureKey],
  ["e = 65539", rsaSpki(n2048, 65_539n), InsecureKey],
  ["e = -65537", rsaSpki(n2048, -65_537n), InsecureKey],
  ["e of 2048 bits", rsaSpki(n2048, n2048 - 2n), InsecureKey],
  // RSA moduli
  ["an even modulus", rsaSpki(n2048 + 1n, 65_537n), InsecureKey],
  ["a factor 3", rsaSpki(3n * roughNumber(2047, 5n) - 3n * 2n ** 2046n, 65_537n), InsecureKey],
  ["a factor 751", rsaSpki((751n * (2n ** 2047n / 751n + 2n)) | 1n, 65_537n), InsecureKey],
  ["ROCA 2048", rsaSpki(rocaModulus(2048), 65_537n), InsecureKey],
  ["ROCA 4096", rsaSpki(rocaModulus(4096), 65_537n), InsecureKey],
  ["factors that are twins", rsaSpki(differenceOfSquares(2048, 2), 65_537n), InsecureKey],
  ["factors found in round 110", rsaSpki(differenceOfSquares(2048, 110), 65_537n), InsecureKey],
  ["a square", rsaSpki(roughNumber(1024, 9n) ** 2n, 65_537n), InsecureKey],
  // RSA encodings
  ["RSA without parameters", rsaSpki(n2048, 65_537n, []), Malformed],
  ["RSA with parameters", rsaSpki(n2048, 65_537n, [der.oid(P256.oid)]), Malformed],
  ["RSA with two NULLs", rsaSpki(n2048, 65_537n, [der.null(), der.null()]), Malformed],
  [
    "a third INTEGER",
    spki(OID.rsa, [der.null()], der.sequence(der.integer(n2048), der.integer(65_537), der.integer(1))),
    Malformed,
  ],
  [
    "bytes after RSAPublicKey",
    spki(OID.rsa, [der.null()], concatBytes(der.sequence(der.integer(n2048), der.integer(65_537)), der.null())),
    Malformed,
  ],
  [
    "a padded modulus",
    spki(
      OID.rsa,
      [der.null()],
      der.sequence(der.tlv(2, concatBytes(new Uint8Array(2), hex(n2048.toString(16)))), der.integer(65_537)),
    ),
    Malformed,
  ],
  [
    "a padded exponent",
    spki(OID.rsa, [der.null()], der.sequence(der.integer(n2048), der.tlv(2, hex("00010001")))),
    Malformed,
  ],
  // Other types
  ["RSA-PSS", spkiBytes(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey), InsecureKey],
  ["DSA", spki(OID.dsa, [der.sequence(der.integer(23), der.integer(11), der.integer(2))], der.integer(4)), InsecureKey],
  ["Diffie-Hellman", spki(OID.dh, [der.sequence(der.integer(23), der.integer(5))], der.integer(8)), InsecureKey],
  ["X25519", spkiBytes(generateKeyPairSync("x25519").publicKey), InsecureKey],
  ["X448", spkiBytes(generateKeyPairSync("x448").publicKey), InsecureKey],
  ["Ed448", spkiBytes(generateKeyPairSync("ed448").publicKey), InsecureKey],
  ["ML-DSA-44", spkiBytes(generateKeyPairSync("ml-dsa-44").publicKey), Unsupported],
  ["an unknown algorithm", spki("1.2.3.4", [], new Uint8Array(32)), Unsupported],
  // Ed25519
  ["Ed25519 with parameters", spki(OID.ed25519, [der.null()], ed), Malformed],
  ["Ed25519 of 31 octets", ed25519Spki(ed.subarray(1)), Malformed],
  ["Ed25519 of 33 octets", ed25519Spki(concatBytes(ed, Uint8Array.of(0))), Malformed],
  ["an Ed25519 y that has no x", ed25519Spki(yOfSize(2n)), InsecureKey],
  ["y = p + 3, of large order", ed25519Spki(yOfSize(p25519 + 3n)), InsecureKey],
  ["y of all ones", ed25519Spki(new Uint8Array(32).fill(255)), InsecureKey],
  // Encodings
  ["nothing", new Uint8Array(), Malformed],
  ["trailing bytes", concatBytes(GOOD_KEYS["ecdsa-p256"], Uint8Array.of(0)), Malformed],
  ["trailing bytes after RSA", concatBytes(GOOD_KEYS["rsa-2048"], Uint8Array.of(0)), Malformed],
  ["cut short", GOOD_KEYS["ecdsa-p256"].subarray(0, 90), Malformed],
  ["RSA cut short", GOOD_KEYS["rsa-2048"].subarray(0, 200), Malformed],
  ["a length of two octets for 89", concatBytes(hex("308159"), GOOD_KEYS["ecdsa-p256"].subarray(2)), Malformed],
  ["an indefinite length", concatBytes(hex("3080"), GOOD_KEYS["ecdsa-p256"].subarray(2), hex("0000")), Malformed],
  ["unused bits", flipTag(GOOD_KEYS["ecdsa-p256"], 25, 1), Malformed],
  ["a certificate's tag", flipTag(GOOD_KEYS["ecdsa-p256"], 0, 0x31), Malformed],
  ["a bare point", GOOD_KEYS["ecdsa-p256"].subarray(-65), Malformed],
  ["text", new TextEncoder().encode(encodePem("PUBLIC KEY", GOOD_KEYS["ecdsa-p256"])), Malformed],
];
