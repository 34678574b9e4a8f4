import { createPublicKey, type KeyObject } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { DerReader } from "@chancery/encoding";

/** SubjectPublicKeyInfo of a named curve up to its uncompressed point; a curve by its parameters is another spelling. */
const EC_PREFIXES = [
  "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
  "3076301006072a8648ce3d020106052b8104002203620004",
  "30819b301006072a8648ce3d020106052b810400230381860004",
];

/** Product of the primes up to 751: the check of Boulder's good keys. */
const PRIMORIAL = primesTo(751).reduce((product, prime) => product * prime, 1n);

/** The key, or why nobody should sign with it. */
export function judgeKey(spki: Uint8Array): KeyObject | string {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    // OpenSSL reads more spellings of a key than one, and writes the one.
    if (Buffer.compare(key.export({ type: "spki", format: "der" }), spki) !== 0) return "is not canonical";
    return complaintOf(key, spki) ?? key;
  } catch {
    return "is not a public key";
  }
}

function complaintOf(key: KeyObject, spki: Uint8Array): string | undefined {
  switch (key.asymmetricKeyType) {
    case "ec":
      return EC_PREFIXES.some((prefix) => Buffer.from(spki).toString("hex").startsWith(prefix))
        ? undefined
        : "is not an uncompressed point of P-256, P-384 or P-521";
    case "ed25519":
      return complaintOfEd25519(spki.subarray(-32));
    case "rsa":
      return complaintOfRsa(spki);
    default:
      return `is of type ${key.asymmetricKeyType}`;
  }
}

/** One signature of a key of small order verifies for any message. A point that is not on the curve throws. */
function complaintOfEd25519(bytes: Uint8Array): string | undefined {
  return ed25519.Point.fromBytes(bytes).isSmallOrder() ? "is a point of small order" : undefined;
}

/** RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */
function complaintOfRsa(spki: Uint8Array): string | undefined {
  const outer = new DerReader(spki, "key").sequence();
  outer.any();
  const key = new DerReader(outer.bitString().bytes, "key").sequence();
  const [modulus, exponent] = [key.integer(), key.integer()];
  const bits = modulus.toString(2).length;
  if (![2048, 3072, 4096].includes(bits)) return `has ${bits} bits`;
  if (exponent !== 65_537n) return `has the exponent ${exponent}`;
  if (commonDivisor(modulus, PRIMORIAL) !== 1n) return "has a small factor";
  if (ROCA.every(({ prime, residues }) => residues.has(modulus % prime)))
    return "is one of a chip that drew weak primes";
  return hasCloseFactors(modulus) ? "has factors that lie side by side" : undefined;
}

/** CVE-2017-15361: modulo each small prime such a modulus is a power of 65537, which chance makes of one in 10^20. */
const ROCA = primesTo(167)
  .slice(1)
  .map((prime) => ({ prime, residues: powersOf(65_537n, prime) }));

function powersOf(base: bigint, modulus: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>();
  for (let power = 1n; !powers.has(power); power = (power * base) % modulus) powers.add(power);
  return powers;
}

/** Fermat's method, with Boulder's number of rounds: n = a² − b² with a just above the root. */
function hasCloseFactors(modulus: bigint): boolean {
  const root = squareRoot(modulus);
  let a = root * root === modulus ? root : root + 1n;
  for (let round = 0; round < 110; round++, a++) {
    const difference = a * a - modulus;
    const b = squareRoot(difference);
    if (b * b === difference) return true;
  }
  return false;
}

/** Newton's method, rounded down. */
function squareRoot(square: bigint): bigint {
  if (square < 2n) return square;
  let root = 1n << BigInt(Math.ceil(square.toString(2).length / 2));
  for (let next = (root + square / root) / 2n; next < root; next = (root + square / root) / 2n) root = next;
  return root;
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
