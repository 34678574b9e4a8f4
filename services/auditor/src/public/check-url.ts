import type { KeyObject } from "node:crypto";
import { Misconfigured } from "@chancery/fault";
import { Difference } from "../domain/difference.ts";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { HttpLog, withoutEndSlashes } from "./http-log.ts";
import { publishedTrust } from "./published-trust.ts";
import { checkRekorApi, readHeads, readTreeHead } from "./rekor-api.ts";
import { checkTiledLog, entryBundles, getEntries } from "./tiled-log.ts";

export interface UrlCheck {
  /** An installation's origin, or the URL of one log of it. */
  readonly url: string;
  readonly log: "rekor" | "rekor-v2" | "ctlog";
  /** Of a Rekor v1 log, which of its trees; undefined: the one that grows. */
  readonly treeId?: string | undefined;
  /** Undefined: the one the server publishes. */
  readonly key?: KeyObject | undefined;
  readonly progress?: Progress | undefined;
}

/** Reads a log as any stranger can. Throws the first Difference. */
export async function checkUrl({ url, log, treeId, key: given, progress }: UrlCheck): Promise<CleanLog> {
  const asked = new URL(url);
  const isWhole = asked.pathname === "/";
  const trusted = (await publishedTrust(asked.origin))?.[log === "ctlog" ? "ctlog" : "rekor"] ?? [];
  const here = trusted.filter(({ baseUrl }) => isWhole || samePath(baseUrl, asked));
  const published = here.length > 0 ? here : trusted;
  const keys = given === undefined ? published.map(({ key }) => key) : [given];
  if (keys.length === 0) throw new Misconfigured("--key", `${asked.origin} publishes no key of its ${log}`);
  // The log's own name, even when it is read through another one.
  const named = published[0]?.baseUrl ?? asked;
  if (log === "rekor") return checkRekor(url, treeId, { hostname: named.hostname, keys }, progress);
  if (log === "rekor-v2") {
    const base = new HttpLog(url);
    const origin = named.hostname.replace(/^\[(.*)\]$/, "$1");
    return checkTiledLog(base, { origin, signer: origin, signs: "text", keys }, entryBundles(base), progress);
  }
  const base = new HttpLog(isWhole && published.length > 0 ? asked.origin + named.pathname : url);
  const origin = withoutEndSlashes(named.hostname + named.pathname);
  return checkTiledLog(base, { origin, signer: origin, signs: "tree head", keys }, getEntries(base), progress);
}

/** The IDs of a Rekor v1 log's trees, oldest first; the last one grows. */
export async function rekorTrees(url: string): Promise<readonly string[]> {
  return (await readHeads(new HttpLog(url))).map(({ treeId }) => treeId);
}

/** By tiles where the server has them; upstream's has not. */
async function checkRekor(
  url: string,
  asked: string | undefined,
  who: { readonly hostname: string; readonly keys: readonly KeyObject[] },
  progress: Progress | undefined,
): Promise<CleanLog> {
  const api = new HttpLog(url);
  if ((await api.get("/api/v1/log/checkpoint")) === undefined) return checkRekorApi(api, who, progress, asked);
  const { treeId, treeSize, grows } = await readTreeHead(api, asked);
  const tiles = new HttpLog(`${api.base}/api/v1/log${grows ? "" : `/shards/${treeId}`}`);
  const identity = {
    origin: `${who.hostname} - ${treeId}`,
    signer: who.hostname,
    signs: "text",
    keys: who.keys,
  } as const;
  const clean = await checkTiledLog(tiles, identity, entryBundles(tiles), progress);
  // The API was asked first: a tree that it says is larger than the one of the tiles is another.
  if (BigInt(treeSize) <= clean.size) return clean;
  throw new Difference({ kind: "checkpoint", field: "treeSize of the API" }, `at most ${clean.size}`, String(treeSize));
}

function samePath(a: URL, b: URL): boolean {
  return withoutEndSlashes(a.pathname) === withoutEndSlashes(b.pathname);
}
