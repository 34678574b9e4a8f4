import { connect } from "node:net";
import { Body, Controller, Get, HttpCode, Injectable, Module, Post, UseFilters } from "@nestjs/common";
import { Duplicate, Malformed, Pushback, Unavailable } from "@chancery/fault";
import type { LightMyRequestResponse } from "fastify";
import { afterEach } from "vitest";
import { createLogger, createService, faultFilter, type RunningService, type ServiceOptions } from "../src/index.ts";

@Injectable()
class Greeting {
  readonly word = "good day";
}

@Controller("api/v1")
class EchoController {
  constructor(private readonly greeting: Greeting) {}

  @Get("greeting")
  greet() {
    return { word: this.greeting.word };
  }

  @Post("echo")
  @HttpCode(200)
  echo(@Body() body: Buffer) {
    return { bytes: body.length, isBuffer: Buffer.isBuffer(body) };
  }

  @Get("entries/:id")
  entry() {
    throw new Duplicate("there already");
  }

  @Get("malformed")
  malformed() {
    throw new Malformed("spec.hash: is not hexadecimal");
  }

  @Get("busy")
  busy() {
    throw new Pushback("the queue is full", 2);
  }

  @Get("unplanned")
  unplanned() {
    throw new Error("password=hunter2 at /etc/secret eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln");
  }

  @Get("slow")
  async slow() {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return { done: true };
  }
}

@Controller("own")
@UseFilters(faultFilter({ body: ({ message }) => ({ code: 3, message, details: [] }), status: () => 418 }))
class OwnShapeController {
  @Get("shape")
  shape() {
    throw new Unavailable("the CT log does not answer", 5);
  }
}

@Module({ controllers: [EchoController, OwnShapeController], providers: [Greeting] })
export class EchoModule {}

/** Closed after each test. */
const running: RunningService[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

export async function start(options: Partial<ServiceOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({ level: "debug", human: false, write: (line) => lines.push(line) });
  const service = await createService({ modules: [EchoModule], logger, ...options });
  running.push(service);
  const inject = (
    method: "GET" | "POST",
    url: string,
    payload?: Buffer | string,
    headers = {},
  ): Promise<LightMyRequestResponse> =>
    service.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { service, inject, lines };
}

/** What a raw socket gets back once the server has closed it. */
export function conversation(service: RunningService, send: string, keepSending?: string): Promise<string> {
  const { port, hostname } = new URL(service.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(send));
    const drip = setInterval(() => keepSending !== undefined && socket.writable && socket.write(keepSending), 100);
    let heard = "";
    socket.on("data", (chunk) => (heard += chunk.toString()));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(drip);
      resolve(heard);
    });
  });
}
