import { Unverified } from "@chancery/fault";
import type { TrustedKey } from "./trusted-keys.ts";

/** A log of this server, as its pages call it. */
export type NamedLog = "rekor" | "rekor-v2" | "ctlog";

/**
 * The origin is under the log's signature, its name is the server's word. So the two are held against each other: Rekor
 * v1 signs as `host - tree`, Rekor v2 as the bare host, a log of certificates as `host/ctlog/shard`, and the host is the
 * one under which the trusted root names the key. Else a server could show one log for another.
 */
export function requireOrigin(origin: string, log: NamedLog, { label }: Pick<TrustedKey, "label">): void {
  const [, place = ""] = ORIGINS[log].exec(origin) ?? [];
  const trusted = placeOf(label);
  if (place !== "" && (trusted === undefined || trusted === withoutBrackets(place))) return;
  const of = trusted === undefined || place === "" ? "" : `, and by the key of ${label}`;
  throw new Unverified(`this is signed as “${origin}”${of}: it is not the log ${log} that it is shown as`);
}

const ORIGINS: Readonly<Record<NamedLog, RegExp>> = {
  rekor: /^([^\s/]+) - \d{1,19}$/,
  "rekor-v2": /^([^\s/]+)$/,
  ctlog: /^([^\s/]+\/ctlog\/[^\s/]+)$/,
};

export function isNamedLog(name: string | undefined): name is NamedLog {
  return name !== undefined && Object.hasOwn(ORIGINS, name);
}

/** What a trusted root calls a log by, without scheme and port; undefined for a key that somebody put here by itself. */
function placeOf(label: string): string | undefined {
  const url = URL.parse(label);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  return withoutBrackets(`${url.hostname}${url.pathname.replace(/\/$/, "")}`);
}

function withoutBrackets(place: string): string {
  return place.replace(/^\[(.*?)\]/, "$1");
}
