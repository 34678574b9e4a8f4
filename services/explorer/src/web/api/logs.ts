import { type Answer, ask } from "./answer.ts";
import { decimal, flag, list, optional, shape, type Shaped, text } from "./shape.ts";

const log = shape({
  log: text,
  origin: text,
  publicKey: text,
  keyId: optional(text),
  logId: optional(text),
  size: decimal,
  root: text,
  time: optional(text),
  checkpoint: optional(text),
  frozen: optional(flag),
  readOnly: optional(flag),
  shards: optional(
    list(
      shape({
        origin: text,
        publicKey: optional(text),
        size: decimal,
        root: optional(text),
        first: optional(decimal),
      }),
    ),
  ),
});
export type Log = Shaped<typeof log>;

/** Of all trees of a log that has several: the size told is the newest one's. */
export function entriesOf({ size, shards = [] }: Pick<Log, "size" | "shards">): bigint {
  if (shards.length < 2) return BigInt(size);
  return shards.reduce((sum, shard) => sum + BigInt(shard.size), 0n);
}

export function fetchLogs(signal?: AbortSignal): Promise<Answer<readonly Log[]>> {
  return ask("/logs", list(log), {}, signal);
}

const growth = shape({ points: list(shape({ time: text, size: decimal })) });
export type Growth = Shaped<typeof growth>;
export type Interval = "hour" | "day" | "week" | "month";

export interface GrowthRequest {
  readonly from: string;
  readonly to: string;
  readonly interval: Interval;
}

export function fetchGrowth(name: string, range: GrowthRequest, signal?: AbortSignal): Promise<Answer<Growth>> {
  return ask(`/logs/${name}/growth`, growth, { ...range }, signal);
}
