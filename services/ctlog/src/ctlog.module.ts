import {
  Controller,
  type DynamicModule,
  Inject,
  Logger,
  Module,
  type NestModule,
  type OnModuleDestroy,
  type OnModuleInit,
} from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import type { Signer } from "@chancery/crypto";
import { Misconfigured } from "@chancery/fault";
import type { TransparencyLog } from "@chancery/log";
import { faultFilter, ReadinessRegistry } from "@chancery/service";
import type { Certificate } from "@chancery/x509";
import type { FastifyInstance } from "fastify";
import { CertificateTransparencyLog } from "./domain/certificate-transparency-log.ts";
import { TreeHeadRenewal } from "./domain/tree-head-renewal.ts";
import { MAX_BODY_BYTES } from "./http/ct-api.ts";
import { CtController } from "./http/ct.controller.ts";
import { textErrors } from "./http/text-errors.ts";

export interface CtLogConfig {
  /** The log's name below `/ctlog/`; a new one for each key. */
  readonly shard: string;
  /** Submissions must lead to one of them. */
  readonly roots: readonly Certificate[];
}

export interface CtLogLinks {
  /** Opened with `ctTreeHeadSigner` over the same key. */
  readonly log: TransparencyLog;
  readonly signer: Signer;
}

const SHARD = Symbol("shard");

/** One shard of the CT log. It has nothing to make a request with: everything it knows was submitted to it. */
@Module({})
export class CtLogModule implements NestModule, OnModuleInit, OnModuleDestroy {
  readonly #adapterHost: HttpAdapterHost;
  readonly #readiness: ReadinessRegistry;
  readonly #log: CertificateTransparencyLog;
  readonly #renewal: TreeHeadRenewal;
  readonly #shard: string;
  readonly #stop = new AbortController();
  #renewing: Promise<void> | undefined;

  constructor(
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
    @Inject(CertificateTransparencyLog) log: CertificateTransparencyLog,
    @Inject(TreeHeadRenewal) renewal: TreeHeadRenewal,
    @Inject(SHARD) shard: string,
  ) {
    this.#adapterHost = adapterHost;
    this.#readiness = readiness;
    this.#log = log;
    this.#renewal = renewal;
    this.#shard = shard;
  }

  static forRoot({ shard, roots }: CtLogConfig, links: CtLogLinks): DynamicModule {
    if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(shard)) {
      throw new Misconfigured("ctlog.shard", "is not 1 to 63 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
    }
    return {
      module: CtLogModule,
      controllers: [controllerOf(shard)],
      providers: [
        { provide: CertificateTransparencyLog, useValue: new CertificateTransparencyLog({ roots, ...links }) },
        { provide: TreeHeadRenewal, useValue: new TreeHeadRenewal(links.log, renewalLog(shard)) },
        { provide: SHARD, useValue: shard },
      ],
      exports: [CertificateTransparencyLog],
    };
  }

  /** Called before routes are made: the only place from which a route's own body limit can be set. */
  configure(): void {
    const submissions = `/ctlog/${this.#shard}/ct/v1/add-`;
    this.#adapterHost.httpAdapter.getInstance<FastifyInstance>().addHook("onRoute", (route) => {
      if (!route.url.startsWith(submissions)) return;
      route.bodyLimit = MAX_BODY_BYTES;
      // A body that is refused unread never reaches the controller, nor the filter that stands on it.
      route.errorHandler = (error, request, reply) => {
        faultFilter(textErrors).catch(error, new ExecutionContextHost([request, reply]));
      };
    });
  }

  onModuleInit(): void {
    this.#readiness.add("ctlog", () => this.#log.readiness());
    this.#readiness.warn("ctlog", () => this.#log.warning());
    this.#renewing = this.#renewal.run(this.#stop.signal);
  }

  async onModuleDestroy(): Promise<void> {
    this.#stop.abort();
    await this.#renewing;
  }
}

function renewalLog(shard: string) {
  const logger = new Logger(`ctlog ${shard}`);
  return {
    failed: (error: unknown) => logger.warn("the tree head could not be signed anew; trying again", error),
  };
}

/** A route's path stands on its class, so each shard of a process needs a class of its own; it adds nothing else. */
function controllerOf(shard: string): typeof CtController {
  class ShardController extends CtController {}
  Controller(`ctlog/${shard}`)(ShardController);
  return ShardController;
}
