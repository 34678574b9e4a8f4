import { type DynamicModule, Inject, Module, type NestModule, type OnModuleInit } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import { ReadinessRegistry } from "@chancery/service";
import type { FastifyInstance } from "fastify";
import { proposalPolicy } from "./domain/judge-proposal.ts";
import { RekorLog, type RekorLogLinks } from "./domain/rekor-log.ts";
import { checkIdentity, type RekorIdentity } from "./domain/tree-head-signer.ts";
import type { WritePolicy } from "./domain/write-policy.ts";
import { EntriesController, INTAKE } from "./http/entries.controller.ts";
import { IndexController } from "./http/index.controller.ts";
import { type BodyLimits, type Operation, shapeRoutes } from "./http/operations.ts";
import { MAX_ENTRY_BYTES, MAX_SEARCH_BYTES } from "./http/request-body.ts";
import { TilesController } from "./http/tiles.controller.ts";
import { TreeController } from "./http/tree.controller.ts";
import { proposalThread } from "./intake/proposal-thread.ts";

export interface RekorConfig extends RekorIdentity, WritePolicy {
  /** Upstream's `--enabled_api_endpoints`: all unless told. */
  readonly enabledOperations?: readonly Operation[];
}

/** The log of the configured name and tree ID, which takes entries, and those before it. */
export type RekorLinks = RekorLogLinks;

const BODY_LIMITS: BodyLimits = {
  createLogEntry: MAX_ENTRY_BYTES,
  searchLogQuery: MAX_ENTRY_BYTES,
  searchIndex: MAX_SEARCH_BYTES,
};

const CONFIG = Symbol("rekor config");

/** The Rekor v1 API over one log, of one shard or more. */
@Module({})
export class RekorModule implements NestModule, OnModuleInit {
  readonly #adapterHost: HttpAdapterHost;
  readonly #readiness: ReadinessRegistry;
  readonly #log: RekorLog;
  readonly #config: RekorConfig;

  constructor(
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
    @Inject(RekorLog) log: RekorLog,
    @Inject(CONFIG) config: RekorConfig,
  ) {
    this.#adapterHost = adapterHost;
    this.#readiness = readiness;
    this.#log = log;
    this.#config = config;
  }

  static forRoot(config: RekorConfig, links: RekorLinks): DynamicModule {
    checkIdentity(config);
    return {
      module: RekorModule,
      controllers: [EntriesController, IndexController, TilesController, TreeController],
      providers: [
        { provide: RekorLog, useValue: new RekorLog(config, links) },
        { provide: INTAKE, useValue: proposalThread.intake("v1", proposalPolicy(config)) },
        { provide: CONFIG, useValue: config },
      ],
    };
  }

  /** Nest calls this before it makes the routes; `onModuleInit` would be too late. */
  configure(): void {
    const fastify = this.#adapterHost.httpAdapter.getInstance<FastifyInstance>();
    shapeRoutes(fastify, { enabled: this.#config.enabledOperations, limits: BODY_LIMITS });
  }

  onModuleInit(): void {
    proposalThread.start();
    this.#readiness.add("rekor", () => this.#log.readiness());
    this.#readiness.warn("rekor", () => this.#log.warning());
  }
}
