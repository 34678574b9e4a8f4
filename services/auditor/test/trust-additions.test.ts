import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { authority } from "../../../libs/x509/test/world.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { settleAlarm, SettledAlarms } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import type { Targets } from "../src/domain/trust/trusted-party.ts";
import { TrustAdditions } from "../src/watch/trust-additions.ts";

const START = "2026-01-01T00:00:00Z";
const FIRST = Date.parse("2026-11-22T12:00:00Z");

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-additions-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

function keyOf() {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = publicKey.export({ type: "spki", format: "pem" });
  return { pem, rawBytes: publicKey.export({ type: "spki", format: "der" }).toString("base64") };
}
const logOf = ({ rawBytes }: { rawBytes: string }, validFor: object = { start: START }) => ({
  baseUrl: "https://log.example",
  publicKey: { rawBytes, validFor },
});
let chains: object[];
beforeAll(async () => {
  chains = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const { intermediate, root } = await authority();
      const certificates = [intermediate, root].map(({ der }) => ({ rawBytes: Buffer.from(der).toString("base64") }));
      return { uri: "https://ca.example", certChain: { certificates }, validFor: { start: START } };
    }),
  );
});

const OLD = keyOf();
const ROLLED = keyOf();
interface Root {
  tlogs: object[];
  ctlogs: object[];
  certificateAuthorities: object[];
  timestampAuthorities: object[];
}

function targetsOf(
  change: (root: Root, singles: Map<string, string>, config: { caUrls: object[] }) => void = () => {},
) {
  const root: Root = {
    tlogs: [logOf(OLD), logOf(ROLLED, { start: START, end: "2026-06-01T00:00:00Z" })],
    ctlogs: [],
    certificateAuthorities: chains.slice(0, 1),
    timestampAuthorities: chains.slice(1, 2),
  };
  const config = { caUrls: [{ url: "https://ca.example" }] };
  const singles = new Map([["rekor.pub", OLD.pem]]);
  change(root, singles, config);
  const texts: [string, string][] = [
    ["trusted_root.json", JSON.stringify(root)],
    ["signing_config.v0.2.json", JSON.stringify(config)],
    ...singles,
  ];
  return new Map(texts.map(([name, text]) => [name, Buffer.from(text)]));
}

async function watching(own?: Targets) {
  const state = await StateFolder.open(directory);
  const alarms = new AlarmBook(state, await state.alarms(), [], Date.now);
  const additions = new TrustAdditions({
    report: alarms,
    memory: state,
    settled: new SettledAlarms(directory),
    own,
    now: () => FIRST,
  });
  const look = async (targets: Targets) => {
    await additions.check(targets);
    return alarms.open.map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  return { alarms, look };
}

const NEW = keyOf();
/** What a holder of the trust root's keys adds. */
const ADDED: Record<string, [Parameters<typeof targetsOf>[0], RegExp]> = {
  "a log key": [({ tlogs }) => void tlogs.push(logOf(NEW)), /a further log key: SHA-256 [0-9a-f]{64} \(https:/],
  "a CT log": [({ ctlogs }) => void ctlogs.push(logOf(NEW)), /a further CT log key: SHA-256/],
  "a CA": [(root) => void root.certificateAuthorities.push(chains[2]!), /a further certificate authority: SHA-256/],
  "a timestamp authority": [
    (root) => void root.timestampAuthorities.push(chains[3]!),
    /a further timestamp authority: /,
  ],
  "a key in a file for older clients": [(_, singles) => void singles.set("ctfe.pub", NEW.pem), /further target: /],
  "a URL that tokens are sent to": [(_, __, { caUrls }) => void caUrls.push({ url: "https://evil.example" }), /evil/],
  "a URL by the other name of its member": [
    (_, __, config) => void Object.assign(config, { oidc_urls: [{ url: "https://other.example" }] }),
    /a further URL for signers: https:\/\/other\.example$/,
  ],
  "time to a key that has ended": [
    (root) => void root.tlogs.splice(1, 1, logOf(ROLLED)),
    /trust for longer the log key SHA-256 .* for ever, where it was from .* to 2026-06-01T00:00:00\.000Z$/,
  ],
};

test.for(Object.keys(ADDED))(
  "%s that is added to the trust root is an alarm to a stranger, also when it is gone again and after a restart, until an operator settles it",
  async (name) => {
    const [change, told] = ADDED[name]!;
    const before = await watching();
    expect(await before.look(targetsOf())).toEqual([]);
    const alarm = [expect.stringMatching(told)];
    expect(await before.look(targetsOf(change))).toEqual(alarm);
    expect(await before.look(targetsOf(change))).toEqual(alarm);
    expect(await before.look(targetsOf())).toEqual(alarm);
    const { alarms, look } = await watching();
    expect(await look(targetsOf(change))).toEqual(alarm);
    await settleAlarm(directory, alarms.open[0]!.id, "we rolled it", Date.now());
    expect(await look(targetsOf(change))).toEqual([]);
    expect(alarms.alarms[0]?.reason).toBe("an operator settled it: we rolled it");
    expect(await (await watching()).look(targetsOf(change))).toEqual([]);
    expect(alarms.alarms).toHaveLength(1);
  },
);

test.for(Object.keys(ADDED))(
  "%s that the installation made is no alarm beside it, and any that it did not make is one from the first look",
  async (name) => {
    const [change, told] = ADDED[name]!;
    const owner = await watching(targetsOf(change));
    expect(await owner.look(targetsOf(change))).toEqual([]);
    expect(await owner.look(targetsOf())).toEqual([]);
    // As it was before the roll: the auditor that is started with the new keys ends it.
    const before = await watching(targetsOf());
    expect(await before.look(targetsOf(change))).toEqual([expect.stringMatching(told)]);
    expect(await (await watching(targetsOf(change))).look(targetsOf(change))).toEqual([]);
  },
);

test("a stranger says of its first look that it took what it found, how much, and how to check it, over restarts", async () => {
  const targets = targetsOf();
  const print = createHash("sha256").update(targets.get("trusted_root.json")!).digest("hex");
  for (let start = 0; start < 2; start++) {
    const { alarms, look } = await watching();
    expect(await look(targets)).toEqual([]);
    expect(alarms.checks).toMatchObject([
      {
        name: "trusted parties",
        state: "passed",
        what: expect.stringMatching(
          new RegExp(
            `^the 5 keys, .* found at the first look, of 2026-11-22T12:00:00Z, or settled since: .* Compare once .* ${print};`,
            "v",
          ),
        ),
      },
    ]);
  }
  const { alarms, look } = await watching(targets);
  await look(targets);
  expect(alarms.checks).toMatchObject([
    { what: expect.stringMatching(/trust are those that this installation made$/) },
  ]);
});

test("a file that is no configuration, and has the name of one, keeps no addition from being told", async () => {
  const { look } = await watching(targetsOf());
  const added = targetsOf((root, singles) => {
    root.certificateAuthorities.push(chains[2]!);
    singles.set("signing_config.v0.9.json", "{");
  });
  expect((await look(added)).toSorted()).toEqual([
    expect.stringContaining("trust-added: clients are told to trust a further certificate authority"),
    expect.stringContaining("trust-added: clients are told to trust a further target"),
  ]);
});

test("a key whose time is ended, and one that is taken away, are no additions; that it comes back is one", async () => {
  const { look } = await watching();
  expect(await look(targetsOf())).toEqual([]);
  const ended = targetsOf((root) => root.tlogs.splice(0, 1, logOf(OLD, { start: START, end: "2026-09-01T00:00:00Z" })));
  expect(await look(ended)).toEqual([]);
  const gone = targetsOf((root) => root.tlogs.splice(0, 1));
  const without = new Map([...gone].filter(([file]) => file !== "rekor.pub"));
  expect(await look(without)).toEqual([]);
  expect(await look(new Map([...ended].filter(([file]) => file !== "rekor.pub")))).toEqual([
    expect.stringContaining("a further log key"),
  ]);
});
