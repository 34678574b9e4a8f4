import { Controller, Get, Header, Inject, Param, Query, UseFilters } from "@nestjs/common";
import { encodeHex } from "@chancery/encoding";
import { NotFound } from "@chancery/fault";
import { codedErrorShape, faultFilter } from "@chancery/service";
import { defaultFrom, growth, INTERVALS } from "../../domain/search/growth.ts";
import {
  describeLog,
  type DescribedLog,
  type LogDescription,
  type ShardDescription,
} from "../../domain/search/log-description.ts";
import { decodeNote } from "../checkpoint-text.ts";
import type { Query as QueryParameters } from "../query-parameters.ts";
import { encodeTime } from "./entry-json.ts";
import { choice, requireKnown, timeParameter } from "./search-parameters.ts";

export const DESCRIBED_LOGS = Symbol("described logs");
export const CLOCK = Symbol("clock");

/** The logs of this installation: whose they are, how large, and how they grew. */
@Controller("api/chancery/v1/logs")
@UseFilters(faultFilter(codedErrorShape))
export class LogsController {
  readonly #logs: readonly DescribedLog[];
  readonly #clock: () => number;

  constructor(@Inject(DESCRIBED_LOGS) logs: readonly DescribedLog[], @Inject(CLOCK) clock: () => number) {
    this.#logs = logs;
    this.#clock = clock;
  }

  @Get()
  @Header("Cache-Control", "no-store")
  async logs() {
    return (await Promise.all(this.#logs.map(describeLog))).map(encodeLog);
  }

  @Get(":log/growth")
  @Header("Cache-Control", "no-store")
  growth(@Param("log") log: string, @Query() query: QueryParameters) {
    return this.#growth(log, query);
  }

  /** A CT log's name has its shard behind a slash. */
  @Get(":log/:shard/growth")
  @Header("Cache-Control", "no-store")
  shardGrowth(@Param("log") log: string, @Param("shard") shard: string, @Query() query: QueryParameters) {
    return this.#growth(`${log}/${shard}`, query);
  }

  async #growth(name: string, query: QueryParameters) {
    requireKnown(query, ["from", "to", "interval"]);
    const interval = choice(query, "interval", INTERVALS) ?? "day";
    const to = timeParameter(query, "to") ?? this.#clock();
    const from = timeParameter(query, "from") ?? defaultFrom(interval, to);
    const found = this.#logs.find((each) => each.name === name);
    if (found === undefined) throw new NotFound(`log: none of ${this.#logs.map((each) => each.name).join(", ")}`);
    const points = await growth(
      [...(found.inactive ?? []), found].map(({ log }) => log),
      { from, to, interval },
    );
    return { points: points.map(({ time, size }) => ({ time: encodeTime(time), size: String(size) })) };
  }
}

function encodeLog({ name, origin, publicKey, keyId, logId, checkpoint, frozen, readOnly, shards }: LogDescription) {
  const { head, time, note } = checkpoint;
  const [size, root] = [String(head.size), encodeHex(head.root)];
  return {
    log: name,
    origin,
    publicKey,
    keyId,
    logId,
    size,
    root,
    time: encodeTime(time),
    checkpoint: decodeNote(note),
    frozen,
    readOnly,
    shards: shards.map(encodeShard),
  };
}

function encodeShard({ origin, treeId, publicKey, checkpoint: { head }, first }: ShardDescription) {
  return {
    origin,
    ...(treeId !== undefined && { treeId: String(treeId) }),
    publicKey,
    size: String(head.size),
    root: encodeHex(head.root),
    first: String(first),
  };
}
