import { encodePem } from "@chancery/encoding";
import { expect, test } from "vitest";
import { addCa, chains, ONLINE_KEY, pem, ROOT_KEY, rootText, watching } from "./trust-world.ts";

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
