import { Controller, Get, Header, Inject, Req, UseFilters } from "@nestjs/common";
import { Malformed } from "@chancery/fault";
import { faultFilter } from "@chancery/service";
import { parseEntryBundlePath, parseTilePath } from "@chancery/tlog";
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

  /** The path is read as it was sent: a decoded `%2e` or `%2f` would be a second name for a tile. */
  @Get("tile/*")
  @Header("Cache-Control", IMMUTABLE)
  @Header("Content-Type", "application/octet-stream")
  async tile(@Req() request: FastifyRequest) {
    const [path = ""] = request.url.split("?", 1);
    const start = path.indexOf("/tile/");
    if (start < 0) throw new Malformed("tile path: is not tile/<L>/<N>");
    const name = path.slice(start + 1);
    const bytes = name.startsWith("tile/entries/")
      ? await this.#log.entryBundle(parseEntryBundlePath(name))
      : await this.#log.tile(parseTilePath(name));
    return Buffer.from(bytes);
  }
}
