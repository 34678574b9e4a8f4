import { canonicalJson, decodeBase64, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { ephemeralSigner, spkiHash } from "@chancery/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { ProvenEntry } from "../src/web/api/entries.ts";
import { checkEntry, type Expected, firstFailure, isTimeSigned } from "../src/web/proof/check-entry.ts";
import { loggedEntry } from "../src/web/proof/logged-entry.ts";
import { parsePublicKey } from "../src/web/proof/public-key.ts";
import type { StepId } from "../src/web/proof/step.ts";
import type { TrustedParties, Validity } from "../src/web/proof/trusted-keys.ts";
import { INTEGRATED_TIME, type ProofWorld, proofWorld } from "./proof-world.ts";

let world: ProofWorld;
beforeAll(async () => {
  world = await proofWorld();
});

const states = async (entry: ProvenEntry, parties = world.parties, expected: Expected = {}) => {
  const { steps } = await checkEntry(loggedEntry(entry), parties, expected);
  return Object.fromEntries(steps.map(({ id, state }) => [id, state]));
};
const failing = async (entry: ProvenEntry, parties: TrustedParties = world.parties, expected: Expected = {}) =>
  firstFailure((await checkEntry(loggedEntry(entry), parties, expected)).steps)?.id;

const named = (label: string) => ({
  ...world.parties,
  logKeys: world.parties.logKeys.map((one) => ({ ...one, label })),
});

describe("an entry that is what it says", () => {
  test("passes every step, and what cannot be checked is said to be open", async () => {
    expect(await states(world.file)).toEqual({
      body: "passed",
      leaf: "passed",
      path: "passed",
      checkpoint: "passed",
      "log-signature": "passed",
      promise: "passed",
      "artifact-signature": "passed",
      attestation: "open",
      certificate: "passed",
      "certificate-log": "open",
    });
    const { "certificate-log": _, ...others } = await states(world.statement);
    expect(Object.values(others)).toEqual(Array.from({ length: 9 }, () => "passed"));
  });

  test.for([1, 2, 3, 4, 7, 8, 9, 64, 100])("passes in a tree of six and %i more leaves", async (more) => {
    const { file, parties } = await proofWorld(6 + more);
    expect(await failing(file, parties)).toBeUndefined();
  });

  test("passes without WebCrypto, by @noble/curves alone", async () => {
    const { crypto } = globalThis;
    Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
    try {
      expect(await failing(world.file)).toBeUndefined();
    } finally {
      Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });
    }
  });

  test("is the one that was asked for, by index or by ID", async () => {
    const { logIndex, entryId } = world.file;
    expect(await failing(world.file, world.parties, { asked: logIndex })).toBeUndefined();
    expect(await failing(world.file, world.parties, { asked: entryId })).toBeUndefined();
    expect(await failing(world.file, world.parties, { asked: entryId.slice(16) })).toBeUndefined();
  });
});

/** Its index counts the entries of the shards before, and that is what is promised. */
async function shifted(entry: ProvenEntry, by: number): Promise<ProvenEntry> {
  const logIndex = Number(entry.logIndex) + by;
  const logID = encodeHex(spkiHash(world.logSigner.publicKey));
  const { body, integratedTime = INTEGRATED_TIME } = entry;
  const set = await world.logSigner.sign(utf8(canonicalJson({ body, integratedTime, logIndex, logID })));
  return { ...entry, logIndex: String(logIndex), signedEntryTimestamp: encodeBase64(set) };
}

describe("an entry of a later shard of the v1 log", () => {
  test("has an index of its own beside that of its proof, which the log has signed", async () => {
    const entry = await shifted(world.file, 1_000_000);
    expect(await failing(entry)).toBeUndefined();
    expect(await failing(entry, world.parties, { asked: entry.logIndex })).toBeUndefined();
    expect(await failing({ ...entry, logIndex: String(Number(entry.logIndex) + 1) })).toBe("promise");
  });

  test("never has a smaller one, and none without the log's signature", async () => {
    expect(await failing(await shifted(world.file, -1))).toBe("path");
    expect(await failing({ ...world.file, ...world.v2, logIndex: "6" })).toBe("path");
  });
});

/** Another bit, another meaning: the last one, so that what is encoded stays well formed. */
function flipHex(hex: string): string {
  return hex.slice(0, -1) + (Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16);
}

function flipBase64(text: string, at = -1): string {
  const bytes = Uint8Array.from(decodeBase64(text, "test"));
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  return encodeBase64(bytes);
}

function otherBody(entry: ProvenEntry, change: (text: string) => string): ProvenEntry {
  return { ...entry, body: encodeBase64(utf8(change(new TextDecoder().decode(decodeBase64(entry.body, "test"))))) };
}

const withProof = (entry: ProvenEntry, change: Partial<ProvenEntry["inclusionProof"]>): ProvenEntry => ({
  ...entry,
  inclusionProof: { ...entry.inclusionProof, ...change },
});

type Tampering = readonly [
  what: string,
  step: StepId,
  tamper: (entry: ProvenEntry) => ProvenEntry | Promise<ProvenEntry>,
];

const TAMPERINGS: readonly Tampering[] = [
  ["a body that is no JSON", "body", (entry) => ({ ...entry, body: encodeBase64(utf8("{")) })],
  ["another body", "leaf", (entry) => otherBody(entry, (text) => text.replace("sha256", "sha512"))],
  ["white space added to the body", "leaf", (entry) => otherBody(entry, (text) => `${text} `)],
  ["another entry ID", "leaf", (entry) => ({ ...entry, entryId: flipHex(entry.entryId) })],
  ["another place", "path", (entry) => withProof(entry, { logIndex: "4" })],
  ["a place outside the tree", "path", (entry) => withProof(entry, { logIndex: "13" })],
  [
    "another hash on the path",
    "path",
    (entry) => withProof(entry, { hashes: entry.inclusionProof.hashes.map(flipHex) }),
  ],
  ["a hash too few", "path", (entry) => withProof(entry, { hashes: entry.inclusionProof.hashes.slice(1) })],
  [
    "a hash too many",
    "path",
    (entry) => withProof(entry, { hashes: [...entry.inclusionProof.hashes, "00".repeat(32)] }),
  ],
  ["another root", "path", (entry) => withProof(entry, { rootHash: flipHex(entry.inclusionProof.rootHash) })],
  ["a checkpoint that is none", "checkpoint", (entry) => ({ ...entry, checkpoint: "hello" })],
  [
    "a checkpoint of another size",
    "checkpoint",
    (entry) => ({ ...entry, checkpoint: entry.checkpoint.replace("\n13\n", "\n14\n") }),
  ],
  [
    "a checkpoint with another root, truly signed",
    "checkpoint",
    async (entry) => ({ ...entry, checkpoint: await world.checkpoint(13n, new Uint8Array(32)) }),
  ],
  [
    "a checkpoint that somebody else signed",
    "log-signature",
    async (entry) => {
      const root = Uint8Array.fromHex(entry.inclusionProof.rootHash);
      return { ...entry, checkpoint: await world.checkpoint(13n, root, ephemeralSigner("ecdsa-p256")) };
    },
  ],
  [
    "a checkpoint of another log, under the same signature",
    "log-signature",
    (entry) => ({ ...entry, checkpoint: entry.checkpoint.replace("4711", "4712") }),
  ],
  [
    "another signature on the checkpoint",
    "log-signature",
    (entry) => ({
      ...entry,
      checkpoint: entry.checkpoint.replace(/(\S+)\n$/, (_, line: string) => `${flipBase64(line)}\n`),
    }),
  ],
  ["another time", "promise", (entry) => ({ ...entry, integratedTime: (entry.integratedTime ?? 0) + 1 })],
  ["another index than its proof's", "promise", (entry) => ({ ...entry, logIndex: "6" })],
  ["no promise, of the log that gives one", "promise", (entry) => ({ ...entry, signedEntryTimestamp: undefined })],
  ["a promise without its time", "promise", (entry) => ({ ...entry, integratedTime: undefined })],
  [
    "another promise",
    "promise",
    (entry) => ({ ...entry, signedEntryTimestamp: flipBase64(entry.signedEntryTimestamp ?? "") }),
  ],
];

describe("a tampered answer", () => {
  test.for(TAMPERINGS)("with %s fails first at “%s”", async ([, step, tamper]) => {
    expect(await failing(await tamper(world.file))).toBe(step);
  });

  test("with another statement beside the entry is told, though the tree is right", async () => {
    const payload = encodeBase64(utf8('{"predicateType":"y","subject":[]}'));
    const told = await states({ ...world.statement, attestationPayload: payload });
    expect(told).toMatchObject({ leaf: "passed", "artifact-signature": "failed", attestation: "failed" });
  });

  test("with another entry, wholly proven, is not the one that was asked for", async () => {
    expect(await failing(world.file, world.parties, { asked: world.statement.logIndex })).toBe("leaf");
    expect(await failing(world.file, world.parties, { asked: world.statement.entryId })).toBe("leaf");
  });

  test("of the v2 log with another index than its proof's fails at the path", async () => {
    const v2 = { ...world.file, ...world.v2 };
    expect(await failing(v2)).toBeUndefined();
    expect(await failing({ ...v2, logIndex: "6" })).toBe("path");
  });

  test("under another index and without the promise is not the entry that was asked for", async () => {
    const renamed = { ...world.file, logIndex: "6", signedEntryTimestamp: undefined };
    const told = await states(renamed, world.parties, { asked: "6" });
    expect(told).toMatchObject({ path: "failed", promise: "failed" });
  });

  test("that calls the log by the other's name, to get around its promise, is of another log than was asked", async () => {
    const renamed = { ...world.file, ...world.v2 };
    expect(await failing(renamed, world.parties, { log: "rekor", asked: "5" })).toBe("leaf");
    expect(await failing(world.file, world.parties, { log: "rekor", asked: "5" })).toBeUndefined();
  });

  test("of one log under the name of the other fails at the signature, which is over the log's own name", async () => {
    const { log, checkpoint } = world.v2;
    expect(await failing({ ...world.file, checkpoint })).toBe("log-signature");
    expect(await failing({ ...world.file, log, signedEntryTimestamp: undefined })).toBe("log-signature");
  });

  test("of another host's log fails, though its key is trusted too", async () => {
    for (const entry of [world.file, { ...world.file, ...world.v2 }]) {
      expect(await failing(entry, named("https://log.example.com:8700"))).toBeUndefined();
      expect(await failing(entry, named("https://log.example.com/"))).toBeUndefined();
      expect(await failing(entry, named("https://log.example.org"))).toBe("log-signature");
      expect(await failing(entry, named("https://log.example.com/ctlog/2026"))).toBe("log-signature");
    }
  });

  test("without a signed time does not pass for one whose certificate was valid: its key may have leaked since", async () => {
    const v2 = { ...world.file, ...world.v2 };
    expect(await states(v2)).toMatchObject({ promise: "open", certificate: "doubtful" });
    const { certificate: _, ...others } = await states({ ...v2, integratedTime: undefined });
    expect(Object.values(others)).not.toContain("failed");
  });

  test("logged after its certificate had ended is red", async () => {
    const late = await proofWorld(13, 11 * 60);
    expect(await failing(late.file, late.parties)).toBe("certificate");
  });

  test("with a time that nothing signed is told as the server's word", async () => {
    const v2 = { ...world.file, ...world.v2 };
    const isSigned = async (entry: ProvenEntry) =>
      isTimeSigned((await checkEntry(loggedEntry(entry), world.parties)).steps);
    expect(await isSigned(world.file)).toBe(true);
    expect(await isSigned(v2)).toBe(false);
    expect(await isSigned({ ...world.file, integratedTime: 1 })).toBe(false);
  });

  test("of a log elsewhere, with another index in the promise than was signed, fails at the promise", async () => {
    const { log: _, ...elsewhere } = loggedEntry({ ...world.file, logIndex: "6" });
    expect(firstFailure((await checkEntry(elsewhere, world.parties)).steps)?.id).toBe("promise");
  });

  test("with a summary of something else is told before anything", async () => {
    expect(await failing(world.file, world.parties, { kind: "dsse" })).toBe("body");
    const digests = [`sha256:${encodeHex(new Uint8Array(32))}`];
    expect(await failing(world.file, world.parties, { digests })).toBe("body");
  });
});

const keyOf = (spki: Uint8Array) => ({ key: parsePublicKey(spki, "key"), source: "pasted", label: "mine" }) as const;

describe("whom one trusts", () => {
  test("no key, or another, is a failure of its own", async () => {
    expect(await failing(world.file, { ...world.parties, logKeys: [] })).toBe("log-signature");
    const other = keyOf(ephemeralSigner("ecdsa-p256").publicKey.spki);
    expect(await failing(world.file, { ...world.parties, logKeys: [other] })).toBe("log-signature");
  });

  test("an entry with a certificate of another authority is in the log all the same, with a doubt", async () => {
    const { authorities } = (await proofWorld()).parties;
    const told = await states(world.file, { ...world.parties, authorities });
    expect(told).toMatchObject({ "log-signature": "passed", certificate: "doubtful" });
    expect(Object.values(told)).not.toContain("failed");
  });

  test("a certificate that none of one's own authorities has issued is a failure", async () => {
    const other = await proofWorld();
    const authorities = other.parties.authorities.map(({ chain }) => ({ chain, source: "pasted" as const }));
    expect(await failing(world.file, { ...world.parties, authorities })).toBe("certificate");
  });
});

const at = (milliseconds: number) => new Date(milliseconds).toISOString();
const fileInV2 = (): ProvenEntry => ({ ...world.file, ...world.v2 });

describe("a log key that the trusted root has ended", () => {
  const LOGGED = INTEGRATED_TIME * 1000;
  const judged = async (entry: ProvenEntry, validFor: Validity, now = LOGGED + 86_400_000) => {
    const logKeys = world.parties.logKeys.map((one) => ({ ...one, validFor }));
    const { steps } = await checkEntry(loggedEntry(entry), { ...world.parties, logKeys }, {}, now);
    const { state, words = "" } = steps.find(({ id }) => id === "log-signature") ?? {};
    return [state, words];
  };

  test("before the entry's time is red: whoever has it now may have made it", async () => {
    expect(await judged(world.file, { end: at(LOGGED - 1000) })).toEqual([
      "failed",
      expect.stringContaining("ended this key on 2026-02-01 00:00:29 UTC"),
    ]);
    expect(await judged(world.file, { start: at(LOGGED + 1000) })).toEqual(["failed", expect.any(String)]);
  });

  test("after the entry's time holds, to the second", async () => {
    expect((await judged(world.file, { start: at(LOGGED + 999), end: at(LOGGED) }))[0]).toBe("passed");
  });

  test("is not green for an entry without a signed time", async () => {
    const end = at(LOGGED + 1000);
    expect(await judged(fileInV2(), { end })).toEqual(["doubtful", expect.stringMatching(/no time is proven/)]);
    expect((await judged(fileInV2(), { end }, LOGGED))[0]).toBe("passed");
    expect((await judged(fileInV2(), { start: end }, LOGGED))[0]).toBe("doubtful");
  });

  test("does not get a time from a promise that does not hold", async () => {
    const forged = { ...world.file, integratedTime: INTEGRATED_TIME - 60 };
    expect(await judged(forged, { end: at(LOGGED - 1000) })).toEqual(["doubtful", expect.any(String)]);
    expect(await failing(forged)).toBe("promise");
  });
});
