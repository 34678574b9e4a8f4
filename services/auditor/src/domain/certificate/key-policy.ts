import { createPublicKey, type KeyObject } from "node:crypto";
import { DerReader } from "@chancery/encoding";

const CURVES: Readonly<Record<string, number>> = { prime256v1: 32, secp384r1: 48, secp521r1: 66 };

/** Every encoding of a point of small order on Curve25519: one signature of such a key verifies for any message. */
const SMALL_ORDER = new Set([
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]);

/** Product of the primes up to 751: the check of Boulder's good keys. */
const PRIMORIAL = primesTo(751).reduce((product, prime) => product * prime, 1n);

/** The key, or why nobody should sign with it. */
export function judgeKey(spki: Uint8Array): KeyObject | string {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch {
    return "is not a public key";
  }
  // OpenSSL reads more spellings of a key than one; Node 26 writes the one.
  if (Buffer.compare(key.export({ type: "spki", format: "der" }), spki) !== 0) return "is not canonical";
  return complaintOf(key, spki) ?? key;
}

function complaintOf(key: KeyObject, spki: Uint8Array): string | undefined {
  const { namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ec": {
      const width = CURVES[namedCurve];
      if (width === undefined) return `is on the curve ${namedCurve}`;
      const point = spki.subarray(-2 * width - 1);
      return point[0] === 4 ? undefined : "is not an uncompressed point";
    }
    case "ed25519":
      return SMALL_ORDER.has(spki.subarray(-32).toHex()) ? "is a point of small order" : undefined;
    case "rsa":
      return complaintOfRsa(spki);
    default:
      return `is of type ${key.asymmetricKeyType}`;
  }
}

/** RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */
function complaintOfRsa(spki: Uint8Array): string | undefined {
  const outer = new DerReader(spki, "key").sequence();
  outer.any();
  const key = new DerReader(outer.bitString().bytes, "key").sequence();
  const [modulus, exponent] = [key.integer(), key.integer()];
  const bits = modulus.toString(16).length * 4;
  if (![2048, 3072, 4096].includes(bits)) return `has ${bits} bits`;
  if (exponent !== 65_537n) return `has the exponent ${exponent}`;
  return commonDivisor(modulus, PRIMORIAL) === 1n ? undefined : "has a small factor";
}

function commonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function primesTo(most: number): bigint[] {
  const numbers = Array.from({ length: most - 1 }, (_, at) => at + 2);
  const isPrime = (n: number) => numbers.every((divisor) => divisor * divisor > n || n % divisor !== 0);
  return numbers.filter(isPrime).map(BigInt);
}
