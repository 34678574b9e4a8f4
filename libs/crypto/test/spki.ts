import { der } from "@chancery/encoding";
import { P256, toHex } from "../src/curve.ts";

/** Public keys that no honest generator makes, written by hand. */

export const OID = {
  rsa: "1.2.840.113549.1.1.1",
  rsaPss: "1.2.840.113549.1.1.10",
  ec: "1.2.840.10045.2.1",
  ecdh: "1.3.132.1.12",
  dsa: "1.2.840.10040.4.1",
  dh: "1.2.840.113549.1.3.1",
  ed25519: "1.3.101.112",
};

export function toBytes(value: bigint, width: number): Uint8Array {
  return Uint8Array.fromHex(toHex(value, width));
}

export function rsaSpki(n: bigint, e: bigint, parameters: readonly Uint8Array[] = [der.null()]): Uint8Array {
  return spki(OID.rsa, parameters, der.sequence(der.integer(n), der.integer(e)));
}

export function ecSpki(curveOid: string, point: Uint8Array): Uint8Array {
  return spki(OID.ec, [der.oid(curveOid)], point);
}

export function p256Spki(x: bigint, y: bigint): Uint8Array {
  return ecSpki(P256.oid, Uint8Array.of(4, ...toBytes(x, 32), ...toBytes(y, 32)));
}

export function ed25519Spki(key: Uint8Array): Uint8Array {
  return spki(OID.ed25519, [], key);
}

export function spki(algorithm: string, parameters: readonly Uint8Array[], key: Uint8Array): Uint8Array {
  return der.sequence(der.sequence(der.oid(algorithm), ...parameters), der.bitString(key));
}

export const PRIMES = Array.from({ length: 750 }, (_, i) => i + 2).filter((n) =>
  Array.from({ length: n }, (_, d) => d).every((d) => d < 2 || n % d !== 0),
);

/** Odd, without a small factor, of exactly so many bits; deterministic. */
export function roughNumber(bits: number, seed: bigint): bigint {
  let n = (1n << BigInt(bits - 1)) | (1n << BigInt(bits - 2)) | seed | 1n;
  while (PRIMES.some((prime) => n % BigInt(prime) === 0n)) n += 2n;
  return n;
}

/** As the vulnerable library makes its moduli: a power of 65537 modulo a primorial, plus a multiple of it. */
export function rocaModulus(bits: number): bigint {
  const primorial = PRIMES.reduce((product, prime) => product * BigInt(prime), 1n);
  const multiple = (1n << BigInt(bits - 1)) / primorial + 12_345n;
  return multiple * primorial + (65_537n ** 1_000n % primorial);
}

/** a² − b² with a = ⌈√n⌉ + rounds − 1: Fermat's method factors it in that round, and not before. */
export function differenceOfSquares(bits: number, rounds: number): bigint {
  for (let a = roughNumber(bits / 2, 0n); ; a += 1n) {
    // n lies just above (a − rounds)², so that a − rounds + 1 is its root, rounded up.
    const b = root(a * a - (a - BigInt(rounds)) ** 2n - 1n);
    const n = a * a - b * b;
    const found = root(n) === a - BigInt(rounds) && root(n) ** 2n !== n;
    if (found && !PRIMES.some((prime) => n % BigInt(prime) === 0n)) return n;
  }
}

/** Fermat's method as the books have it, without a filter: the round that factors n, within 200. */
export function fermatRounds(n: bigint): number | undefined {
  const floor = root(n);
  const start = floor * floor === n ? floor : floor + 1n;
  for (let round = 1; round <= 200; round++) {
    const a = start + BigInt(round - 1);
    const rest = a * a - n;
    if (root(rest) ** 2n === rest) return round;
  }
  return undefined;
}

/** ⌊√n⌋ by bisection. */
export function root(n: bigint): bigint {
  let [low, high] = [0n, 1n << BigInt(Math.ceil(n.toString(2).length / 2) + 1)];
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle * middle <= n) low = middle;
    else high = middle;
  }
  return low;
}
