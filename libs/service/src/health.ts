import { Controller, type DynamicModule, Get, Global, Header, Inject, Injectable, Module, Res } from "@nestjs/common";
import type { FastifyReply } from "fastify";

/** Undefined when the service can do its work, else one clear sentence. It MUST NOT change anything. */
export type ReadinessCheck = () => Promise<string | undefined>;

/** One who can work now and will not for ever unless somebody acts. */
export interface Warning {
  readonly service: string;
  readonly warning: string;
}

export interface NotReady {
  readonly service: string;
  readonly reason: string;
}

const CHECK_TIMEOUT_MS = 2_000;
const CACHED_MS = 500;

/** Where each service says whether it can work; `GET /readyz` reads it. */
@Injectable()
export class ReadinessRegistry {
  readonly #checks: { readonly service: string; readonly check: ReadinessCheck }[] = [];
  readonly #worries: { readonly service: string; readonly worry: () => string | undefined }[] = [];
  #latest: { readonly at: number; readonly reasons: Promise<readonly NotReady[]> } | undefined;
  #closing = false;

  add(service: string, check: ReadinessCheck): void {
    this.#checks.push({ service, check });
    this.#latest = undefined;
  }

  /** `worry` answers one clear sentence, or undefined; it changes no status, and is shown beside it. */
  warn(service: string, worry: () => string | undefined): void {
    this.#worries.push({ service, worry });
  }

  warnings(): readonly Warning[] {
    return this.#worries.flatMap(({ service, worry }) => {
      const warning = worry();
      return warning === undefined ? [] : [{ service, warning }];
    });
  }

  /** From now on not ready: a balancer should send its requests elsewhere. */
  close(): void {
    this.#closing = true;
  }

  /** Answered from a result of at most half a second ago, so that probes cost the database nothing. */
  async reasons(): Promise<readonly NotReady[]> {
    if (this.#closing) return [{ service: "chancery", reason: "shutting down" }];
    if (this.#latest === undefined || performance.now() - this.#latest.at > CACHED_MS) {
      this.#latest = { at: performance.now(), reasons: this.#ask() };
    }
    return this.#latest.reasons;
  }

  async #ask(): Promise<readonly NotReady[]> {
    const answers = await Promise.all(
      this.#checks.map(async ({ service, check }) => ({ service, reason: await withinTime(check) })),
    );
    return answers.filter((answer): answer is NotReady => answer.reason !== undefined);
  }
}

async function withinTime(check: ReadinessCheck): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS);
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return error instanceof Error ? error.message : "the check failed";
  } finally {
    clearTimeout(timer);
  }
}

/** Process alive, able to work, and the two forms that upstream's clients ask for. */
@Controller()
export class HealthController {
  readonly #readiness: ReadinessRegistry;

  constructor(@Inject(ReadinessRegistry) readiness: ReadinessRegistry) {
    this.#readiness = readiness;
  }

  @Get("livez")
  @Header("Cache-Control", "no-store")
  alive() {
    return { status: "alive" };
  }

  @Get("readyz")
  @Header("Cache-Control", "no-store")
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const reasons = await this.#readiness.reasons();
    const warnings = this.#readiness.warnings();
    const warned = warnings.length === 0 ? {} : { warnings };
    if (reasons.length === 0) return { status: "ready", ...warned };
    reply.code(503);
    return { status: "not ready", reasons, ...warned };
  }

  @Get("healthz")
  serving() {
    return { status: "SERVING" };
  }

  /** Upstream's Rekor and timestamp authority answer one dot. */
  @Get("ping")
  @Header("Content-Type", "text/plain")
  ping() {
    return ".";
  }
}

@Global()
@Module({})
export class HealthModule {
  static forRoot(readiness: ReadinessRegistry): DynamicModule {
    return {
      module: HealthModule,
      controllers: [HealthController],
      providers: [{ provide: ReadinessRegistry, useValue: readiness }],
      exports: [ReadinessRegistry],
    };
  }
}
