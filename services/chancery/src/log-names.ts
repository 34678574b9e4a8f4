import { Misconfigured } from "@chancery/fault";

/** The logs that every installation has, each with the key of its name. */
export const LOG_NAMES = ["rekor", "rekor-v2", "ctlog"] as const;

/** The logs of Rekor's v1 API, one after the other: `rekor`, `rekor-shard-2`, … */
export type RekorShardName = "rekor" | `rekor-shard-${number}`;

/** What a log is called in the database, and its key and its anchor in their folders. */
export type LogName = (typeof LOG_NAMES)[number] | RekorShardName;

const SHARD_NAME = /^rekor-shard-([2-9]|[1-9]\d)$/;
/** By two digits in a name. */
export const MOST_REKOR_SHARDS = 99;

/** `position` counts from 0. */
export function rekorShardName(position: number): RekorShardName {
  return position === 0 ? "rekor" : `rekor-shard-${position + 1}`;
}

export function isRekorShard(name: string): name is RekorShardName {
  return name === "rekor" || SHARD_NAME.test(name);
}

export function isLogName(name: string): name is LogName {
  return LOG_NAMES.some((log) => log === name) || isRekorShard(name);
}

/** The log that a command's `--log` names. Whether there is such a shard is for its installation to say. */
export function requireLogName(flag: string | undefined): LogName {
  if (flag === undefined || !isLogName(flag)) {
    throw new Misconfigured("--log", `say one of ${LOG_NAMES.join(", ")}, or rekor-shard-2 and so on`);
  }
  return flag;
}
