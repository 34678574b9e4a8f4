import { type DynamicModule, Inject, Module, type NestModule, type OnModuleInit } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import type { Signer } from "@chancery/crypto";
import type { TransparencyLog } from "@chancery/log";
import { GrpcServices, GrpcStatus, ReadinessRegistry } from "@chancery/service";
import type { FastifyInstance } from "fastify";
import { type ProposalPolicy, proposalPolicy } from "./domain/judge-proposal.ts";
import { RekorV2Log, type V2WritePolicy } from "./domain/v2/rekor-v2-log.ts";
import type { RekorV2Identity } from "./domain/v2/tree-head-signer.ts";
import { rekorV2Grpc } from "./grpc/rekor-v2.ts";
import { MAX_REQUEST_BYTES } from "./http/v2/create-entry-request.ts";
import { V2_INTAKE, V2EntriesController } from "./http/v2/entries.controller.ts";
import { V2TilesController } from "./http/v2/tiles.controller.ts";
import { rpcStatus } from "./http/v2/v2-errors.ts";
import { proposalThread } from "./intake/proposal-thread.ts";

export interface RekorV2Config extends RekorV2Identity, V2WritePolicy {}

export interface RekorV2Links {
  /** Opened with `rekorV2TreeHeadSigner` of the same origin and key. */
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

const POLICY = Symbol("rekor-v2 policy");
const ENTRIES = "/api/v2/log/entries";

/** The Rekor v2 API over one log. */
@Module({})
export class RekorV2Module implements NestModule, OnModuleInit {
  readonly #adapterHost: HttpAdapterHost;
  readonly #readiness: ReadinessRegistry;
  readonly #log: RekorV2Log;

  constructor(
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
    @Inject(RekorV2Log) log: RekorV2Log,
    @Inject(GrpcServices) served: GrpcServices,
    @Inject(POLICY) policy: ProposalPolicy,
  ) {
    this.#adapterHost = adapterHost;
    this.#readiness = readiness;
    this.#log = log;
    served.add(rekorV2Grpc(log, policy));
  }

  static forRoot(config: RekorV2Config, links: RekorV2Links): DynamicModule {
    return {
      module: RekorV2Module,
      controllers: [V2EntriesController, V2TilesController],
      providers: [
        { provide: RekorV2Log, useValue: new RekorV2Log(config, links) },
        { provide: V2_INTAKE, useValue: proposalThread.intake("v2", proposalPolicy(config)) },
        { provide: POLICY, useValue: proposalPolicy(config) },
      ],
    };
  }

  /** Nest calls this before it makes the routes; `onModuleInit` would be too late. */
  configure(): void {
    this.#fastify.addHook("onRoute", (route) => {
      if (route.url === ENTRIES && route.method === "POST") route.bodyLimit = MAX_REQUEST_BYTES;
    });
  }

  onModuleInit(): void {
    proposalThread.start();
    this.#readiness.add("rekor-v2", () => this.#log.readiness());
    this.#readiness.warn("rekor-v2", () => this.#log.warning());
    // The gateway in front of upstream's service answers 501 where HTTP has 405; 405 says that a log is frozen.
    this.#fastify.route({
      method: ["GET", "PUT", "PATCH", "DELETE"],
      url: ENTRIES,
      handler: (_request, reply) =>
        reply.code(501).type("application/json").send(rpcStatus(GrpcStatus.UNIMPLEMENTED, "Method Not Allowed")),
    });
  }

  get #fastify(): FastifyInstance {
    return this.#adapterHost.httpAdapter.getInstance<FastifyInstance>();
  }
}
