import { once } from "node:events";
import { createServer, type Server as NetServer } from "node:net";
import { fileURLToPath } from "node:url";
import {
  experimental,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { NotFound, TooLarge } from "@chancery/fault";
import { bearerToken, type Caller } from "@chancery/identity";
import type { Registry } from "prom-client";
import { limitConnections } from "../connection-limit.ts";
import { type Failure, failureOf } from "../failure.ts";
import type { ReadinessRegistry } from "../health.ts";
import { listenOn } from "../listen.ts";
import { type ReadAccess, requireRole } from "../read-access.ts";
import { loadTls, type TlsOptions } from "../tls.ts";
import { guardCalls } from "./call-guard.ts";
import { GrpcMetrics } from "./grpc-metrics.ts";
import { MessageBudget } from "./message-budget.ts";
import type { GrpcMessage, GrpcMethod, GrpcService } from "./services.ts";
import { encodeStatus, grpcCodeOf } from "./status.ts";

export interface GrpcOptions {
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** PEM files. Without them calls come in the clear, for a proxy in front. */
  readonly tls?: TlsOptions | undefined;
}

/** What the edge is given by the process it runs in. */
export interface GrpcSurroundings {
  readonly services: readonly GrpcService[];
  readonly readiness: ReadinessRegistry;
  readonly registry: Registry;
  readonly connections: { readonly inAll: number; readonly perAddress: number };
  /** Milliseconds. */
  readonly timeouts: { readonly request: number; readonly idle: number; readonly drain: number };
  readonly report: (failure: Failure, path: string) => void;
  /** PEM of the authorities whose certificates clients may show. */
  readonly clientAuthorities?: string | undefined;
  readonly readAccess?: ReadAccess | undefined;
}

export interface RunningGrpc {
  /** host:port */
  readonly address: string;
  close(): Promise<void>;
}

/** Bytes of messages that may be in memory at once. */
const MESSAGE_BUDGET = 128 * 1024 * 1024;
const MAX_CALLS = 1_024;
const CALLS_PER_CONNECTION = 100;

/** Serves the services, their health and their description (reflection) until it is closed. */
export async function startGrpc(options: GrpcOptions, around: GrpcSurroundings): Promise<RunningGrpc> {
  const services = [...around.services, health(around)];
  const messageLimit = Math.max(...services.map((service) => service.messageLimit));
  const messages = new MessageBudget(Math.max(MESSAGE_BUDGET, messageLimit), messageLimit);
  const limits = { calls: MAX_CALLS, time: around.timeouts.request, messages, sizeOf };
  const server = new Server({
    "grpc.max_receive_message_length": messageLimit,
    "grpc.max_concurrent_streams": CALLS_PER_CONNECTION,
    "grpc.max_connection_idle_ms": around.timeouts.idle,
    "grpc.enable_channelz": 0,
    interceptors: [guardCalls(limits, new GrpcMetrics(around.registry))],
  });
  const description = describe(services);
  for (const service of services)
    addService(server, withReadAccess(service, around.readAccess), description, around.report);
  new ReflectionService(description, { services: services.map(({ name }) => name) }).addToServer(server);

  const injector = server.createConnectionInjector(await credentials(options.tls, around.clientAuthorities));
  const listener = createServer((socket) => injector.injectConnection(socket));
  listener.maxConnections = around.connections.inAll;
  limitConnections(listener, around.connections.perAddress);
  const address = await listenOn(listener, options.port, options.host ?? "127.0.0.1", "grpc.");
  let closed: Promise<void> | undefined;
  return { address, close: () => (closed ??= close(listener, server, around.timeouts.drain)) };
}

function describe(services: readonly GrpcService[]): PackageDefinition {
  const files = [...new Set(services.map(({ proto }) => fileURLToPath(proto)))];
  return loadSync(files, {
    defaults: true,
    enums: String,
    longs: String,
    oneofs: true,
    includeDirs: services.flatMap(({ proto }) => [fileURLToPath(new URL(".", proto))]),
  });
}

function addService(
  server: Server,
  service: GrpcService,
  description: PackageDefinition,
  report: GrpcSurroundings["report"],
): void {
  const definition = description[service.name] as ServiceDefinition | undefined;
  if (definition === undefined) throw new TypeError(`${service.proto.href} declares no ${service.name}`);
  const implementation: UntypedServiceImplementation = {};
  for (const [name, { path }] of Object.entries(definition)) {
    const method = service.methods[name];
    if (method === undefined) throw new TypeError(`${service.name} has no method ${name}`);
    implementation[name] = unary(method, service, (failure) => report(failure, path));
  }
  server.addService(bounded(definition, service.messageLimit), implementation);
}

function withReadAccess(service: GrpcService, access: ReadAccess | undefined): GrpcService {
  if (access?.guardsLogs !== true) return service;
  const methods = Object.entries(service.methods).map(([name, method]): [string, GrpcMethod] => {
    if (service.logReads?.includes(name) !== true) return [name, method];
    return [
      name,
      async (request, call) => {
        const [authorization] = call.metadata("authorization");
        await requireRole(access, { authorization }, "reader");
        return method(request, call);
      },
    ];
  });
  return { ...service, methods: Object.fromEntries(methods) };
}

const sizes = new WeakMap<object, number>();

/** Bytes of a request that was received; of one that was not read nothing is kept. */
function sizeOf(message: object): number {
  return sizes.get(message) ?? 0;
}

/** Stands for a request that was not read. */
const TOO_LARGE: GrpcMessage = Object.freeze({});

/** The server has one limit, that of the service that takes most; each has its own here, before anything is parsed. */
function bounded(definition: ServiceDefinition, limit: number): ServiceDefinition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      if (bytes.length > limit) return TOO_LARGE;
      const message = method.requestDeserialize(bytes) as GrpcMessage;
      sizes.set(message, bytes.length);
      return message;
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods) as ServiceDefinition;
}

/** The one place where an error becomes a gRPC status. */
function unary(
  method: GrpcMethod,
  { tell, messageLimit }: GrpcService,
  report: (failure: Failure) => void,
): handleUnaryCall<GrpcMessage, object> {
  const answer = async (call: Parameters<handleUnaryCall<GrpcMessage, object>>[0], headers: Metadata) => {
    if (call.request === TOO_LARGE) throw new TooLarge(`request: longer than ${messageLimit} bytes`);
    const response = await method(call.request, {
      metadata: (name) => call.metadata.get(name).map(String),
      setHeader: (name, value) => headers.set(name, value),
      caller: callerOf(call),
    });
    return response;
  };
  return (call, respond) => {
    const headers = new Metadata();
    void answer(call, headers).then(
      (response) => {
        call.sendMetadata(headers);
        respond(null, response);
      },
      (error: unknown) => {
        if (Object.keys(headers.getMap()).length > 0) call.sendMetadata(headers);
        const failure = failureOf(error);
        report(failure);
        const code = grpcCodeOf(failure);
        const told = tell?.(failure) ?? { message: failure.message };
        const metadata = new Metadata();
        metadata.set("grpc-status-details-bin", encodeStatus(code, told));
        if (failure.retryAfter !== undefined) metadata.set("retry-after", String(Math.ceil(failure.retryAfter)));
        respond({ code, details: told.message, metadata });
      },
    );
  };
}

/** Two values of the header are no token. */
function callerOf(call: ServerUnaryCall<GrpcMessage, object>): Caller {
  const [authorization, ...others] = call.metadata.get("authorization").map(String);
  return {
    token: others.length === 0 ? bearerToken(authorization) : undefined,
    certificate: call.getAuthContext().sslPeerCertificate?.raw,
  };
}

/** For balancers and Kubernetes' gRPC probes: whether the process can do its work, by service or ("") as a whole. */
function health({ services, readiness }: GrpcSurroundings): GrpcService {
  const name = "grpc.health.v1.Health";
  const known = new Set(["", name, ...services.map((service) => service.name)]);
  return {
    name,
    proto: new URL("../../proto/grpc/health/v1/health.proto", import.meta.url),
    messageLimit: 1024,
    methods: {
      Check: async ({ service }) => {
        if (!known.has(String(service))) throw new NotFound("there is no such service");
        const reasons = await readiness.reasons();
        return { status: reasons.length === 0 ? "SERVING" : "NOT_SERVING" };
      },
    },
  };
}

async function credentials(tls: GrpcOptions["tls"], clientAuthorities: string | undefined): Promise<ServerCredentials> {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key } = await loadTls(tls, "grpc.tls");
  if (clientAuthorities === undefined) {
    return ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }], false);
  }
  const provider = certificateProvider(cert, key, Buffer.from(clientAuthorities));
  return experimental.createCertificateProviderServerCredentials(provider, provider, false);
}

/**
 * The one way in which the library asks for a client's certificate and takes connections without one. It begins to
 * listen to its credentials only after it has asked for them: not in the same turn.
 */
function certificateProvider(
  certificate: Buffer,
  privateKey: Buffer,
  caCertificate: Buffer,
): experimental.CertificateProvider {
  return {
    addCaCertificateListener: (listener) => queueMicrotask(() => listener({ caCertificate })),
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener: (listener) => queueMicrotask(() => listener({ certificate, privateKey })),
    removeIdentityCertificateListener: () => undefined,
  };
}

/** No new connections; those that are there are told so (GOAWAY) and end when their last call has. */
async function close(listener: NetServer, server: Server, within: number): Promise<void> {
  const late = setTimeout(() => server.forceShutdown(), within);
  listener.close();
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (listener.listening) await once(listener, "close");
  clearTimeout(late);
}
