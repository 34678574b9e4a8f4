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
  readonly log: "rekor" | "ctlog";
  /** Undefined: the one the server publishes. */
  readonly key?: KeyObject | undefined;
  readonly progress?: Progress | undefined;
}

/** Reads a log as any stranger can. Throws the first Difference. */
export async function checkUrl({ url, log, key: givenKey, progress }: UrlCheck): Promise<CleanLog> {
  const asked = new URL(url);
  const trust = (await publishedTrust(asked.origin))?.[log] ?? [];
  const isWhole = asked.pathname === "/";
  const published = trust.find(({ baseUrl }) => isWhole || samePath(baseUrl, asked)) ?? trust[0];
  const key = givenKey ?? published?.key;
  if (key === undefined) throw new Misconfigured("--key", `${asked.origin} publishes no key of its ${log}`);
  // The log's own name, even when it is read through another one.
  const { hostname, pathname } = published?.baseUrl ?? asked;
  if (log === "ctlog") {
    const base = new HttpLog(isWhole && published !== undefined ? asked.origin + published.baseUrl.pathname : url);
    const origin = (hostname + pathname).replace(/\/+$/, "");
    return checkTiledLog(base, { origin, signer: origin, signs: "tree head", key }, getEntries(base), progress);
  }
  const base = new HttpLog(url);
  if ((await base.get("/checkpoint")) === undefined) return checkRekorApi(base, { hostname, key }, progress);
  const identity = { origin: hostname, signer: hostname, signs: "text", key } as const;
  return checkTiledLog(base, identity, entryBundles(base), progress);
}

function samePath(a: URL, b: URL): boolean {
  return a.pathname.replace(/\/+$/, "") === b.pathname.replace(/\/+$/, "");
}
