import { ephemeralSigner, type KeyAlgorithm } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import { signCheckpoint, signTreeHead } from "@chancery/tlog";
import { describe, expect, test } from "vitest";
import { firstFailure } from "../src/web/proof/check-entry.ts";
import { checkLog } from "../src/web/proof/check-log.ts";
import { parsePublicKey, type PublicKey } from "../src/web/proof/public-key.ts";
import { NOBODY } from "../src/web/proof/trusted-keys.ts";

const HEAD = { size: 7n, root: new Uint8Array(32).fill(3) };
const ORIGIN = "log.example.com/2026";
const TOLD = { origin: ORIGIN, size: "7", root: encodeHex(HEAD.root) };

const failing = async (checkpoint: Uint8Array | string, key: PublicKey, told = TOLD) => {
  const note = typeof checkpoint === "string" ? checkpoint : new TextDecoder().decode(checkpoint);
  const parties = { ...NOBODY, logKeys: [{ key, source: "pasted" as const, label: "test" }] };
  return firstFailure((await checkLog({ ...told, checkpoint: note }, parties)).steps)?.id;
};
const pageKey = (spki: Uint8Array) => parsePublicKey(spki, "key");

describe("a log's checkpoint", () => {
  test.for<KeyAlgorithm>(["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])(
    "verifies under a key of %s",
    async (algorithm) => {
      const signer = ephemeralSigner(algorithm);
      const note = await signCheckpoint({ origin: ORIGIN, ...HEAD, extensions: [] }, ORIGIN, signer);
      expect(await failing(note, pageKey(signer.publicKey.spki))).toBeUndefined();
      expect(await failing(note, pageKey(ephemeralSigner(algorithm).publicKey.spki))).toBe("log-signature");
    },
  );

  test("under a key that the trusted root has ended is not green, as it tells no time", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const note = await signCheckpoint({ origin: ORIGIN, ...HEAD, extensions: [] }, ORIGIN, signer);
    const key = { key: pageKey(signer.publicKey.spki), source: "server" as const, label: "test" };
    const logKeys = [{ ...key, validFor: { start: "2026-01-01T00:00:00Z", end: "2026-02-01T00:00:00Z" } }];
    const told = { ...TOLD, checkpoint: new TextDecoder().decode(note) };
    const stateAt = async (now: string) =>
      (await checkLog(told, { ...NOBODY, logKeys }, Date.parse(now))).steps.map(({ state }) => state);
    expect(await stateAt("2026-01-31T23:59:59Z")).toEqual(["passed", "passed"]);
    expect(await stateAt("2026-02-01T00:00:01Z")).toEqual(["passed", "doubtful"]);
  });

  test("of a certificate log is signed as RFC 6962 does, and not over its text", async () => {
    const signer = ephemeralSigner("ecdsa-p256");
    const key = pageKey(signer.publicKey.spki);
    const note = new TextDecoder().decode(await signTreeHead(HEAD, 1_700_000_000_000n, ORIGIN, signer));
    expect(await failing(note, key)).toBeUndefined();
    expect(await failing(note.replace("\n7\n", "\n8\n"), key, { ...TOLD, size: "8" })).toBe("log-signature");
    expect(await failing(note.replace("\n\n", "\nan extension\n\n"), key)).toBe("log-signature");
  });

  test.for([
    ["another size", { ...TOLD, size: "8" }],
    ["another root", { ...TOLD, root: encodeHex(new Uint8Array(32)) }],
    ["another origin", { ...TOLD, origin: "other.example.com" }],
  ] as const)("is not what is told with %s", async ([, told]) => {
    const signer = ephemeralSigner("ecdsa-p256");
    const note = await signCheckpoint({ origin: ORIGIN, ...HEAD, extensions: [] }, ORIGIN, signer);
    expect(await failing(note, pageKey(signer.publicKey.spki), told)).toBe("checkpoint");
  });

  test.for([
    ["rekor", "log.example.com - 17", "https://log.example.com"],
    ["rekor-v2", "log.example.com", "https://log.example.com"],
    ["rekor-v2", "::1", "http://[::1]:8700"],
    ["ctlog", "log.example.com/ctlog/2026", "https://log.example.com/ctlog/2026"],
  ] as const)("is of the log %s when it is signed as %s", async ([log, origin, label]) => {
    const signer = ephemeralSigner("ecdsa-p256");
    const name = origin.split(" - ", 1)[0] ?? "";
    const note = new TextDecoder().decode(await signCheckpoint({ origin, ...HEAD, extensions: [] }, name, signer));
    const shown = async (as: typeof log, by: string = label) => {
      const key = { key: pageKey(signer.publicKey.spki), source: "server" as const, label: by };
      return firstFailure(
        (await checkLog({ ...TOLD, log: as, origin, checkpoint: note }, { ...NOBODY, logKeys: [key] })).steps,
      )?.id;
    };
    expect(await shown(log)).toBeUndefined();
    for (const other of (["rekor", "rekor-v2", "ctlog"] as const).filter((one) => one !== log)) {
      expect(await shown(other)).toBe("log-signature");
    }
    expect(await shown(log, "https://elsewhere.example")).toBe("log-signature");
  });
});
