import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { expect, test } from "vitest";
import { settleAlarm } from "../src/state/settled-alarms.ts";
import { ONLINE_KEY, ROOT_KEY, addCa, auditing, chains, pem, type Release, rootText, watching } from "./trust-world.ts";

/** Ways to have clients believe another CA, each of which a client that is in wide use takes. */
const WAYS: Record<string, [() => Omit<Release, "version">, RegExp]> = {
  "in the trusted root": [() => ({ targets: { "trusted_root.json": rootText(addCa) } }), /^trust-added: .* authority/],
  "in one that leaves out what is read beside": [
    () => ({
      targets: {
        "trusted_root.json": rootText((root) => {
          addCa(root);
          delete root["timestampAuthorities"];
        }),
      },
    }),
    /^trust-invalid: trusted_root\.json: is not as this installation writes it: timestampAuthorities is missing/,
  ],
  "by the other name of its member": [
    () => ({
      targets: {
        "trusted_root.json": rootText((root) => {
          root["certificate_authorities"] = [chains[0], chains[2]];
          delete root["certificateAuthorities"];
        }),
      },
    }),
    /^trust-invalid: trusted_root\.json: is not as/,
  ],
  "of a role that the targets name": [
    () => ({ targets: {}, beside: { delegations: { keys: {}, roles: [{ name: "other", paths: ["*"] }] } } }),
    /^trust-invalid: targets 2: has others name targets$/,
  ],
  "of no role any more": [() => ({ targets: {} }), /^trust-invalid: targets 2: names no trusted_root\.json$/],
  "under a key in a form of another client": [
    () => ({ targets: { "trusted_root.json": rootText(addCa) }, online: "00".repeat(32) }),
    /^trust-invalid: timestamp: its key o cannot be read$/,
  ],
};

test.for(Object.keys(WAYS))("a CA that is added %s is a critical alarm at the first look", async (name) => {
  const [release, told] = WAYS[name]!;
  const { look } = await watching();
  expect(await look({ version: 1, targets: { "trusted_root.json": rootText() } })).toEqual([]);
  expect(await look({ version: 2, ...release() })).toContainEqual(expect.stringMatching(told));
});

test.for([true, false])(
  "a further key that may sign for the trust root is an alarm until an operator settles it, beside the services too (%s)",
  async (isBeside) => {
    const targets = { "trusted_root.json": rootText() };
    const own = isBeside ? new Map([["trusted_root.json", Buffer.from(rootText())]]) : undefined;
    const further = pem(generateKeyPairSync("ed25519").publicKey);
    const before = await watching(own);
    expect(await before.look({ version: 1, targets })).toEqual([]);
    const { book, look } = await watching(own);
    const told = [expect.stringMatching(/^trust-added: .* a further signer of the trust root's timestamp: SHA-256 /)];
    expect(await look({ version: 2, targets, further })).toEqual(told);
    expect(await look({ version: 3, targets, further })).toEqual(told);
    await settleAlarm(auditing.folder, book.open[0]!.id, "we added it", Date.now());
    expect(await look({ version: 4, targets, further })).toEqual([]);
    expect(await (await watching(own)).look({ version: 5, targets, further })).toEqual([]);
  },
);

const logOf = (key: KeyObject) => ({
  publicKey: {
    rawBytes: key.export({ type: "spki", format: "der" }).toString("base64"),
    validFor: { start: "2026-01-01T00:00:00Z" },
  },
});
const twoLogs = () =>
  rootText((root) => {
    root["tlogs"] = [logOf(ONLINE_KEY.publicKey)];
    root["ctlogs"] = [logOf(ROOT_KEY.publicKey)];
  });

test.for([
  ["its usage", "other.pub", { sigstore: { usage: "Rekor" } }],
  ["its usage in other letters", "other.pub", { Sigstore: { USAGE: "rekor" } }],
  ["its name", "rekor_v9.pub", undefined],
] as const)(
  "a CT log's key that older clients are made to take for a log's by %s is a critical alarm",
  async ([, name, as]) => {
    const { look } = await watching();
    const targets = {
      "trusted_root.json": twoLogs(),
      "ctfe.pub": pem(ROOT_KEY.publicKey),
      "rekor.pub": pem(ONLINE_KEY.publicKey),
    };
    const custom = { "ctfe.pub": { sigstore: { usage: "CTFE" } }, "rekor.pub": { sigstore: { usage: "Rekor" } } };
    expect(await look({ version: 1, targets, custom })).toEqual([]);
    const relabelled = { ...targets, [name]: pem(ROOT_KEY.publicKey) };
    expect(await look({ version: 2, targets: relabelled, custom: { ...custom, ...(as && { [name]: as }) } })).toEqual([
      expect.stringMatching(
        /^trust-invalid: targets 2: .*\.pub: has clients use what the trusted root names otherwise as rekor: SHA-256 /,
      ),
    ]);
  },
);

test("delegations that name nobody are no alarm", async () => {
  const { look } = await watching();
  const beside = { delegations: { keys: {}, roles: [] } };
  expect(await look({ version: 1, targets: { "trusted_root.json": rootText() }, beside })).toEqual([]);
});
