import { Body, Controller, Inject, Post, Req, Res, UseFilters } from "@nestjs/common";
import { callerOf, faultFilter, GrpcStatus, withinGrpcTimeout } from "@chancery/service";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Intake } from "../../domain/judge-proposal.ts";
import { RekorV2Log } from "../../domain/v2/rekor-v2-log.ts";
import { alreadyThere, DUPLICATE_HEADER } from "./duplicate.ts";
import { writeTransparencyLogEntry } from "./transparency-log-entry.ts";
import { rpcStatus, v2Errors } from "./v2-errors.ts";

/** Of the v2 log, under which the module gives its {@link Intake}. */
export const V2_INTAKE = Symbol("rekor-v2 intake");

@Controller("api/v2/log/entries")
@UseFilters(faultFilter(v2Errors))
export class V2EntriesController {
  readonly #log: RekorV2Log;
  readonly #intake: Intake;

  constructor(@Inject(RekorV2Log) log: RekorV2Log, @Inject(V2_INTAKE) intake: Intake) {
    this.#log = log;
    this.#intake = intake;
  }

  /** No content type is asked for, as upstream's gateway reads every body as JSON. */
  @Post()
  async create(
    @Body() body: Uint8Array,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { entry, duplicate } = await withinGrpcTimeout(request.headers["grpc-timeout"], () =>
      this.#log.create(callerOf(request), () => this.#intake(body)),
    );
    if (!duplicate) {
      reply.type("application/json; charset=utf-8");
      return writeTransparencyLogEntry(entry);
    }
    const { index } = entry.proof;
    reply.code(409).header(DUPLICATE_HEADER, String(index)).type("application/json");
    return rpcStatus(GrpcStatus.ALREADY_EXISTS, alreadyThere(index));
  }
}
