import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InsecureKey } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import {
  hash,
  type HashAlgorithm,
  parsePublicKey,
  type PublicKey,
  verifyDigest,
  verifySignature,
  verifySignatureP1363,
} from "../src/index.ts";

/**
 * Project Wycheproof's vectors for what signs checkpoints and entries, where somebody has them: `WYCHEPROOF` is the
 * folder `testvectors_v1` of a clone of github.com/C2SP/wycheproof.
 */
const FOLDER = process.env["WYCHEPROOF"];
const FILE =
  /^(ecdsa_secp256r1_sha256|ecdsa_secp384r1_sha384|ecdsa_secp521r1_sha512|rsa_signature_(2048|3072|4096)_sha256|ed25519)(_p1363)?_test\.json$/;

interface Vectors {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly sha?: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly sig: string;
      readonly result: "valid" | "invalid" | "acceptable";
    }[];
  }[];
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

/** Undefined for RSA with an exponent of 3, with which we verify nothing. */
function parsed(publicKeyDer: string): PublicKey | undefined {
  try {
    return parsePublicKey(bytes(publicKeyDer), "key");
  } catch (error) {
    if (error instanceof InsecureKey && error.message.includes("exponent")) return undefined;
    throw error;
  }
}

describe.skipIf(FOLDER === undefined)("Wycheproof (skipped without WYCHEPROOF)", () => {
  const files = FOLDER === undefined ? [] : readdirSync(FOLDER).filter((name) => FILE.test(name));

  test("is there", () => {
    expect(files.length).toBeGreaterThanOrEqual(8);
  });

  test.for(files)("%s", (name) => {
    const { testGroups } = JSON.parse(readFileSync(join(FOLDER ?? "", name), "utf8")) as Vectors;
    const wrong: string[] = [];
    for (const { publicKeyDer, sha, tests } of testGroups) {
      const key = parsed(publicKeyDer);
      if (key === undefined) continue;
      const algorithm = (sha ?? "SHA-512").replace("-", "").toLowerCase() as HashAlgorithm;
      for (const { tcId, comment, msg, sig, result } of tests) {
        const [message, signature] = [bytes(msg), bytes(sig)];
        const answers = name.includes("_p1363")
          ? [verifySignatureP1363(key, message, signature, algorithm)]
          : [verifySignature(key, message, signature, algorithm)];
        // Our own arithmetic, for who has the digest alone. Ed25519 has no such form.
        if (!name.includes("_p1363") && key.algorithm !== "ed25519") {
          answers.push(verifyDigest(key, algorithm, hash(algorithm, message), signature));
        }
        // "Acceptable" are BER forms of old PKCS #1: either answer is right, if both ways give the same.
        const fits =
          result === "acceptable" ? new Set(answers).size === 1 : answers.every((is) => is === (result === "valid"));
        if (!fits) wrong.push(`${tcId} ${comment}: ${result}, and not ${answers.join(" and ")}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
