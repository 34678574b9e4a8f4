import { p256 } from "@noble/curves/nist.js";
import { der } from "@chancery/encoding";
import { describe, expect, test } from "vitest";
import { P256, toBigInt } from "../src/curve.ts";
import { DigestThread } from "../src/digest-thread.ts";
import { type SignedDigest, verifyEcdsaDigests } from "../src/ecdsa-digest.ts";
import { packDigests, unpackDigests } from "../src/packed-digests.ts";
import { hash, sha256 } from "../src/sha.ts";
import { ecSpki, toBytes } from "./spki.ts";

const RAW = { prehash: false, lowS: false, format: "der" } as const;
const ecdsaDer = (r: bigint, s: bigint) => der.sequence(der.integer(r), der.integer(s));

interface Judged extends SignedDigest {
  readonly holds: boolean;
}

/** What @noble/curves says, of every kind of signature that a batch may hold, more than go in one message. */
const batch: readonly Judged[] = Array.from({ length: 120 }, (_, at) => {
  const { secretKey } = p256.keygen();
  const point = p256.getPublicKey(secretKey, false);
  const spki = ecSpki(P256.oid, point);
  const signed = at % 3 === 0 ? fittedToTheKey(secretKey, at) : ordinary(secretKey, at);
  const holds = signed.signature.length <= 139 && holdsByNoble(signed, point);
  return { ...signed, spki, holds };
});

function ordinary(secretKey: Uint8Array, at: number) {
  const digest = hash((["sha256", "sha384", "sha512"] as const)[at % 4] ?? "sha256", Uint8Array.of(at));
  const signature = p256.sign(digest, secretKey, RAW);
  const wrong = [
    signature,
    signature.with(10, signature[10]! ^ 1),
    new Uint8Array(),
    new Uint8Array(200),
    ecdsaDer(0n, 1n),
    ecdsaDer(P256.n, 1n),
    signature,
  ];
  return { digest, signature: wrong[at % wrong.length]! };
}

/** The signer's choice of a digest for which moved key and key are equal or opposite points, or one and the same key. */
function fittedToTheKey(secretKey: Uint8Array, at: number) {
  const d = toBigInt(secretKey);
  const k = 0x1234567n + BigInt(at);
  const { n } = P256;
  const r = p256.Point.BASE.multiply(k).toAffine().x % n;
  const empty = toBigInt(sha256(new Uint8Array()));
  const e = ((([empty + r * d, empty - r * d, empty][(at / 3) % 3] ?? 0n) % n) + n) % n;
  const s = (((e + r * d) % n) * p256.Point.Fn.inv(k)) % n;
  return { digest: toBytes(e, 32), signature: ecdsaDer(r, at % 2 === 0 ? s : s + 1n) };
}

function holdsByNoble({ digest, signature }: { digest: Uint8Array; signature: Uint8Array }, point: Uint8Array) {
  try {
    return p256.verify(signature, digest, point, RAW);
  } catch {
    return false;
  }
}

const expected = batch.map(({ holds }) => holds);

test("the batch has what holds and what does not", () => {
  expect(new Set(expected)).toEqual(new Set([true, false]));
});

test("signatures that share their inversions are each judged by themselves", () => {
  expect(verifyEcdsaDigests(P256, batch)).toEqual(expected);
  expect(verifyEcdsaDigests(P256, batch.toReversed())).toEqual(expected.toReversed());
  expect(verifyEcdsaDigests(P256, [])).toEqual([]);
});

test("what goes to a thread comes out as it was", () => {
  const sent = batch.map(({ spki, digest, signature }) => ({ spki, digest, signature }));
  const short = sent.filter(({ signature }) => signature.length <= 139);
  expect(unpackDigests(packDigests(short))).toEqual(short);
});

describe("a thread", () => {
  test("gives each of many who ask at once the own answer", async () => {
    const thread = new DigestThread();
    const answers = await Promise.all(batch.map((signed) => thread.verify(signed)));
    expect(answers).toEqual(expected);
    for (const signed of batch.slice(0, 5)) expect(await thread.verify(signed)).toBe(signed.holds);
  });

  test.for([
    ["at once", "process.exit(1)"],
    ["by a fault", "throw new Error('broken')"],
    ["with its first batch", "parentPort.once('message', () => process.exit())"],
  ])("that ends %s leaves nobody without the right answer", async ([, program]) => {
    const module = `import { parentPort } from "node:worker_threads"; ${program}`;
    const thread = new DigestThread(new URL(`data:text/javascript,${encodeURIComponent(module)}`));
    for (let round = 0; round < 2; round++) {
      expect(await Promise.all(batch.map((signed) => thread.verify(signed)))).toEqual(expected);
    }
  });
});
