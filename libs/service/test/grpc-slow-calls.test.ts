import { connect, type ClientHttp2Session, constants } from "node:http2";
import { fileURLToPath } from "node:url";
import { Client, credentials, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Registry } from "prom-client";
import { afterEach, expect, test } from "vitest";
import { type RunningGrpc, startGrpc } from "../src/grpc/edge.ts";
import { ReadinessRegistry } from "../src/index.ts";

const proto = new URL("proto/echo.proto", import.meta.url);
const { Say: say } = loadSync(fileURLToPath(proto))["test.echo.v1.Echo"] as unknown as Record<
  string,
  { path: string; requestSerialize: (value: object) => Buffer; responseDeserialize: (bytes: Buffer) => object }
>;

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** With messages so large that four calls may be open at once. */
async function start(methods: { readonly Say: () => Promise<object> | object }): Promise<RunningGrpc> {
  const server = await startGrpc(
    { port: 0 },
    {
      services: [
        {
          name: "test.echo.v1.Echo",
          proto,
          messageLimit: 32 * 1024 * 1024,
          methods: { Fail: () => ({}), Wait: () => ({}), ...methods },
        },
      ],
      readiness: new ReadinessRegistry(),
      registry: new Registry(),
      connections: { inAll: 100, perAddress: 100 },
      timeouts: { request: 30_000, idle: 30_000, drain: 100 },
      report: () => undefined,
    },
  );
  opened.push(() => server.close());
  return server;
}

function call(server: RunningGrpc): Promise<status> {
  const client = new Client(server.address, credentials.createInsecure());
  opened.push(() => client.close());
  return new Promise((resolve) => {
    client.makeUnaryRequest(say!.path, say!.requestSerialize, say!.responseDeserialize, { text: "x" }, (error) =>
      resolve(error?.code ?? status.OK),
    );
  });
}

/** Headers of a call, whose message never comes. */
function beginCall(session: ClientHttp2Session): void {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/test.echo.v1.Echo/Say",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.resume();
}

test("calls whose message does not come give way to those whose does", { timeout: 25_000 }, async () => {
  const server = await start({ Say: () => ({ text: "x" }) });
  const session = connect(`http://${server.address}`);
  opened.push(() => session.destroy());
  for (let one = 0; one < 8; one++) beginCall(session);
  await new Promise((resolve) => session.ping(resolve));
  expect(await Promise.all([call(server), call(server)])).toEqual([status.OK, status.OK]);
});
