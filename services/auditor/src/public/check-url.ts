import type { KeyObject } from "node:crypto";
import { Misconfigured } from "@chancery/fault";
import type { CleanLog, Progress } from "../domain/progress.ts";
import { HttpLog } from "./http-log.ts";
import { publishedTrust } from "./published-trust.ts";
import { checkRekorApi } from "./rekor-api.ts";
import { checkTiledLog, entryBundles, getEntries } from "./tiled-log.ts";

export interface UrlCheck {
  /** An installation's origin, or the URL of one log of it. */
  readonly url: string;
  readonly log: "rekor" | "rekor-v2" | "ctlog";
  /** Undefined: the one the server publishes. */
  readonly key?: KeyObject | undefined;
  readonly progress?: Progress | undefined;
}

/** Reads a log as any stranger can. Throws the first Difference. */
export async function checkUrl({ url, log, key: given, progress }: UrlCheck): Promise<CleanLog> {
  const asked = new URL(url);
  const isWhole = asked.pathname === "/";
  const trusted = (await publishedTrust(asked.origin))?.[log === "ctlog" ? "ctlog" : "rekor"] ?? [];
  const here = trusted.filter(({ baseUrl }) => isWhole || samePath(baseUrl, asked));
  const published = here.length > 0 ? here : trusted;
  const keys = given === undefined ? published.map(({ key }) => key) : [given];
  if (keys.length === 0) throw new Misconfigured("--key", `${asked.origin} publishes no key of its ${log}`);
  // The log's own name, even when it is read through another one.
  const named = published[0]?.baseUrl ?? asked;
  if (log === "rekor") return checkRekorApi(new HttpLog(url), { hostname: named.hostname, keys }, progress);
  if (log === "rekor-v2") {
    const base = new HttpLog(url);
    const origin = named.hostname.replace(/^\[(.*)\]$/, "$1");
    return checkTiledLog(base, { origin, signer: origin, signs: "text", keys }, entryBundles(base), progress);
  }
  const base = new HttpLog(isWhole && published.length > 0 ? asked.origin + named.pathname : url);
  const origin = (named.hostname + named.pathname).replace(/\/+$/, "");
  return checkTiledLog(base, { origin, signer: origin, signs: "tree head", keys }, getEntries(base), progress);
}

function samePath(a: URL, b: URL): boolean {
  return a.pathname.replace(/\/+$/, "") === b.pathname.replace(/\/+$/, "");
}
