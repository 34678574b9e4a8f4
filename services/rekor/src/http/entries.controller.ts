import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
} from "@nestjs/common";
import { NotFound } from "@chancery/fault";
import { callerOf, faultFilter } from "@chancery/service";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ENTRY_ID_PATTERN } from "../domain/entry-id.ts";
import type { Intake } from "../domain/judge-proposal.ts";
import { type ProvenEntry, RekorLog } from "../domain/rekor-log.ts";
import { rekorErrors } from "./error-shape.ts";
import { encodeLogEntry, writeCreatedEntry } from "./log-entry-json.ts";
import { type Query as QueryParameters, requiredInteger } from "./query-parameters.ts";
import { readEntryQuery, requireJson } from "./request-body.ts";
import { violation } from "./schema-violation.ts";

/** Of the v1 log, under which the module gives its {@link Intake}. */
export const INTAKE = Symbol("rekor intake");

export const ENTRIES_PATH = "/api/v1/log/entries";
/** Proofs and tree heads of the next minute are others. */
export const NO_CACHE = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";

/** Entries of the log: written, read by index or ID, and looked up. */
@Controller("api/v1/log/entries")
@UseFilters(faultFilter(rekorErrors()))
export class EntriesController {
  readonly #log: RekorLog;
  readonly #intake: Intake;

  constructor(@Inject(RekorLog) log: RekorLog, @Inject(INTAKE) intake: Intake) {
    this.#log = log;
    this.#intake = intake;
  }

  @Post()
  @UseFilters(faultFilter(rekorErrors("error processing entry: ")))
  async create(
    @Body() body: Uint8Array,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    requireJson(request.headers["content-type"]);
    const { entry, duplicate } = await this.#log.create(callerOf(request), () => this.#intake(body));
    // Relative, as upstream: an absolute one would be built from a Host header that anyone can set.
    reply.header("Location", `${ENTRIES_PATH}/${entry.entryId}`);
    if (duplicate) {
      reply.code(409);
      const message = `an equivalent entry already exists in the transparency log with UUID ${entry.entryId}`;
      return { code: 409, message };
    }
    // Clients generated from the API's description look the entry up under the ETag: bare, without quotes.
    reply.code(201).header("ETag", entry.entryId).type("application/json; charset=utf-8");
    return writeCreatedEntry(entry);
  }

  @Get()
  @Header("Cache-Control", NO_CACHE)
  async byIndex(@Query() query: QueryParameters) {
    return encodeFound(await this.#log.byIndex(requiredInteger(query, "logIndex", 0)));
  }

  @Get(":entryUUID")
  @Header("Cache-Control", NO_CACHE)
  async byId(@Param("entryUUID") id: string) {
    if (!new RegExp(ENTRY_ID_PATTERN).test(id)) throw violation.pattern("entryUUID", "path", ENTRY_ID_PATTERN);
    return encodeFound(await this.#log.byId(id));
  }

  @Post("retrieve")
  @HttpCode(200)
  async retrieve(@Body() body: Uint8Array, @Req() request: FastifyRequest) {
    requireJson(request.headers["content-type"]);
    const entries = await this.#log.retrieve(callerOf(request), readEntryQuery(body));
    return entries.map(encodeLogEntry);
  }
}

function encodeFound(entry: ProvenEntry | undefined): Record<string, unknown> {
  if (entry === undefined) throw new NotFound("entry: not in this log");
  return encodeLogEntry(entry);
}
