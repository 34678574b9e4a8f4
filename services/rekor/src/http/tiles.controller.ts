import { Controller, Get, Header, Inject, Param, Req, UseFilters } from "@nestjs/common";
import { faultFilter, rawPathFrom } from "@chancery/service";
import type { FastifyRequest } from "fastify";
import { RekorLog } from "../domain/rekor-log.ts";
import { rekorErrors } from "./error-shape.ts";
import { parseTreeId } from "./query-parameters.ts";

/**
 * The v1 log as c2sp.org/tlog-tiles, which upstream does not have: whoever audits it whole reads 256 entries a request,
 * and caches may keep them, instead of ten, each with a proof and a signature made for it. Below `shards/`, any of its shards.
 */
@Controller("api/v1/log")
@UseFilters(faultFilter(rekorErrors()))
export class TilesController {
  readonly #log: RekorLog;

  constructor(@Inject(RekorLog) log: RekorLog) {
    this.#log = log;
  }

  @Get("checkpoint")
  @Header("Cache-Control", "no-store")
  @Header("Content-Type", "text/plain; charset=utf-8")
  async checkpoint() {
    return Buffer.from((await this.#log.treeHead(undefined)).note);
  }

  @Get("tile/*")
  @Header("Cache-Control", "public, max-age=31536000, immutable")
  @Header("Content-Type", "application/octet-stream")
  async tile(@Req() request: FastifyRequest) {
    return Buffer.from(await this.#log.tileResource(rawPathFrom(request, "tile"), undefined));
  }

  /** Oldest first. It asks no database, so that whoever watches the shards finds them when one of them is ill. */
  @Get("shards")
  @Header("Cache-Control", "no-store")
  shards() {
    return this.#log.shards().map(({ treeId, first }) => ({ treeID: String(treeId), first: String(first) }));
  }

  @Get("shards/:treeID/checkpoint")
  @Header("Cache-Control", "no-store")
  @Header("Content-Type", "text/plain; charset=utf-8")
  async shardCheckpoint(@Param("treeID") treeId: string) {
    return Buffer.from((await this.#log.treeHead(parseTreeId(treeId))).note);
  }

  @Get("shards/:treeID/tile/*")
  @Header("Cache-Control", "public, max-age=31536000, immutable")
  @Header("Content-Type", "application/octet-stream")
  async shardTile(@Param("treeID") treeId: string, @Req() request: FastifyRequest) {
    return Buffer.from(await this.#log.tileResource(rawPathFrom(request, "tile"), parseTreeId(treeId)));
  }
}
