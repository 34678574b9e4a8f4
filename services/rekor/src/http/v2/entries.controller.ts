import { Body, Controller, Inject, Post, Res, UseFilters } from "@nestjs/common";
import { faultFilter } from "@chancery/service";
import type { FastifyReply } from "fastify";
import { RekorV2Log } from "../../domain/v2/rekor-v2-log.ts";
import { readCreateEntryRequest } from "./create-entry-request.ts";
import { encodeTransparencyLogEntry } from "./transparency-log-entry.ts";
import { rpcStatus, v2Errors } from "./v2-errors.ts";

const ALREADY_EXISTS = 6;

@Controller("api/v2/log/entries")
@UseFilters(faultFilter(v2Errors))
export class V2EntriesController {
  readonly #log: RekorV2Log;

  constructor(@Inject(RekorV2Log) log: RekorV2Log) {
    this.#log = log;
  }

  /** No content type is asked for, as upstream's gateway reads every body as JSON. */
  @Post()
  async create(@Body() body: Uint8Array, @Res({ passthrough: true }) reply: FastifyReply) {
    const { entry, duplicate } = await this.#log.create(readCreateEntryRequest(body));
    if (!duplicate) return encodeTransparencyLogEntry(entry);
    const { index } = entry.proof;
    reply.code(409).header("x-log-index", String(index)).type("application/json");
    const message = `an equivalent entry already exists in the transparency log with index ${index}`;
    return rpcStatus(ALREADY_EXISTS, message);
  }
}
