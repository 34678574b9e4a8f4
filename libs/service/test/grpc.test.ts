import { once } from "node:events";
import { connect, type ClientHttp2Session, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Inject, Module, type OnModuleInit } from "@nestjs/common";
import { Malformed, NotFound, Pushback, TooLarge } from "@chancery/fault";
import { afterEach, describe, expect, test } from "vitest";
import { createLogger, createService, GrpcServices, type RunningService, type ServiceOptions } from "../src/index.ts";

const proto = new URL("proto/echo.proto", import.meta.url);
const FAILURES: Record<string, () => Error> = {
  malformed: () => new Malformed("text: is not a word"),
  "not found": () => new NotFound("there is no such word"),
  "too large": () => new TooLarge("the word is too long"),
  busy: () => new Pushback("the queue is full", 2),
  unplanned: () => new Error("password=hunter2"),
};

/** Beside it, one that takes larger messages; it shares the port. */
@Module({})
class LargeModule implements OnModuleInit {
  constructor(@Inject(GrpcServices) private readonly grpc: GrpcServices) {}

  onModuleInit(): void {
    const methods = { Swallow: () => ({ text: "" }) };
    this.grpc.add({ name: "test.echo.v1.Large", proto, messageLimit: 64 * 1024 * 1024, methods });
  }
}

@Module({})
class EchoModule implements OnModuleInit {
  constructor(@Inject(GrpcServices) private readonly grpc: GrpcServices) {}

  onModuleInit(): void {
    this.grpc.add({
      name: "test.echo.v1.Echo",
      proto,
      messageLimit: 1_000,
      methods: {
        Say: ({ text }, call) => {
          call.setHeader("x-heard", call.metadata("x-said").join());
          return { text };
        },
        Fail: ({ text }) => {
          throw FAILURES[String(text)]!();
        },
        Wait: async ({ text }) => {
          await new Promise((resolve) => setTimeout(resolve, Number(text)));
          return { text };
        },
      },
      tell: ({ message }) => ({ message: "no", reason: message }),
    });
  }
}

const running: { service: RunningService; clients: Client[] }[] = [];
afterEach(async () => {
  for (const { service, clients } of running.splice(0)) {
    for (const client of clients) client.close();
    await service.close();
  }
});

const description = loadSync([
  fileURLToPath(proto),
  fileURLToPath(new URL("../proto/grpc/health/v1/health.proto", import.meta.url)),
]);

async function start(options: Partial<ServiceOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({ level: "debug", human: false, write: (line) => lines.push(line) });
  const service = await createService({
    modules: [EchoModule],
    logger,
    grpc: { port: 0 },
    metrics: { port: 0 },
    ...options,
  });
  const client = new Client(service.grpcAddress!, credentials.createInsecure());
  running.push({ service, clients: [client] });
  const call = (
    name: string,
    method: string,
    request: object,
    { metadata = new Metadata(), deadline }: { metadata?: Metadata; deadline?: number } = {},
  ) => {
    const definition = description[name] as unknown as Record<string, unknown>;
    const { path, requestSerialize, responseDeserialize } = definition[method] as {
      path: string;
      requestSerialize: (value: object) => Buffer;
      responseDeserialize: (bytes: Buffer) => Record<string, unknown>;
    };
    return new Promise<{ answer?: Record<string, unknown>; error?: ServiceError; headers?: Metadata }>((resolve) => {
      let headers: Metadata | undefined;
      const callOptions = deadline === undefined ? {} : { deadline: Date.now() + deadline };
      client
        .makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          callOptions,
          (error, answer) =>
            resolve({
              ...(error === null ? {} : { error }),
              ...(answer === undefined ? {} : { answer }),
              ...(headers === undefined ? {} : { headers }),
            }),
        )
        .on("metadata", (received) => (headers = received));
    });
  };
  const echo = (method: string, text: string, how = {}) => call("test.echo.v1.Echo", method, { text }, how);
  return { service, call, echo, lines };
}

describe("a call", () => {
  test("is answered, with metadata both ways", async () => {
    const { echo } = await start();
    const metadata = new Metadata();
    metadata.set("x-said", "aloud");
    const { answer, headers } = await echo("Say", "good day", { metadata });
    expect(answer).toEqual({ text: "good day" });
    expect(headers!.get("x-heard")).toEqual(["aloud"]);
  });

  test.for([
    ["malformed", status.INVALID_ARGUMENT, "text: is not a word"],
    ["not found", status.NOT_FOUND, "there is no such word"],
    ["too large", status.RESOURCE_EXHAUSTED, "the word is too long"],
    ["busy", status.UNAVAILABLE, "the queue is full"],
    ["unplanned", status.INTERNAL, "internal error"],
  ] as const)("that is %s has its status, its words and its reason", async ([text, code, reason]) => {
    const { echo, lines } = await start();
    const { error } = await echo("Fail", text);
    expect([error!.code, error!.details]).toEqual([code, "no"]);
    const [details] = error!.metadata.get("grpc-status-details-bin") as Buffer[];
    expect(details!.toString("latin1")).toContain(reason);
    expect(details!.toString("latin1")).toContain("type.googleapis.com/google.rpc.LocalizedMessage");
    expect(error!.metadata.get("retry-after")).toEqual(text === "busy" ? ["2"] : []);
    expect(JSON.stringify(error)).not.toContain("hunter2");
    expect(lines.join("")).not.toContain("hunter2");
  });

  test("of more bytes than the service takes is refused", async () => {
    const { echo } = await start();
    const { error } = await echo("Say", "x".repeat(2_000));
    expect(error!.code).toBe(status.RESOURCE_EXHAUSTED);
    expect((await echo("Say", "short")).answer).toEqual({ text: "short" });
  });

  test("of more bytes than its service takes is refused though another service takes them", async () => {
    const { call, echo } = await start();
    const text = "x".repeat(1_010);
    expect((await call("grpc.health.v1.Health", "Check", { service: text })).error!.code).toBe(status.NOT_FOUND);
    expect((await echo("Say", text)).error!.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  test("waits for its turn, unread, where many come at once and each may become large", async () => {
    // 64 MiB at most and 128 in all: two are received at a time.
    const { echo } = await start({ modules: [EchoModule, LargeModule] });
    const answers = await Promise.all(Array.from({ length: 90 }, (_, index) => echo("Say", `word ${index}`)));
    expect(answers.map(({ answer }) => answer?.["text"])).toEqual(Array.from({ length: 90 }, (_, i) => `word ${i}`));
  });

  test("that a client gives little time ends in that time", async () => {
    const { echo } = await start();
    const before = performance.now();
    const { error } = await echo("Wait", "5000", { deadline: 200 });
    expect(error!.code).toBe(status.DEADLINE_EXCEEDED);
    expect(performance.now() - before).toBeLessThan(4_500);
  });

  test("whose client's time is over is told so, and counted so", async () => {
    const { service } = await start();
    const session: ClientHttp2Session = connect(`http://${service.grpcAddress}`);
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/test.echo.v1.Echo/Say",
      "content-type": "application/grpc",
      "grpc-timeout": "100m",
      te: "trailers",
    });
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(headers["grpc-status"]).toBe(String(status.DEADLINE_EXCEEDED));
    session.destroy();
    const counted = `grpc_server_handled_total{${labels("Say")},grpc_code="DeadlineExceeded"} 1`;
    await expect.poll(async () => (await fetch(service.metricsUrl!)).text()).toContain(counted);
  });

  test("of a client that would wait for ever ends in the server's time", async () => {
    const { echo } = await start({ timeouts: { headers: 300, request: 300 } });
    const { error } = await echo("Wait", "5000");
    expect([error!.code, error!.details]).toEqual([status.DEADLINE_EXCEEDED, "the call took too long"]);
  });

  test("whose message never comes is ended too", async () => {
    const { service } = await start({ timeouts: { headers: 300, request: 300 } });
    const session: ClientHttp2Session = connect(`http://${service.grpcAddress}`);
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/test.echo.v1.Echo/Say",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(headers["grpc-status"] ?? (await once(stream, "trailers"))[0]["grpc-status"]).toBe(
      String(status.DEADLINE_EXCEEDED),
    );
    session.destroy();
  });

  test("of a method that is not there is UNIMPLEMENTED", async () => {
    const { service } = await start();
    const client = new Client(service.grpcAddress!, credentials.createInsecure());
    const error = await new Promise<ServiceError>((resolve) =>
      client.makeUnaryRequest(
        "/test.echo.v1.Echo/Sing",
        () => Buffer.alloc(0),
        String,
        {},
        (failure) => resolve(failure!),
      ),
    );
    expect(error.code).toBe(status.UNIMPLEMENTED);
    client.close();
  });
});

const labels = (method: string) => `grpc_type="unary",grpc_service="test.echo.v1.Echo",grpc_method="${method}"`;

describe("the edge", () => {
  const health = "grpc.health.v1.Health";

  test("tells its health, as a whole and by service", async () => {
    const { service, call } = await start();
    expect((await call(health, "Check", {})).answer).toEqual({ status: 1 });
    expect((await call(health, "Check", { service: "test.echo.v1.Echo" })).answer).toEqual({ status: 1 });
    expect((await call(health, "Check", { service: "other" })).error!.code).toBe(status.NOT_FOUND);
    service.readiness.add("echo", async () => "it is hoarse");
    expect((await call(health, "Check", {})).answer).toEqual({ status: 2 });
  });

  test("counts calls in the series that upstream's dashboards read", async () => {
    const { service, echo } = await start();
    await echo("Say", "a");
    await echo("Say", "b");
    await echo("Fail", "malformed");
    const text = await (await fetch(service.metricsUrl!)).text();
    expect(text).toContain(`grpc_server_started_total{${labels("Say")}} 2`);
    expect(text).toContain(`grpc_server_msg_received_total{${labels("Say")}} 2`);
    expect(text).toContain(`grpc_server_msg_sent_total{${labels("Say")}} 2`);
    expect(text).toContain(`grpc_server_handled_total{${labels("Say")},grpc_code="OK"} 2`);
    expect(text).toContain(`grpc_server_handled_total{${labels("Fail")},grpc_code="InvalidArgument"} 1`);
    expect(text).toContain(`grpc_server_handling_seconds_count{${labels("Say")}} 2`);
  });

  test("finishes the calls it has when it closes, and takes no new ones", async () => {
    const { service, echo } = await start();
    const slow = echo("Wait", "400");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = service.close();
    expect((await slow).answer).toEqual({ text: "400" });
    await closed;
    expect((await echo("Say", "late", { deadline: 500 })).error!.code).not.toBe(status.OK);
  });

  test("does not wait for ever when it closes", async () => {
    const { service, echo } = await start({ timeouts: { drain: 200 } });
    void echo("Wait", "20000");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await service.close();
    expect(performance.now() - before).toBeLessThan(4_500);
  });

  test("bounds the connections of an address", async () => {
    const { service } = await start({ connectionsPerAddress: 2 });
    const [host = "", port] = service.grpcAddress!.split(":");
    const sockets = [1, 2, 3].map(() => connectSocket(Number(port), host).on("error", () => {}));
    await once(sockets[2]!, "close");
    for (const socket of sockets) socket.destroy();
  });

  test("on a port that is taken is a misconfiguration", async () => {
    const { service } = await start();
    const port = Number(service.grpcAddress!.split(":")[1]);
    await expect(createService({ modules: [], grpc: { port } })).rejects.toThrow(
      `grpc.port: ${port} on 127.0.0.1 is taken`,
    );
  });

  test("is not there unless it is asked for", async () => {
    const service = await createService({ modules: [EchoModule], logger: createLogger({ level: "silent" }) });
    expect(service.grpcAddress).toBeUndefined();
    await service.close();
  });

  test.for([
    [{ certificate: "/nowhere", key: "/nowhere" }, "grpc.tls.certificate: /nowhere cannot be read"],
    [
      { certificate: fileURLToPath(import.meta.url), key: fileURLToPath(import.meta.url) },
      "grpc.tls: certificate and key do not fit together",
    ],
  ] as const)("is not started with TLS files that are wrong", async ([tls, message]) => {
    await expect(createService({ modules: [EchoModule], grpc: { port: 0, tls } })).rejects.toThrow(message);
  });
});
