import { Controller, Get, Header, Inject, Req, UseFilters } from "@nestjs/common";
import { faultFilter, rawPathFrom } from "@chancery/service";
import type { FastifyRequest } from "fastify";
import { RekorV2Log } from "../../domain/v2/rekor-v2-log.ts";
import { v2Errors } from "./v2-errors.ts";

/** Nothing in a tile or bundle of a given width ever changes. */
const IMMUTABLE = "public, max-age=31536000, immutable";

/**
 * The log for readers: c2sp.org/tlog-tiles. Under `/api/v2`, where upstream's API description has it, and at the root,
 * since the log's URL in a trusted root is where a tiles client starts from.
 */
@Controller(["", "api/v2"])
@UseFilters(faultFilter(v2Errors))
export class V2TilesController {
  readonly #log: RekorV2Log;

  constructor(@Inject(RekorV2Log) log: RekorV2Log) {
    this.#log = log;
  }

  @Get("checkpoint")
  @Header("Cache-Control", "no-store")
  @Header("Content-Type", "text/plain; charset=utf-8")
  async checkpoint() {
    return Buffer.from(await this.#log.checkpoint());
  }

  @Get("tile/*")
  @Header("Cache-Control", IMMUTABLE)
  @Header("Content-Type", "application/octet-stream")
  async tile(@Req() request: FastifyRequest) {
    return Buffer.from(await this.#log.tileResource(rawPathFrom(request, "tile")));
  }
}
