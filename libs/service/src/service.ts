import { type DynamicModule, Module, type Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import { Misconfigured } from "@chancery/fault";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BodyBudget } from "./body-budget.ts";
import { drain } from "./drain.ts";
import { type Failure, failureOf } from "./failure.ts";
import { defaultErrorShape, faultFilter } from "./fault-filter.ts";
import { HealthModule, ReadinessRegistry } from "./health.ts";
import { answerBrokenRequest, guardBodies, openToAllOrigins, requestIds, takeBodiesRaw } from "./http-edge.ts";
import { KnownPaths, refuseUnknownPaths } from "./known-paths.ts";
import { createLogger, type Logger, nestLogger } from "./logger.ts";
import { type RunningMetrics, startMetrics } from "./metrics.ts";
import { limitRequests } from "./request-limits.ts";

export interface ServiceOptions {
  /** What runs in this process: the list is the process. */
  readonly modules: readonly (DynamicModule | Type)[];
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: warnings and errors to stderr. */
  readonly logger?: Logger;
  /** Bytes of one request body. Default 4 MiB, upstream's. */
  readonly bodyLimit?: number;
  /** Bytes of all bodies being received or worked on. Default 128 MiB. */
  readonly bodyBudget?: number;
  /** Requests being answered at once; above it they are pushed back. Default 4,096. */
  readonly requestLimit?: number;
  /** A line for each request. Default off. */
  readonly accessLog?: boolean;
  readonly readiness?: ReadinessRegistry;
  readonly metrics?: { readonly port: number; readonly host?: string };
  /** Routes below Nest: called before any module's are added. */
  readonly mount?: (fastify: FastifyInstance) => void | Promise<void>;
  readonly timeouts?: Partial<Timeouts>;
}

export interface RunningService {
  /** `http://host:port` it listens on. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  readonly readiness: ReadinessRegistry;
  readonly metricsUrl: string | undefined;
  /** Stops accepting, finishes what is in flight (at most ten seconds), then ends. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds. */
interface Timeouts {
  /** From the connection's first byte to the end of the header: a slow-loris holds a socket no longer. */
  readonly headers: number;
  readonly request: number;
  /** Silence on a socket, in either direction: a client that does not read its answer. */
  readonly idle: number;
  readonly keepAlive: number;
  readonly drain: number;
  /** After the last connection was accepted: for requests that are on their way on sockets that seem idle. */
  readonly linger: number;
}

const TIMEOUTS: Timeouts = {
  headers: 10_000,
  request: 30_000,
  idle: 60_000,
  keepAlive: 5_000,
  drain: 10_000,
  linger: 250,
};
const BODY_LIMIT = 4 * 1024 * 1024;
const BODY_BUDGET = 128 * 1024 * 1024;
/** Node sets no limit of its own; 2,000 half-open sockets were accepted at once in a trial. */
const MAX_CONNECTIONS = 4_096;
/** One for each connection. */
const REQUEST_LIMIT = MAX_CONNECTIONS;

@Module({})
class ProcessModule {
  static of(options: ServiceOptions, readiness: ReadinessRegistry): DynamicModule {
    return { module: ProcessModule, imports: [HealthModule.forRoot(readiness), ...options.modules] };
  }
}

/** Builds the application and starts to listen. It throws what a module's start threw; nothing is left open then. */
export async function createService(options: ServiceOptions): Promise<RunningService> {
  const logger = options.logger ?? createLogger({ level: "warn" });
  const readiness = options.readiness ?? new ReadinessRegistry();
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const app = await buildApp(options, readiness, logger, timeouts);
  const fastify = fastifyOf(app);
  let metrics: RunningMetrics | undefined;
  try {
    if (options.metrics !== undefined) {
      metrics = await startMetrics(fastify, options.metrics.port, options.metrics.host ?? "127.0.0.1");
    }
    await listen(fastify, options.host ?? "127.0.0.1", options.port ?? 0);
  } catch (error) {
    await Promise.allSettled([app.close(), metrics?.close()]);
    throw error;
  }
  let closed: Promise<void> | undefined;
  const close = async () => {
    readiness.close();
    await drain(fastify.server, () => app.close(), timeouts);
    await metrics?.close();
  };
  return {
    url: fastify.listeningOrigin,
    app,
    readiness,
    metricsUrl: metrics?.url,
    close: () => (closed ??= close()),
  };
}

async function buildApp(
  options: ServiceOptions,
  readiness: ReadinessRegistry,
  logger: Logger,
  timeouts: Timeouts,
): Promise<NestFastifyApplication> {
  const bodyLimit = options.bodyLimit ?? BODY_LIMIT;
  const adapter = new FastifyAdapter({
    logger: false,
    skipMiddie: true,
    multipart: false,
    bodyLimit,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: requestIds(),
    keepAliveTimeout: timeouts.keepAlive,
    connectionTimeout: timeouts.idle,
    requestTimeout: timeouts.request,
    http: { headersTimeout: timeouts.headers, requestTimeout: timeouts.request, connectionsCheckingInterval: 1_000 },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      const failure = failureOf(error);
      reply.code(failure.status).send(defaultErrorShape.body(failure));
    },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.server.maxConnections = MAX_CONNECTIONS;
  limitRequests(fastify, options.requestLimit ?? REQUEST_LIMIT);
  takeBodiesRaw(fastify);
  openToAllOrigins(fastify);
  refuseUnknownPaths(fastify, new KnownPaths(fastify));
  guardBodies(fastify, new BodyBudget(options.bodyBudget ?? BODY_BUDGET), bodyLimit);
  fastify.decorate("reportFailure", (failure, request) => reportFailure(logger, failure, request));
  if (options.accessLog === true) logRequests(fastify, logger);
  await options.mount?.(fastify);
  // Without abortOnError: false a module that cannot start ends the process, and under a silent logger without a word.
  const app = await NestFactory.create<NestFastifyApplication>(ProcessModule.of(options, readiness), adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: nestLogger(logger),
  });
  app.useGlobalFilters(faultFilter());
  await app.init();
  return app;
}

function fastifyOf(app: NestFastifyApplication): FastifyInstance {
  return app.getHttpAdapter().getInstance();
}

async function listen(fastify: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await fastify.listen({ port, host });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE") throw new Misconfigured("port", `${port} on ${host} is taken`, { cause });
    if (code === "EACCES") throw new Misconfigured("port", `${port} may not be used by this user`, { cause });
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
      throw new Misconfigured("host", `${host} is no address of this machine`, { cause });
    }
    throw cause;
  }
}

/** One line for each 5xx with what the client was not told. Pushback is the design under load: only at debug. */
function reportFailure(logger: Logger, failure: Failure, request: { id: string; method: string; url: string }): void {
  if (failure.status < 500) return;
  const path = request.url.split("?", 1)[0];
  const line = { requestId: request.id, method: request.method, path, status: failure.status, code: failure.code };
  const cause = failure.error instanceof Error ? failure.error : new Error(String(failure.error));
  if (failure.code === "pushback") logger.debug(line, cause.message);
  else if (failure.status === 503) logger.warn({ ...line, err: cause }, cause.message);
  else logger.error({ ...line, err: cause }, cause.message);
}

function logRequests(fastify: FastifyInstance, logger: Logger): void {
  fastify.addHook("onResponse", (request, reply, done) => {
    const milliseconds = Math.round(reply.elapsedTime * 10) / 10;
    const path = request.url.split("?", 1)[0];
    logger.info(
      { requestId: request.id, method: request.method, path, status: reply.statusCode, milliseconds },
      "request",
    );
    done();
  });
}
