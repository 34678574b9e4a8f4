import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePem } from "@chancery/encoding";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { authority } from "../../../libs/x509/test/world.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { settleAlarm, SettledAlarms } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import type { Targets } from "../src/domain/trust/trusted-party.ts";
import { TrustWatch } from "../src/watch/trust-watch.ts";

const EXPIRES = new Date(Date.now() + 300 * 86_400_000).toISOString();

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "auditor-trust-"));
});
afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));

let chains: object[];
beforeAll(async () => {
  chains = await Promise.all(
    [1, 2, 3].map(async () => {
      const { intermediate, root } = await authority();
      const certificates = [intermediate, root].map(({ der }) => ({ rawBytes: Buffer.from(der).toString("base64") }));
      return { certChain: { certificates }, validFor: { start: "2026-01-01T00:00:00Z" } };
    }),
  );
});

const [ROOT_KEY, ONLINE_KEY] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
type Json = Record<string, unknown>;

/** OLPC canonical JSON: in texts nothing is escaped but the quotation mark and the backslash. */
function canonical(value: unknown): string {
  if (typeof value === "string") return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `"${name}":${canonical(member)}`).join(",")}}`;
}

const signed = (body: Json, id: string, key: KeyObject) =>
  JSON.stringify({
    signed: body,
    signatures: [{ keyid: id, sig: sign(null, Buffer.from(canonical(body)), key).toString("hex") }],
  });
const described = (text: string) => ({
  length: Buffer.byteLength(text),
  hashes: { sha256: createHash("sha256").update(text).digest("hex") },
});

interface Release {
  readonly version: number;
  readonly targets: Record<string, string>;
  /** What stands in the metadata of the targets beside. */
  readonly beside?: Json;
  /** As a next root has the key of the other roles. */
  readonly online?: string;
  /** What is served below `/trust` beside. */
  readonly plain?: Record<string, string>;
  /** And of one more that may sign the timestamp. */
  readonly further?: string;
}

const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" });
const keyOf = (text: string) => ({ keytype: "ed25519", scheme: "ed25519", keyval: { public: text } });
const role = (...keyids: string[]) => ({ keyids, threshold: 1 });
const byRoot = (body: Json) => signed(body, "r", ROOT_KEY.privateKey);

/** What a holder of all keys of the trust root publishes. */
function published({ version, targets, beside = {}, online, further, plain = {} }: Release): Map<string, string> {
  const common = { expires: EXPIRES, spec_version: "1.0.31" };
  const root = (number: number, ofOthers: string) => ({
    ...common,
    _type: "root",
    version: number,
    keys: {
      r: keyOf(pem(ROOT_KEY.publicKey)),
      o: keyOf(ofOthers),
      ...(number > 1 && further !== undefined && { x: keyOf(further) }),
    },
    roles: {
      root: role("r"),
      timestamp: role("o", ...(number > 1 && further !== undefined ? ["x"] : [])),
      snapshot: role("o"),
      targets: role("o"),
    },
  });
  const first = pem(ONLINE_KEY.publicKey);
  const isNext = (online ?? further) !== undefined;
  const nextRoot = isNext ? [["/tuf/2.root.json", byRoot(root(2, online ?? first))] as const] : [];
  const byOnline = (body: Json) => signed({ ...common, version, ...body }, "o", ONLINE_KEY.privateKey);
  const all = Object.fromEntries(Object.entries(targets).map(([name, text]) => [name, described(text)]));
  const targetsText = byOnline({ _type: "targets", targets: all, ...beside });
  const snapshot = byOnline({ _type: "snapshot", meta: { "targets.json": { version, ...described(targetsText) } } });
  const timestamp = byOnline({ _type: "timestamp", meta: { "snapshot.json": { version, ...described(snapshot) } } });
  return new Map([
    ["/tuf/root.json", byRoot(root(1, first))],
    ...nextRoot,
    ["/tuf/timestamp.json", timestamp],
    [`/tuf/${version}.snapshot.json`, snapshot],
    [`/tuf/${version}.targets.json`, targetsText],
    ...Object.entries(targets).map(
      ([name, text]) => [`/tuf/targets/${described(text).hashes.sha256}.${name}`, text] as const,
    ),
    ["/trust/trusted_root.json", targets["trusted_root.json"] ?? rootText()],
    ...Object.entries(plain).map(([name, text]) => [`/trust/${name}`, text] as const),
  ]);
}

const rootText = (change: (root: Json) => void = () => {}) => {
  const root: Json = {
    tlogs: [],
    ctlogs: [],
    certificateAuthorities: chains.slice(0, 1),
    timestampAuthorities: chains.slice(1, 2),
  };
  change(root);
  return JSON.stringify(root);
};
const addCa = (root: Json) => void (root["certificateAuthorities"] = [chains[0], chains[2]]);

async function watching(own?: Targets, vantagePoints: readonly string[] = []) {
  let files = new Map<string, string>();
  let next: { readonly path: string; readonly release: Release } | undefined;
  const state = await StateFolder.open(directory);
  let now = Date.now();
  const book = new AlarmBook(state, [], [], () => now);
  const watch = new TrustWatch("https://drawn.example", state, {
    way: {
      fetch: async (url) => {
        const { pathname } = new URL(url);
        if (pathname === next?.path) files = published(next.release);
        const text = files.get(pathname);
        return text === undefined ? new Response(null, { status: 404 }) : new Response(text);
      },
    },
    report: book,
    now: () => now,
    logKeys: () => [],
    settled: new SettledAlarms(directory),
    own,
    vantagePoints,
  });
  const look = async (release: Release, seconds = 5) => {
    files = published(release);
    now += seconds * 1_000;
    await watch.check();
    return book.open.map(({ trouble, what }) => `${trouble}: ${what}`);
  };
  const onceReading = (path: string, release: Release) => void (next = { path, release });
  return { book, look, onceReading };
}

interface DrawnChain {
  readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
}
const pemOf = (chain: object) =>
  (chain as DrawnChain).certChain.certificates
    .map(({ rawBytes }) => encodePem("CERTIFICATE", Buffer.from(rawBytes, "base64")))
    .join("");
const CONFIG = JSON.stringify({ caUrls: [{ url: "https://drawn.example" }] });
const clientConfig = (root: string, config: string) =>
  JSON.stringify({ mediaType: "drawn", trustedRoot: JSON.parse(root), signingConfig: JSON.parse(config) });
const plainFiles = () => ({
  "fulcio.pem": pemOf(chains[0]!),
  "tsa.pem": pemOf(chains[1]!),
  "rekor.pub": pem(ONLINE_KEY.publicKey),
  "signing_config.v0.2.json": CONFIG,
  "client_trust_config.json": clientConfig(rootText(), CONFIG),
});
const allTargets = () => ({
  "trusted_root.json": rootText(),
  "signing_config.v0.2.json": CONFIG,
  "rekor.pub": pem(ONLINE_KEY.publicKey),
});
const STRANGERS_CONFIG = CONFIG.replace("drawn", "stranger");

/** What who has the server, and no key of the trust root, puts below `/trust`. */
const SWAPPED: Record<string, () => string> = {
  "fulcio.pem": () => pemOf(chains[0]!) + pemOf(chains[2]!),
  "tsa.pem": () => pemOf(chains[2]!),
  "rekor.pub": () => pem(ROOT_KEY.publicKey),
  "ctfe.pub": () => pem(ROOT_KEY.publicKey),
  "signing_config.v0.2.json": () => STRANGERS_CONFIG,
  "client_trust_config.json": () => clientConfig(rootText(addCa), CONFIG),
};

test.for(Object.keys(SWAPPED))("a %s below /trust that TUF does not vouch for is a critical alarm", async (name) => {
  const { book, look } = await watching();
  const release = { version: 1, targets: allTargets(), plain: plainFiles() };
  expect(await look(release)).toEqual([]);
  const swapped = { ...release, plain: { ...plainFiles(), [name]: SWAPPED[name]!() } };
  for (let seconds = 0; seconds < 60; seconds += 5) await look(swapped);
  const told = expect.stringContaining(`trust-invalid: https://drawn.example/trust/${name}: `);
  expect(await look(swapped)).toEqual([told]);
  expect(book.open).toMatchObject([{ severity: "critical", check: "trust files at https://drawn.example/trust" }]);
  expect(await look(release)).toEqual([]);
});

test("a server without files below /trust, or with those of the release before or after, is no alarm", async () => {
  const both = JSON.stringify({ caUrls: [{ url: "https://drawn.example" }, { url: "https://stranger.example" }] });
  const known = { ...allTargets(), "signing_config.v0.2.json": both };
  const own = new Map(Object.entries(known).map(([name, text]) => [name, Buffer.from(text)]));
  const { book, look, onceReading } = await watching(own);
  const releaseOf = (version: number, config: string) => ({
    version,
    targets: { ...allTargets(), "signing_config.v0.2.json": config },
    plain: {
      ...plainFiles(),
      "signing_config.v0.2.json": config,
      "client_trust_config.json": clientConfig(rootText(), config),
    },
  });
  const { plain, ...bare } = releaseOf(1, CONFIG);
  expect(await look(bare)).toEqual([]);
  for (let seconds = 0; seconds < 60; seconds += 5) expect(await look({ ...bare, plain })).toEqual([]);
  const behind = { ...releaseOf(2, both), plain };
  expect(await look(behind)).toEqual([]);
  for (let seconds = 0; seconds < 660; seconds += 30) await look(behind, 30);
  expect(await look(behind)).toContainEqual(expect.stringMatching(/^trust-invalid: .*signing_config/));
  expect(await look(releaseOf(2, both))).toEqual([]);
  onceReading("/trust/client_trust_config.json", releaseOf(4, STRANGERS_CONFIG));
  expect(await look(releaseOf(3, CONFIG))).toEqual([]);
  expect(book.alarms).toHaveLength(2);
  const check = { name: "trust files at https://drawn.example/trust", state: "passed" };
  expect(book.checks).toContainEqual(expect.objectContaining(check));
});

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
    await settleAlarm(directory, book.open[0]!.id, "we added it", Date.now());
    expect(await look({ version: 4, targets, further })).toEqual([]);
    expect(await (await watching(own)).look({ version: 5, targets, further })).toEqual([]);
  },
);

test("delegations that name nobody are no alarm", async () => {
  const { look } = await watching();
  const beside = { delegations: { keys: {}, roles: [] } };
  expect(await look({ version: 1, targets: { "trusted_root.json": rootText() }, beside })).toEqual([]);
});

/** Another place, which shows what it is given below `/tuf`. */
async function vantagePoint() {
  let files = new Map<string, string>();
  const server = createServer((request, response) => {
    const text = request.url?.startsWith("/tuf/") ? files.get(request.url) : undefined;
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    show: (release: Release) => void (files = published(release)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const whole = (version: number) => ({ version, targets: { "trusted_root.json": rootText() } });
const second = (version: number) => ({ version, targets: { "trusted_root.json": rootText(addCa) } });

test("a second trust root of the same version that is shown at a vantage point alone is a critical alarm at the first look", async () => {
  await using elsewhere = await vantagePoint();
  const { book, look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
  elsewhere.show(second(1));
  expect(await look(whole(1))).toEqual([
    `split-view: ${elsewhere.url}/tuf shows another 1.snapshot.json of version 1 than the main place`,
  ]);
  expect(book.open).toMatchObject([{ severity: "critical", check: `trust root at ${elsewhere.url}/tuf` }]);
  elsewhere.show(whole(1));
  expect(await look(whole(1))).toEqual([]);
});

test.for([
  [
    "release",
    () => second(9),
    /^split-view: .* shows 9\.(?:snapshot|targets)\.json, which the main place does not have$/,
  ],
  ["root", () => ({ ...whole(1), further: pem(ROOT_KEY.publicKey) }), /^split-view: .* shows 2\.root\.json, which/],
] as const)(
  "a next %s that a vantage point shows for a moment, and the main place never, is an alarm",
  async ([, next, told]) => {
    await using elsewhere = await vantagePoint();
    const { look } = await watching(undefined, [elsewhere.url]);
    // Root 2 is looked for with all else, once a minute: the first time.
    elsewhere.show(next());
    expect(await look(whole(1))).toEqual([]);
    elsewhere.show(whole(1));
    const seen: string[] = [];
    for (let at = 0; at < 24; at++) seen.push(...(await look(whole(1), 30)));
    expect(seen).toContainEqual(expect.stringMatching(told));
  },
);

test("a vantage point that is ahead, or behind for a while, is no alarm; one that stays behind is", async () => {
  await using elsewhere = await vantagePoint();
  const { look } = await watching(undefined, [elsewhere.url]);
  elsewhere.show(whole(2));
  for (let at = 0; at < 10; at++) expect(await look(whole(1), 30)).toEqual([]);
  for (let at = 0; at < 3; at++) expect(await look(whole(2))).toEqual([]);
  for (let at = 0; at < 16; at++) expect(await look(whole(3), 30)).toEqual([]);
  for (let at = 0; at < 8; at++) await look(whole(3), 30);
  expect(await look(whole(3))).toEqual([
    `trust-rollback: ${elsewhere.url}/tuf goes on showing version 2 of timestamp.json, where the main place shows 3`,
  ]);
  elsewhere.show(whole(3));
  for (let at = 0; at < 24; at++) expect(await look(whole(3), 30)).toEqual([]);
});
