import type { LogIdentity } from "../domain/checkpoint.ts";
import type { LeafSource } from "../domain/proven-log.ts";
import type { TileSource } from "../domain/tree-check.ts";
import { entryBundles, getEntries, type LeafPages, servedTiles } from "./tiled-log.ts";
import { isObject } from "../domain/json-member.ts";
import { HttpLog, WATCHING, type Way } from "./http-log.ts";
import { type PublishedTrust, publishedTrust } from "./published-trust.ts";
import type { KeyObject } from "node:crypto";
import { Unavailable } from "@chancery/fault";

export const LOG_KINDS = ["rekor", "rekor-v2", "ctlog"] as const;
export type LogKind = (typeof LOG_KINDS)[number];

/** A log as one URL serves it. */
export interface ServedLog {
  readonly url: string;
  checkpoint(): Promise<Uint8Array>;
  /** Whether the installation says of it that it takes no more entries, for ever. */
  isFrozen(): Promise<boolean>;
  readonly leaves: LeafSource;
  readonly tiles: TileSource;
}

/** A log, by whom it is signed, and where it is read. */
export interface AuditedLog {
  /** `rekor`, `rekor-v2` or `ctlog/<shard>`. */
  readonly name: string;
  readonly kind: LogKind;
  readonly identity: LogIdentity;
}

/** The installation's logs by its own trusted root. `keys`, where they are known otherwise, are believed instead. */
export async function findLogs(
  url: string,
  keys: Partial<Readonly<Record<LogKind, KeyObject>>> = {},
  way: Way = {},
): Promise<AuditedLog[]> {
  const trust = await publishedTrust(url, way);
  if (trust === undefined) throw new Unavailable(`${url}/trust: publishes no trusted root`, 0);
  const treeId = await treeIdOf(new HttpLog(`${url}/api/v1/log`, way));
  const hostname = trust.rekor[0]?.baseUrl.hostname ?? new URL(url).hostname;
  const own = (kind: LogKind, published: readonly KeyObject[]) => (keys[kind] === undefined ? published : [keys[kind]]);
  const rekorKeys = trust.rekor.map(({ key }) => key);
  const v2Origin = hostname.replace(/^\[(.*)\]$/, "$1");
  return [
    {
      name: "rekor",
      kind: "rekor",
      identity: { origin: `${hostname} - ${treeId}`, signer: hostname, signs: "text", keys: own("rekor", rekorKeys) },
    },
    {
      name: "rekor-v2",
      kind: "rekor-v2",
      identity: { origin: v2Origin, signer: v2Origin, signs: "text", keys: own("rekor-v2", rekorKeys) },
    },
    ...ctLogs(url, trust, keys.ctlog),
  ];
}

/** By its checkpoint, `<host> - <tree ID>`: the rest of the API may be closed (`api-operations`). */
async function treeIdOf(log: HttpLog): Promise<string> {
  const note = Buffer.from((await log.get("/checkpoint")) ?? []).toString("utf8");
  const treeId = /^\S+ - (?<id>\d+)\n/.exec(note)?.groups?.["id"];
  if (treeId === undefined) throw log.notAnAnswer("/checkpoint", "is no checkpoint of a Rekor log");
  return treeId;
}

/** Those below the same host: another's CT log is another's to audit. One that is named with two keys is one log. */
function ctLogs(url: string, { rekor, ctlog }: PublishedTrust, own: KeyObject | undefined): AuditedLog[] {
  const home = rekor[0]?.baseUrl.host ?? new URL(url).host;
  const here = Map.groupBy(
    ctlog.filter(({ baseUrl }) => baseUrl.host === home),
    ({ baseUrl }) => baseUrl.pathname.replaceAll(/^\/+|\/+$/g, ""),
  );
  return [...here].map(([name, published]) => {
    const [{ baseUrl } = { baseUrl: new URL(url) }] = published;
    const origin = (baseUrl.hostname + baseUrl.pathname).replace(/\/+$/, "");
    const keys = own === undefined ? published.map(({ key }) => key) : [own];
    return { name, kind: "ctlog", identity: { origin, signer: origin, signs: "tree head", keys } };
  });
}

/** One of an installation's logs, read through `url`, which need not be the one it is known by. */
export function servedLog(url: string, { name, kind }: AuditedLog, way: Way = {}): ServedLog {
  const path = { rekor: "/api/v1/log", "rekor-v2": "/api/v2", ctlog: `/${name}` }[kind];
  const base = new HttpLog(url + path, { ...WATCHING, ...way });
  const pages = kind === "ctlog" ? getEntries(base) : entryBundles(base);
  return {
    url: base.base,
    checkpoint: async () => {
      const note = await base.get("/checkpoint");
      if (note === undefined) throw base.notAnAnswer("/checkpoint", "there is no log here");
      return note;
    },
    isFrozen: () => saysFrozen(new HttpLog(url, { ...WATCHING, ...way }), name),
    leaves: { read: (first, end) => readLeaves(pages, first, end) },
    tiles: servedTiles(base),
  };
}

/** `[{ log, frozen, … }]` */
async function saysFrozen(server: HttpLog, name: string): Promise<boolean> {
  const logs = await server.getJson("/api/chancery/v1/logs");
  return Array.isArray(logs) && logs.some((one) => isObject(one) && one["log"] === name && one["frozen"] === true);
}

/** A bundle is read from its beginning. */
async function readLeaves(pages: LeafPages, first: bigint, end: bigint): Promise<Uint8Array[]> {
  const [from, to] = [Number(first), Number(end)];
  const start = from - (from % 256);
  const leaves = await pages.read(start, to);
  return leaves.slice(from - start, to - start);
}
