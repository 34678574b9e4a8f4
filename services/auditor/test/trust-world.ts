import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach } from "vitest";
import { authority } from "../../../libs/x509/test/world.ts";
import { AlarmBook } from "../src/domain/alarm.ts";
import { SettledAlarms } from "../src/state/settled-alarms.ts";
import { StateFolder } from "../src/state/state-folder.ts";
import type { Targets } from "../src/domain/trust/trusted-party.ts";
import { TrustWatch } from "../src/watch/trust-watch.ts";

const EXPIRES = new Date(Date.now() + 300 * 86_400_000).toISOString();

/** The auditor's folder. */
export const auditing = { folder: "" };
beforeEach(async () => {
  auditing.folder = await mkdtemp(join(tmpdir(), "auditor-trust-"));
});
afterEach(() => rm(auditing.folder, { recursive: true, force: true, maxRetries: 10 }));

/** Of three authorities. */
export let chains: object[];
beforeAll(async () => {
  chains = await Promise.all(
    [1, 2, 3].map(async () => {
      const { intermediate, root } = await authority();
      const certificates = [intermediate, root].map(({ der }) => ({ rawBytes: Buffer.from(der).toString("base64") }));
      return { certChain: { certificates }, validFor: { start: "2026-01-01T00:00:00Z" } };
    }),
  );
});

export const [ROOT_KEY, ONLINE_KEY] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
export type Json = Record<string, unknown>;

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

export interface Release {
  readonly version: number;
  readonly targets: Record<string, string>;
  /** What stands in the metadata of the targets beside. */
  readonly beside?: Json;
  /** What stands beside the length and hashes of a target. */
  readonly custom?: Record<string, Json>;
  /** As a next root has the key of the other roles. */
  readonly online?: string;
  /** What is served below `/trust` beside. */
  readonly plain?: Record<string, string>;
  /** And at `/trust` itself. */
  readonly index?: string;
  /** And of one more that may sign the timestamp. */
  readonly further?: string;
  /** As the third root and those after it have the key of the other roles. */
  readonly later?: readonly string[];
  /** Who signs the other roles, where it is not the first root's key. */
  readonly by?: KeyObject;
  /** What stands in the next root beside. */
  readonly besideRoot?: Json;
}

export const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" });
const keyOf = (text: string) => ({ keytype: "ed25519", scheme: "ed25519", keyval: { public: text } });
const role = (...keyids: string[]) => ({ keyids, threshold: 1 });
const byRoot = (body: Json) => signed(body, "r", ROOT_KEY.privateKey);

/** What a holder of all keys of the trust root publishes. */
export function published({
  version,
  targets,
  beside = {},
  custom = {},
  online,
  further,
  besideRoot = {},
  later = [],
  by = ONLINE_KEY.privateKey,
  plain = {},
  index,
}: Release): Map<string, string> {
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
  const nextRoot = isNext
    ? [["/tuf/2.root.json", byRoot({ ...root(2, online ?? first), ...besideRoot })] as const]
    : [];
  const byOnline = (body: Json) => signed({ ...common, version, ...body }, "o", by);
  const all = Object.fromEntries(
    Object.entries(targets).map(([name, text]) => [
      name,
      { ...described(text), ...(custom[name] && { custom: custom[name] }) },
    ]),
  );
  const targetsText = byOnline({ _type: "targets", targets: all, ...beside });
  const snapshot = byOnline({ _type: "snapshot", meta: { "targets.json": { version, ...described(targetsText) } } });
  const timestamp = byOnline({ _type: "timestamp", meta: { "snapshot.json": { version, ...described(snapshot) } } });
  return new Map([
    ["/tuf/root.json", byRoot(root(1, first))],
    ...nextRoot,
    ...later.map((text, at) => [`/tuf/${at + 3}.root.json`, byRoot(root(at + 3, text))] as const),
    ["/tuf/timestamp.json", timestamp],
    [`/tuf/${version}.snapshot.json`, snapshot],
    [`/tuf/${version}.targets.json`, targetsText],
    ...Object.entries(targets).map(
      ([name, text]) => [`/tuf/targets/${described(text).hashes.sha256}.${name}`, text] as const,
    ),
    ["/trust/trusted_root.json", targets["trusted_root.json"] ?? rootText()],
    ...(index === undefined ? [] : [["/trust", index] as const]),
    ...Object.entries(plain).map(([name, text]) => [`/trust/${name}`, text] as const),
  ]);
}

export const rootText = (change: (root: Json) => void = () => {}) => {
  const root: Json = {
    tlogs: [],
    ctlogs: [],
    certificateAuthorities: chains.slice(0, 1),
    timestampAuthorities: chains.slice(1, 2),
  };
  change(root);
  return JSON.stringify(root);
};
export const addCa = (root: Json) => void (root["certificateAuthorities"] = [chains[0], chains[2]]);

export async function watching(own?: Targets, vantagePoints: readonly string[] = [], now = Date.now()) {
  let files = new Map<string, string>();
  let next: { readonly path: string; readonly release: Release } | undefined;
  const state = await StateFolder.open(auditing.folder);
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
    settled: new SettledAlarms(auditing.folder),
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

/** Another place, which shows what it is given below `/tuf`. */
export async function vantagePoint() {
  let files = new Map<string, string>();
  const server = createServer((request, response) => {
    const text = request.url?.startsWith("/tuf/") ? files.get(request.url) : undefined;
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    show: (release: Release, change: (files: Map<string, string>) => void = () => {}) => {
      files = published(release);
      change(files);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const whole = (version: number) => ({ version, targets: { "trusted_root.json": rootText() } });
export const second = (version: number) => ({ version, targets: { "trusted_root.json": rootText(addCa) } });
