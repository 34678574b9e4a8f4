import { type DynamicModule, Inject, Logger, Module, type OnModuleDestroy, type OnModuleInit } from "@nestjs/common";
import { ReadinessRegistry } from "@chancery/service";
import { FileDirectory, FileVersionFloor } from "./domain/tuf/file-directory.ts";
import { Renewal } from "./domain/tuf/renewal.ts";
import { TufRepository } from "./domain/tuf/repository.ts";
import { TrustController } from "./http/trust.controller.ts";
import { TufController } from "./http/tuf.controller.ts";
import { TRUST_CONFIG, TRUST_MATERIAL, type TrustConfig, type TrustLinks } from "./trust.config.ts";

/** The trust root: `/tuf`, `/trust`, and the timer that keeps the signatures fresh. */
@Module({})
export class TrustModule implements OnModuleInit, OnModuleDestroy {
  readonly #renewal: Renewal;
  readonly #readiness: ReadinessRegistry;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(@Inject(Renewal) renewal: Renewal, @Inject(ReadinessRegistry) readiness: ReadinessRegistry) {
    this.#renewal = renewal;
    this.#readiness = readiness;
  }

  static forRoot(config: TrustConfig, links: TrustLinks): DynamicModule {
    const clock = links.clock ?? Date.now;
    return {
      module: TrustModule,
      controllers: [TufController, TrustController],
      providers: [
        { provide: TRUST_CONFIG, useValue: config },
        { provide: TRUST_MATERIAL, useValue: links.material },
        { provide: TufRepository, useFactory: () => openRepository(config, links, clock()) },
        {
          provide: Renewal,
          inject: [TufRepository],
          useFactory: (repository: TufRepository) => new Renewal(repository, clock, renewalLog()),
        },
      ],
      exports: [TufRepository],
    };
  }

  onModuleInit(): void {
    this.#readiness.add("trust", () => Promise.resolve(this.#renewal.worry()));
    this.#running = this.#renewal.run(this.#stop.signal);
  }

  async onModuleDestroy(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

async function openRepository(config: TrustConfig, links: TrustLinks, now: number): Promise<TufRepository> {
  return TufRepository.open({
    directory: await FileDirectory.open(config.directory),
    floor: new FileVersionFloor(config.floor),
    keys: links.keys,
    targets: links.material.targets,
    now,
  });
}

function renewalLog() {
  const logger = new Logger("trust");
  return {
    renewed: (roles: readonly string[]) => logger.log(`signed anew: ${roles.join(", ")}`),
    failed: (error: unknown) => logger.error("TUF metadata could not be signed anew; trying again", error),
  };
}
