import { join } from "node:path";
import { type DynamicModule, Inject, Module, type OnModuleInit, Optional } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import { ReadinessRegistry } from "@chancery/service";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { About } from "./domain/about.ts";
import { readSite, type Site } from "./domain/site.ts";
import { AboutController } from "./http/about.controller.ts";
import { PagesController, sendPage } from "./http/pages.controller.ts";
import { ABOUT, SITE } from "./http/tokens.ts";

export interface ExplorerLinks {
  /** Asked at each request: issuers change without a restart. */
  readonly about: () => About;
}

/** The same place from the sources and from what was compiled. */
const SITE_FOLDER = join(import.meta.dirname, "../dist/site");

/** The pages at `/`: static files, which read the same API as everyone else, and what the page on signing tells. */
@Module({})
export class ExplorerModule implements OnModuleInit {
  readonly #site: Site | undefined;
  readonly #readiness: ReadinessRegistry;
  readonly #host: HttpAdapterHost;

  constructor(
    @Optional() @Inject(SITE) site: Site | undefined,
    @Inject(ReadinessRegistry) readiness: ReadinessRegistry,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
  ) {
    this.#site = site;
    this.#readiness = readiness;
    this.#host = host;
  }

  static forRoot({ about }: ExplorerLinks, folder = SITE_FOLDER): DynamicModule {
    return {
      module: ExplorerModule,
      controllers: [PagesController, AboutController],
      providers: [
        { provide: SITE, useFactory: () => readSite(folder) },
        { provide: ABOUT, useValue: about },
      ],
    };
  }

  /** A stack without its pages signs and logs as any other: said, and no reason to be taken out of service. */
  onModuleInit(): void {
    const site = this.#site;
    if (site !== undefined) {
      const fastify = this.#host.httpAdapter.getInstance<FastifyInstance>();
      const pageNotFound = ({ headers }: FastifyRequest, reply: FastifyReply) =>
        sendPage(reply, site, headers["accept-encoding"]);
      fastify.decorate("pageNotFound", pageNotFound);
      return;
    }
    this.#readiness.warn("explorer", () => "the pages have not been built: node services/explorer/build.mjs");
  }
}
