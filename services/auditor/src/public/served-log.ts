import type { KeyObject } from "node:crypto";
import { Unavailable } from "@chancery/fault";
import type { LogIdentity } from "../domain/checkpoint.ts";
import { isObject, isText } from "../domain/json-member.ts";
import type { LeafSource } from "../domain/proven-log.ts";
import type { TileSource } from "../domain/tree-check.ts";
import { HttpLog, MOST_JSON_BYTES, WATCHING, type Way, withoutEndSlashes } from "./http-log.ts";
import { type PublishedTrust, publishedTrust } from "./published-trust.ts";
import { entryBundles, getEntries, type LeafPages, servedTiles } from "./tiled-log.ts";

export const LOG_KINDS = ["rekor", "rekor-v2", "ctlog"] as const;
export type LogKind = (typeof LOG_KINDS)[number];

const V1 = "/api/v1/log";
const LOGS = "/api/chancery/v1/logs";

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
  /** `rekor` and the shards that followed it, `rekor-shard-2` and so on; `rekor-v2`; `ctlog/<shard>`. */
  readonly name: string;
  readonly kind: LogKind;
  readonly identity: LogIdentity;
  /** Where it is served, if not where its kind is. */
  readonly path?: string;
}

/** Of a kind of which there may be several, whose they are: of the v1 log all but the first key are its shards'. */
export type LogKeys = Partial<Readonly<Record<LogKind, KeyObject | readonly KeyObject[]>>>;

/** Each is watched for ever. */
const MOST_TREES = 99;
const SHARD = /^rekor-shard-(?<number>[1-9]\d?)$/;

/** Which shard of the v1 log a log is, counted from 1; undefined of another log. */
export function shardNumber(name: string): number | undefined {
  return name === "rekor" ? 1 : Number(SHARD.exec(name)?.groups?.["number"] ?? Number.NaN) || undefined;
}

/** What a log is called in the database, and its anchor in the folder of anchors. */
export function storedName({ name, kind }: Pick<AuditedLog, "name" | "kind">): string {
  return kind === "ctlog" ? kind : name;
}

/** Logs that an installation names, and why not all of them could be found. */
export interface NamedLogs {
  readonly logs: readonly AuditedLog[];
  readonly unanswered: unknown;
}

/** The installation's logs by its own trusted root. `keys`, where they are known otherwise, are believed instead. */
export async function findLogs(url: string, keys: LogKeys = {}, way: Way = {}): Promise<NamedLogs> {
  const trust = await publishedTrust(url, way);
  if (trust === undefined) throw new Unavailable(`${url}/trust: publishes no trusted root`, 0);
  const hostname = trust.rekor[0]?.baseUrl.hostname ?? new URL(url).hostname;
  const own = (kind: LogKind, published: readonly KeyObject[], place = 0) => givenKeys(keys, kind, place) ?? published;
  const rekorKeys = trust.rekor.map(({ key }) => key);
  const v2Origin = hostname.replace(/^\[(.*)\]$/, "$1");
  const others: AuditedLog[] = [
    {
      name: "rekor-v2",
      kind: "rekor-v2",
      identity: { origin: v2Origin, signer: v2Origin, signs: "text", keys: own("rekor-v2", rekorKeys) },
    },
    ...ctLogs(url, trust, own("ctlog", [])[0]),
  ];
  try {
    const trees = (await treesOf(url, way)).map(({ treeId, path }, place): AuditedLog => {
      const signedBy = own("rekor", rekorKeys, place);
      const identity = { origin: `${hostname} - ${treeId}`, signer: hostname, signs: "text", keys: signedBy } as const;
      return { name: place === 0 ? "rekor" : `rekor-shard-${place + 1}`, kind: "rekor", identity, path };
    });
    return { logs: [...trees, ...others], unanswered: undefined };
  } catch (unanswered) {
    return { logs: others, unanswered };
  }
}

/** Those that are known otherwise than from the installation. */
export function givenKeys(keys: LogKeys, kind: LogKind, place: number): readonly KeyObject[] | undefined {
  const given = [keys[kind] ?? []].flat();
  return given.length === 0 ? undefined : given.slice(place, place + 1);
}

/** The trees of the v1 log, oldest first. One that does not tell of them has one. */
async function treesOf(url: string, way: Way): Promise<{ readonly treeId: string; readonly path: string }[]> {
  const log = new HttpLog(url + V1, way);
  const shards = await log.getJson("/shards", MOST_JSON_BYTES);
  if (shards === undefined) return [{ treeId: await treeIdOf(log), path: V1 }];
  // Read by its ID, the newest stays what it is when it is followed.
  const named = Array.isArray(shards) ? shards.map((shard) => (isObject(shard) ? shard["treeID"] : undefined)) : [];
  const trees = named.filter(isText).filter((treeId) => /^\d{1,19}$/.test(treeId));
  if (trees.length === 0) throw log.notAnAnswer("/shards", "names no tree");
  if (trees.length > MOST_TREES) throw log.notAnAnswer("/shards", `names more than ${MOST_TREES} trees`);
  return trees.map((treeId) => ({ treeId, path: `${V1}/shards/${treeId}` }));
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
    ({ baseUrl }) => withoutEndSlashes(baseUrl.pathname).replace(/^\/+/, ""),
  );
  return [...here].map(([name, published]) => {
    const [{ baseUrl } = { baseUrl: new URL(url) }] = published;
    const origin = withoutEndSlashes(baseUrl.hostname + baseUrl.pathname);
    const keys = own === undefined ? published.map(({ key }) => key) : [own];
    return { name, kind: "ctlog", identity: { origin, signer: origin, signs: "tree head", keys } };
  });
}

/** One of an installation's logs, read through `url`, which need not be the one it is known by. */
export function servedLog(url: string, log: AuditedLog, way: Way = {}): ServedLog {
  const { name, kind } = log;
  const base = new HttpLog(url + (log.path ?? pathOf(log)), { ...WATCHING, ...way });
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

function pathOf({ name, kind, identity }: AuditedLog): string {
  if (kind === "ctlog") return `/${name}`;
  return kind === "rekor-v2" ? "/api/v2" : `${V1}/shards/${identity.origin.split(" - ")[1] ?? ""}`;
}

/** `[{ log, frozen, … }]` */
async function saysFrozen(server: HttpLog, name: string): Promise<boolean> {
  const logs = await server.getJson(LOGS, MOST_JSON_BYTES);
  return Array.isArray(logs) && logs.some((one) => isObject(one) && one["log"] === name && one["frozen"] === true);
}

/** A bundle is read from its beginning. */
async function readLeaves(pages: LeafPages, first: bigint, end: bigint): Promise<Uint8Array[]> {
  const [from, to] = [Number(first), Number(end)];
  const start = from - (from % 256);
  const leaves = await pages.read(start, to);
  return leaves.slice(from - start, to - start);
}
