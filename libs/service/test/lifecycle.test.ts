import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { Controller, Inject, Module } from "@nestjs/common";
import { Misconfigured } from "@chancery/fault";
import { describe, expect, test } from "vitest";
import { createLogger, createService } from "../src/index.ts";
import { conversation, start } from "./echo-service.ts";

describe("hostile sockets", () => {
  test("a header that drips is cut off", async () => {
    const { service } = await start({ timeouts: { headers: 300 } });
    const answer = await conversation(service, "GET /ping HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n");
    expect(answer).toContain("408 Request Timeout");
  });

  test("a body that drips is cut off", async () => {
    const { service } = await start({ timeouts: { headers: 300, request: 600 } });
    const answer = await conversation(
      service,
      "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
      "x",
    );
    expect(answer).toContain("408 Request Timeout");
  });

  test.for([
    [
      "two framings",
      "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a bare line feed", "GET /ping HTTP/1.1\nHost: a\n\n"],
    ["a folded header", "GET /ping HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n"],
    ["a header of 20 kB", `GET /ping HTTP/1.1\r\nHost: a\r\nX-A: ${"b".repeat(20_000)}\r\n\r\n`],
    ["no Host", "GET /ping HTTP/1.1\r\n\r\n"],
    ["no HTTP", "\u0016\u0003\u0001 hello\r\n\r\n"],
  ])("a request with %s is refused", async ([, request]) => {
    const { service } = await start({ timeouts: { headers: 500, keepAlive: 100 } });
    expect(await conversation(service, request!)).toMatch(/^HTTP\/1\.1 4(00|31) /);
  });
});

describe("start and end", () => {
  test("a module that cannot start rejects with its reason, though nothing is logged", async () => {
    @Module({
      providers: [
        {
          provide: "broken",
          useFactory: () => {
            throw new Misconfigured("oidc-issuers", "is empty");
          },
        },
      ],
    })
    class BrokenModule {}
    const starting = createService({ modules: [BrokenModule], logger: createLogger({ level: "silent" }) });
    await expect(starting).rejects.toThrow("oidc-issuers: is empty");
  });

  test("a missing provider rejects too", async () => {
    @Controller()
    class Lonely {
      constructor(@Inject("nobody") readonly other: unknown) {}
    }
    @Module({ controllers: [Lonely] })
    class LonelyModule {}
    const starting = createService({ modules: [LonelyModule], logger: createLogger({ level: "silent" }) });
    await expect(starting).rejects.toThrow("nobody");
  });

  test("a port that is taken is a misconfiguration", async () => {
    const { service } = await start();
    const port = Number(new URL(service.url).port);
    await expect(createService({ modules: [], port })).rejects.toThrow(`port: ${port} on 127.0.0.1 is taken`);
  });

  test("closing finishes what is in flight, and takes nothing new", async () => {
    const { service } = await start();
    const slow = fetch(`${service.url}/api/v1/slow`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    const closed = Promise.all([service.close(), service.close()]);
    expect(await (await slow).json()).toEqual({ done: true });
    await closed;
    expect(performance.now() - before).toBeLessThan(8_000);
    await expect(fetch(`${service.url}/ping`)).rejects.toThrow();
  });

  test("closing resets no client that keeps its connection", async () => {
    const { service } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const ends: string[] = [];
    const ask = () =>
      new Promise<string>((resolve) => {
        const request = httpRequest(`${service.url}/ping`, { agent }, (response) => {
          response.resume().on("end", () => resolve("answered"));
        });
        request.on("error", (error: Error & { code?: string }) => resolve(String(error.code)));
        request.end();
      });
    const clients = Array.from({ length: 16 }, async () => {
      let end = "answered";
      for (; end === "answered"; end = await ask()) await new Promise((resolve) => setTimeout(resolve, 3));
      ends.push(end);
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await service.close();
    await Promise.all(clients);
    agent.destroy();
    expect(new Set(ends)).toEqual(new Set(["ECONNREFUSED"]));
  });

  test("closing does not wait for ever", async () => {
    const { service } = await start({ timeouts: { drain: 200 } });
    const { port, hostname } = new URL(service.url);
    const holder = connect(Number(port), hostname, () =>
      holder.write("POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n"),
    );
    holder.on("error", () => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await service.close();
    expect(performance.now() - before).toBeLessThan(8_000);
  });
});
