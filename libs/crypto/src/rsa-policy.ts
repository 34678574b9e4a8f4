/**
 * Why a modulus is not safe to sign with, or undefined. The tests are those of Boulder's goodkey package (CA/Browser
 * Forum Baseline Requirements, Section 6.1.6): keys that the owner alone should be able to use, and that anyone can.
 *
 * The size is the caller's matter.
 */
export function weaknessOfModulus(n: bigint): string | undefined {
  // 2 among them.
  if (hasSmallFactor(n)) return "the modulus has a small factor";
  if (isRoca(n)) return "the modulus was made by Infineon's vulnerable key generator (ROCA, CVE-2017-15361)";
  if (hasCloseFactors(n)) return "the factors of the modulus are too close together";
  return undefined;
}

/** Enough for every generator that has been seen to fail so; the Baseline Requirements ask for 100. */
const FERMAT_ROUNDS = 110;

const SMALL_PRIMES = primesUpTo(751);

/** The primes in groups whose product a double still holds: one long division of the modulus for six primes. */
const SMALL_PRIME_GROUPS = groupsBelow(SMALL_PRIMES, Number.MAX_SAFE_INTEGER);

function hasSmallFactor(n: bigint): boolean {
  return SMALL_PRIME_GROUPS.some(({ product, primes }) => {
    const residue = Number(n % product);
    return primes.some((prime) => residue % prime === 0);
  });
}

/**
 * M. Nemec et al., "The Return of Coppersmith's Attack", Section 4.3: the vulnerable library makes moduli that, modulo
 * each of these primes, lie in a small subgroup. The table of [subgroup exponent, prime] is
 * that of crocs-muni/roca; a modulus made otherwise passes all 17 with a chance of about 2^-28.
 */
const ROCA_FINGERPRINTS = (
  [
    [2, 11],
    [6, 13],
    [8, 17],
    [9, 19],
    [3, 37],
    [26, 53],
    [20, 61],
    [35, 71],
    [24, 73],
    [13, 79],
    [6, 97],
    [51, 103],
    [53, 107],
    [54, 109],
    [42, 127],
    [50, 151],
    [78, 157],
  ] as const
).map(([order, prime]) => ({
  prime: BigInt(prime),
  residues: new Set(Array.from({ length: prime }, (_, i) => i).filter((i) => modPow(i, order, prime) === 1)),
}));

function isRoca(n: bigint): boolean {
  return ROCA_FINGERPRINTS.every(({ prime, residues }) => residues.has(Number(n % prime)));
}

/**
 * Fermat's method: n = a² − b² = (a + b)(a − b), beginning where a + b and a − b are closest. It starts at the root
 * itself, so that the square of a prime is found too.
 */
function hasCloseFactors(n: bigint): boolean {
  let a = integerRoot(n);
  if (a * a < n) a += 1n;
  let bSquared = a * a - n;
  for (let round = 0; round < FERMAT_ROUNDS; round++) {
    if (isSquare(bSquared)) return true;
    bSquared += 2n * a + 1n;
    a += 1n;
  }
  return false;
}

/** Residues of squares: all but one number in a thousand are told apart without a root. */
const SQUARE_FILTERS = [9, 5, 7, 11, 13, 17, 19, 23, 29].map((modulus) => ({
  modulus,
  squares: new Set(Array.from({ length: modulus }, (_, i) => (i * i) % modulus)),
}));
const SQUARE_FILTER_PRODUCT = BigInt(SQUARE_FILTERS.reduce((product, { modulus }) => product * modulus, 1));
const SQUARES_MODULO_256 = new Set(Array.from({ length: 256 }, (_, i) => (i * i) % 256));

function isSquare(value: bigint): boolean {
  if (!SQUARES_MODULO_256.has(Number(value & 0xffn))) return false;
  const residue = Number(value % SQUARE_FILTER_PRODUCT);
  if (!SQUARE_FILTERS.every(({ modulus, squares }) => squares.has(residue % modulus))) return false;
  const root = integerRoot(value);
  return root * root === value;
}

/** ⌊√value⌋ by Newton's method from above. */
function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  const bits = value.toString(16).length * 4;
  // The root of the leading half, shifted back, is right in its upper half: one or two steps remain at each size.
  const shift = BigInt(bits < 104 ? 0 : (bits >> 2) & ~1);
  let root =
    shift === 0n
      ? BigInt(Math.ceil(Math.sqrt(Number(value)))) + 1n
      : (integerRoot(value >> (2n * shift)) + 1n) << shift;
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function primesUpTo(limit: number): number[] {
  const candidates = Array.from({ length: limit - 1 }, (_, i) => i + 2);
  return candidates.filter((n) => candidates.every((d) => d * d > n || n % d !== 0));
}

function groupsBelow(primes: readonly number[], bound: number): { product: bigint; primes: readonly number[] }[] {
  const groups: { product: number; primes: number[] }[] = [];
  for (const prime of primes) {
    const last = groups.at(-1);
    if (last === undefined || last.product * prime > bound) groups.push({ product: prime, primes: [prime] });
    else groups[groups.length - 1] = { product: last.product * prime, primes: [...last.primes, prime] };
  }
  return groups.map((group) => ({ product: BigInt(group.product), primes: group.primes }));
}

function modPow(base: number, exponent: number, modulus: number): number {
  let power = 1 % modulus;
  for (let i = 0; i < exponent; i++) power = (power * base) % modulus;
  return power;
}
