import { createHash } from "node:crypto";
import { ephemeralSigner } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import { EMPTY_ROOT, verifyTreeHead } from "@chancery/tlog";
import { expect, test } from "vitest";
import { ctTreeHeadSigner } from "../src/domain/tree-head-signer.ts";

const signer = ephemeralSigner("ecdsa-p256");
const ORIGIN = "log.example/ctlog/2026";

test("signs a tree head that get-sth can be read from", async () => {
  const heads = ctTreeHeadSigner({ origin: ORIGIN, signer });
  const note = await heads.sign({ size: 0n, root: EMPTY_ROOT }, 1_764_000_000_123);
  expect(verifyTreeHead(note, ORIGIN, signer.publicKey)).toMatchObject({
    size: 0n,
    root: EMPTY_ROOT,
    timestamp: 1_764_000_000_123n,
  });
});

test("is known by the log ID of RFC 6962, SHA-256 of the key", () => {
  const { origin, keyId } = ctTreeHeadSigner({ origin: ORIGIN, signer });
  expect(origin).toBe(ORIGIN);
  expect(keyId).toEqual(new Uint8Array(createHash("sha256").update(signer.publicKey.spki).digest()));
});

test.for(["", "a b", "a+b", "a\nb", "log.example/"])("refuses to start as %j", (origin) => {
  expect(() => ctTreeHeadSigner({ origin, signer })).toThrow(Misconfigured);
});

test.for(["ed25519", "ecdsa-p384", "rsa-2048"] as const)("refuses to start with a key of %s", (algorithm) => {
  expect(() => ctTreeHeadSigner({ origin: ORIGIN, signer: ephemeralSigner(algorithm) })).toThrow("must be ecdsa-p256");
});
