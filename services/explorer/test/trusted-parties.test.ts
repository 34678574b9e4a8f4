import { encodeBase64 } from "@chancery/encoding";
import { beforeAll, describe, expect, test } from "vitest";
import { checkEntry, firstFailure } from "../src/web/proof/check-entry.ts";
import { loggedEntry } from "../src/web/proof/logged-entry.ts";
import { keepParties, keptParties } from "../src/web/proof/own-keys.ts";
import {
  effectiveParties,
  joinedParties,
  NOBODY,
  parseTrustedText,
  serversWord,
  type TrustedParties,
} from "../src/web/proof/trusted-keys.ts";
import { type ProofWorld, proofWorld } from "./proof-world.ts";

let world: ProofWorld;
let other: ProofWorld;
beforeAll(async () => {
  [world, other] = await Promise.all([proofWorld(), proofWorld()]);
});

const check = async (parties: TrustedParties) => {
  const { steps, logKey, authority } = await checkEntry(loggedEntry(world.file), parties);
  const certificate = steps.find(({ id }) => id === "certificate");
  return { failure: firstFailure(steps)?.id, certificate, word: serversWord(logKey, authority) };
};

const rootOf = ({ logKeys, authorities }: TrustedParties) =>
  JSON.stringify({
    tlogs: logKeys.map(({ key }) => ({ publicKey: { rawBytes: encodeBase64(key.spki) } })),
    certificateAuthorities: authorities.map(({ chain }) => ({
      certChain: { certificates: chain.map(({ der }) => ({ rawBytes: encodeBase64(der) })) },
    })),
  });

function memory() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}

const pinnedKey = (): TrustedParties => ({
  ...NOBODY,
  logKeys: world.parties.logKeys.map((one) => ({ ...one, source: "pinned" })),
});

test("with a key of one's own, a signer whom only the server's authority names is not green", async () => {
  const { failure, certificate, word } = await check(effectiveParties(pinnedKey(), world.parties));
  expect(failure).toBeUndefined();
  expect(certificate).toMatchObject({ state: "doubtful", words: expect.stringContaining("by this server's word") });
  expect(word).toMatch(/^Who signed it is by this server's word/);
});

test("a pasted trusted root brings its authorities: one that the server made up is red", async () => {
  const own = parseTrustedText(rootOf({ ...world.parties, authorities: other.parties.authorities }));
  expect((await check(effectiveParties(own, world.parties))).failure).toBe("certificate");
});

test("a pasted trusted root that names the authority leaves nothing to the server's word", async () => {
  const own = parseTrustedText(rootOf(world.parties));
  const { failure, certificate, word } = await check(effectiveParties(own, other.parties));
  expect([failure, certificate?.state, word]).toEqual([undefined, "passed", undefined]);
});

test("while nothing is one's own, the verdict says that both came from the server", async () => {
  const { certificate, word } = await check(effectiveParties(NOBODY, world.parties));
  expect(certificate?.state).toBe("passed");
  expect(word).toBe("The log's key and the certificate authority came from this server");
});

test("what is kept in the browser comes back, authorities too, each once", () => {
  const storage = memory();
  const own = parseTrustedText(rootOf(world.parties));
  keepParties(storage, joinedParties(own, own));
  const kept = keptParties(storage);
  expect(kept.authorities).toEqual(own.authorities);
  expect(kept.ctLogKeys.map(({ key }) => key)).toEqual(own.ctLogKeys.map(({ key }) => key));
  expect(kept.logKeys.map(({ key }) => key)).toEqual(own.logKeys.map(({ key }) => key));
  keepParties(storage, NOBODY);
  expect(keptParties(storage)).toEqual(NOBODY);
});

const keysUntil = (end: string | undefined): TrustedParties => ({
  ...NOBODY,
  logKeys: world.parties.logKeys.map((one) => ({ ...one, ...(end && { validFor: { end } }) })),
});
const endsOf = (own: TrustedParties, server: TrustedParties) =>
  effectiveParties(own, server).logKeys.map(({ validFor }) => validFor?.end);

describe("the end of a log's key", () => {
  const END = "2026-02-01T00:00:00Z";
  const LATER = "2026-03-01T00:00:00Z";

  test("is kept with a key that is kept in the browser", () => {
    const storage = memory();
    keepParties(storage, keysUntil(END));
    expect(keptParties(storage).logKeys).toMatchObject([{ validFor: { end: END } }]);
  });

  test("that the server tells ends a kept key too, which nobody would hear of else, and never makes it longer", () => {
    expect(endsOf(keysUntil(undefined), keysUntil(END))).toEqual([END]);
    expect(endsOf(keysUntil(LATER), keysUntil(END))).toEqual([END]);
    expect(endsOf(keysUntil(END), keysUntil(LATER))).toEqual([END]);
    expect(endsOf(keysUntil(END), keysUntil(undefined))).toEqual([END]);
    expect(endsOf(keysUntil(undefined), other.parties)).toEqual([undefined]);
  });

  test.for(["soon", 1, ["2026-01-01T00:00:00Z"]])("that is no time is refused, and not taken for none: %j", (time) => {
    const [{ key } = { key: undefined }] = world.parties.logKeys;
    const publicKey = { rawBytes: encodeBase64(key?.spki ?? new Uint8Array()), validFor: { end: time } };
    expect(() => parseTrustedText(JSON.stringify({ tlogs: [{ publicKey }] }))).toThrow("validFor.end is not a time");
  });
});
