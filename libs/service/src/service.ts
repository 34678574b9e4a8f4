import { constants } from "node:crypto";
import { type DynamicModule, Global, Module, type Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BodyBudget } from "./body-budget.ts";
import { limitConnections } from "./connection-limit.ts";
import { drain } from "./drain.ts";
import { onRequestEnd } from "./ended-requests.ts";
import { failureOf } from "./failure.ts";
import { FailureLog } from "./failure-log.ts";
import { defaultErrorShape, faultFilter } from "./fault-filter.ts";
import { type GrpcOptions, type RunningGrpc, startGrpc } from "./grpc/edge.ts";
import { GrpcServices } from "./grpc/services.ts";
import { HealthModule, ReadinessRegistry } from "./health.ts";
import { answerBrokenRequest, guardBodies, openToAllOrigins, requestIds, takeBodiesRaw } from "./http-edge.ts";
import { KnownPaths, refuseUnknownPaths } from "./known-paths.ts";
import { createLogger, type Logger, nestLogger } from "./logger.ts";
import { listenFailure } from "./listen.ts";
import { countRequests, Metrics, type RunningMetrics, startMetrics } from "./metrics.ts";
import { guardReads, type ReadAccess } from "./read-access.ts";
import { limitRequests } from "./request-limits.ts";
import { loadTls, type TlsMaterial, type TlsOptions } from "./tls.ts";

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
  /** Where what modules added to `GrpcServices` is served; nowhere if left out. */
  readonly grpc?: GrpcOptions;
  /** Connections of one address, on each port. Default 1,024. */
  readonly connectionsPerAddress?: number;
  /** Routes below Nest: called before any module's are added. */
  readonly mount?: (fastify: FastifyInstance) => void | Promise<void>;
  readonly timeouts?: Partial<Timeouts>;
  /** Who may read what is not for all; anyone if left out. */
  readonly readAccess?: ReadAccess | undefined;
  /** In the clear if left out, for a proxy in front. */
  readonly tls?: TlsOptions | undefined;
  /** PEM of the authorities whose certificates clients may show, here and over gRPC with TLS. */
  readonly clientAuthorities?: string | undefined;
}

export interface RunningService {
  /** `http://host:port` it listens on, https with TLS. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  readonly readiness: ReadinessRegistry;
  readonly metricsUrl: string | undefined;
  /** `host:port` */
  readonly grpcAddress: string | undefined;
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
/** A quarter: no one address can keep all others out. */
const CONNECTIONS_PER_ADDRESS = MAX_CONNECTIONS / 4;
/** One for each connection. */
const REQUEST_LIMIT = MAX_CONNECTIONS;

/** What every module of the process may be given. */
interface Surroundings {
  readonly readiness: ReadinessRegistry;
  readonly grpc: GrpcServices;
  readonly metrics: Metrics;
}

@Global()
@Module({})
class ProcessModule {
  static of(options: ServiceOptions, { readiness, grpc, metrics }: Surroundings): DynamicModule {
    const providers = [
      { provide: GrpcServices, useValue: grpc },
      { provide: Metrics, useValue: metrics },
    ];
    const imports = [HealthModule.forRoot(readiness), ...options.modules];
    return { module: ProcessModule, imports, providers, exports: providers };
  }
}

/** Builds the application and starts to listen. It throws what a module's start threw; nothing is left open then. */
export async function createService(options: ServiceOptions): Promise<RunningService> {
  const logger = options.logger ?? createLogger({ level: "warn" });
  const around = {
    readiness: options.readiness ?? new ReadinessRegistry(),
    grpc: new GrpcServices(),
    metrics: new Metrics(),
  };
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const failures = new FailureLog(logger);
  const tls = options.tls === undefined ? undefined : await loadTls(options.tls, "tls");
  const app = await buildApp(options, around, { logger, failures, tls }, timeouts);
  const fastify = fastifyOf(app);
  let metrics: RunningMetrics | undefined;
  let grpc: RunningGrpc | undefined;
  try {
    if (options.metrics !== undefined) {
      const { port, host = "127.0.0.1" } = options.metrics;
      metrics = await startMetrics(around.metrics.registry, port, host);
    }
    if (options.grpc !== undefined) grpc = await serveGrpc(options.grpc, options, around, failures, timeouts);
    await listen(fastify, options.host ?? "127.0.0.1", options.port ?? 0);
  } catch (error) {
    await Promise.allSettled([app.close(), grpc?.close(), metrics?.close()]);
    throw error;
  }
  let closed: Promise<void> | undefined;
  const close = async () => {
    around.readiness.close();
    const grpcClosed = grpc?.close();
    const closeModules = async () => {
      // Calls need the modules until they are answered.
      await grpcClosed;
      await app.close();
    };
    await drain(fastify.server, closeModules, timeouts);
    await metrics?.close();
  };
  return {
    url: fastify.listeningOrigin,
    app,
    readiness: around.readiness,
    metricsUrl: metrics?.url,
    grpcAddress: grpc?.address,
    close: () => (closed ??= close()),
  };
}

async function serveGrpc(
  grpc: GrpcOptions,
  options: ServiceOptions,
  around: Surroundings,
  failures: FailureLog,
  timeouts: Timeouts,
): Promise<RunningGrpc> {
  return startGrpc(grpc, {
    services: around.grpc.all,
    readiness: around.readiness,
    registry: around.metrics.registry,
    clientAuthorities: options.clientAuthorities,
    readAccess: options.readAccess,
    connections: {
      inAll: MAX_CONNECTIONS,
      perAddress: options.connectionsPerAddress ?? CONNECTIONS_PER_ADDRESS,
    },
    timeouts,
    report: (failure, path) => failures.report(failure, { id: "grpc", method: "POST", url: path }),
  });
}

async function buildApp(
  options: ServiceOptions,
  around: Surroundings,
  {
    logger,
    failures,
    tls,
  }: { readonly logger: Logger; readonly failures: FailureLog; readonly tls?: TlsMaterial | undefined },
  timeouts: Timeouts,
): Promise<NestFastifyApplication> {
  const bodyLimit = options.bodyLimit ?? BODY_LIMIT;
  const limits = {
    headersTimeout: timeouts.headers,
    requestTimeout: timeouts.request,
    connectionsCheckingInterval: 1_000,
  };
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
    ...(tls === undefined ? { http: limits } : { https: { ...limits, ...serverTls(tls, options.clientAuthorities) } }),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      const failure = failureOf(error);
      reply.code(failure.status).send(defaultErrorShape.body(failure));
    },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.server.maxConnections = MAX_CONNECTIONS;
  limitConnections(fastify.server, options.connectionsPerAddress ?? CONNECTIONS_PER_ADDRESS);
  countRequests(fastify, around.metrics.registry);
  limitRequests(fastify, options.requestLimit ?? REQUEST_LIMIT);
  takeBodiesRaw(fastify);
  openToAllOrigins(fastify);
  refuseUnknownPaths(fastify, new KnownPaths(fastify));
  if (options.readAccess !== undefined) guardReads(fastify, options.readAccess);
  guardBodies(fastify, new BodyBudget(options.bodyBudget ?? BODY_BUDGET));
  fastify.decorate("reportFailure", (failure, request) => failures.report(failure, request));
  if (options.accessLog === true) logRequests(fastify, logger);
  await options.mount?.(fastify);
  // Without abortOnError: false a module that cannot start ends the process, and under a silent logger without a word.
  const app = await NestFactory.create<NestFastifyApplication>(ProcessModule.of(options, around), adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: nestLogger(logger),
  });
  app.useGlobalFilters(faultFilter());
  await app.init();
  return app;
}

/** No session is resumed: a resumed one does not say again what its client's certificate was. */
function serverTls({ cert, key }: TlsMaterial, clientAuthorities: string | undefined) {
  const common = { cert, key, minVersion: "TLSv1.2" as const, handshakeTimeout: TIMEOUTS.headers };
  if (clientAuthorities === undefined) return common;
  return {
    ...common,
    ca: clientAuthorities,
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function fastifyOf(app: NestFastifyApplication): FastifyInstance {
  return app.getHttpAdapter().getInstance();
}

async function listen(fastify: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    // Node asks for 511: of 4,000 clients that connected at once some waited in vain to be taken, and were cut off after 15 s.
    await fastify.listen({ port, host, backlog: MAX_CONNECTIONS });
  } catch (cause) {
    throw listenFailure(cause, port, host);
  }
}

function logRequests(fastify: FastifyInstance, logger: Logger): void {
  onRequestEnd(fastify, ({ request, status, milliseconds }) => {
    const path = request.url.split("?", 1)[0];
    const took = Math.round(milliseconds * 10) / 10;
    logger.info({ requestId: request.id, method: request.method, path, status, milliseconds: took }, "request");
  });
}
