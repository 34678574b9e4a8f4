import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { conversation, start } from "./echo-service.ts";

describe("bodies", () => {
  test("constructor injection works", async () => {
    const { inject } = await start();
    expect((await inject("GET", "/api/v1/greeting")).json()).toEqual({ word: "good day" });
  });

  test.for(["application/json", "application/timestamp-query", "text/plain", "nonsense/x; y=z", undefined])(
    "of type %s arrive as bytes",
    async (type) => {
      const { service } = await start();
      const head = type === undefined ? "" : `Content-Type: ${type}\r\n`;
      const answer = await conversation(
        service,
        `POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n${head}Content-Length: 2\r\nConnection: close\r\n\r\n{}`,
      );
      expect(answer).toContain("200 OK");
      expect(answer).toContain('{"bytes":2,"isBuffer":true}');
    },
  );

  test("a POST without one brings no bytes", async () => {
    const { inject } = await start();
    expect((await inject("POST", "/api/v1/echo")).json()).toEqual({ bytes: 0, isBuffer: true });
  });

  test("a gzip body is refused unread, and so is every other coding", async () => {
    const { inject } = await start();
    for (const coding of ["gzip", "br", "x-unknown", "gzip, identity"]) {
      const answer = await inject("POST", "/api/v1/echo", gzipSync("{}"), { "content-encoding": coding });
      expect(answer.statusCode).toBe(415);
      expect(answer.json()).toEqual({ code: 415, message: "Content-Encoding: only identity is accepted" });
    }
  });

  test("a body over the limit is 413, announced or chunked", async () => {
    const { service, inject } = await start({ bodyLimit: 1000 });
    const announced = await inject("POST", "/api/v1/echo", Buffer.alloc(1001));
    expect(announced.statusCode).toBe(413);
    expect(announced.json()).toMatchObject({ code: 413 });
    const chunk = `1f4\r\n${"x".repeat(500)}\r\n`;
    const chunked = await conversation(
      service,
      `POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`,
    );
    expect(chunked).toContain("413 Payload Too Large");
  });

  test("the sum of bodies being received is bounded, and what is given back can be used again", async () => {
    const { service } = await start({ bodyLimit: 600, bodyBudget: 1000 });
    const { port, hostname } = new URL(service.url);
    const holder = connect(Number(port), hostname, () =>
      holder.write("POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n"),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const post = () => fetch(`${service.url}/api/v1/echo`, { method: "POST", body: "x".repeat(500) });
    const refused = await post();
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    holder.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let i = 0; i < 5; i++) expect((await post()).status).toBe(200);
  });
});

describe("faults", () => {
  test("have one status and shape each", async () => {
    const { inject } = await start();
    const malformed = await inject("GET", "/api/v1/malformed");
    expect([malformed.statusCode, malformed.json()]).toEqual([
      400,
      { code: 400, message: "spec.hash: is not hexadecimal" },
    ]);
    expect((await inject("GET", "/api/v1/entries/1")).statusCode).toBe(409);
    const busy = await inject("GET", "/api/v1/busy");
    expect([busy.statusCode, busy.headers["retry-after"]]).toEqual([503, "2"]);
  });

  test("a controller may have its own shape", async () => {
    const { inject } = await start();
    const answer = await inject("GET", "/own/shape");
    expect([answer.statusCode, answer.headers["retry-after"], answer.json()]).toEqual([
      418,
      "5",
      { code: 3, message: "the CT log does not answer", details: [] },
    ]);
  });

  test("an unplanned error tells the client nothing and the log everything but secrets", async () => {
    const { inject, lines } = await start();
    const answer = await inject("GET", "/api/v1/unplanned?token=x", undefined, { "x-request-id": "abc-1" });
    expect([answer.statusCode, answer.json()]).toEqual([500, { code: 500, message: "internal error" }]);
    expect(answer.headers["x-request-id"]).toBe("abc-1");
    const failures = lines.filter((line) => line.includes('"level":"error"'));
    expect(failures).toHaveLength(1);
    expect(JSON.parse(failures[0]!)).toMatchObject({
      requestId: "abc-1",
      path: "/api/v1/unplanned",
      status: 500,
      code: "internal",
    });
    expect(failures[0]).toContain("at EchoController.unplanned");
    expect(failures[0]).not.toMatch(/hunter2|eyJ/);
  });

  test("an unknown path is 404, a known path with another method 405 with Allow", async () => {
    const { inject, service } = await start();
    const unknown = await inject("GET", "/nowhere");
    expect([unknown.statusCode, unknown.json()]).toEqual([
      404,
      { code: 404, message: "there is nothing at this path" },
    ]);
    const wrong = await inject("GET", "/api/v1/echo/");
    expect([wrong.statusCode, wrong.headers["allow"]]).toEqual([405, "POST"]);
    expect((await inject("POST", "/api/v1/entries/12")).headers["allow"]).toBe("GET");
    const head = await service.app.inject({ method: "HEAD", url: "/api/v1/greeting" });
    expect([head.statusCode, head.headers["allow"]]).toEqual([405, "GET"]);
  });

  test("a URL that cannot be decoded is 400", async () => {
    const { inject } = await start();
    expect((await inject("GET", "/api/v1/%ff%fe")).statusCode).toBe(400);
  });
});

describe("answers", () => {
  test("a trailing slash makes no difference", async () => {
    const { inject } = await start();
    expect((await inject("GET", "/api/v1/greeting/")).statusCode).toBe(200);
  });

  test("carry a request ID, no ETag, and are open to all origins", async () => {
    const { inject } = await start();
    const answer = await inject("GET", "/api/v1/greeting", undefined, { origin: "https://a.example" });
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f]{12}-\w+$/);
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    expect(answer.headers["etag"]).toBeUndefined();
    const preflight = await (
      await start()
    ).service.app.inject({
      method: "OPTIONS",
      url: "/api/v1/echo",
      headers: { origin: "https://a.example", "access-control-request-method": "POST" },
    });
    expect([preflight.statusCode, preflight.headers["access-control-allow-methods"]]).toEqual([204, "GET, POST"]);
  });

  test("a request ID that could break a log line is replaced", async () => {
    const { inject } = await start();
    const answer = await inject("GET", "/ping", undefined, { "x-request-id": "a b" });
    expect(answer.headers["x-request-id"]).not.toBe("a b");
  });

  test("a route may be closed to other origins", async () => {
    const { inject } = await start({
      mount: (fastify) => {
        fastify.get("/private", { config: { ownOriginOnly: true } }, () => "mine");
      },
    });
    const answer = await inject("GET", "/private", undefined, { origin: "https://a.example" });
    expect([answer.body, answer.headers["access-control-allow-origin"]]).toEqual(["mine", undefined]);
  });
});

describe("health", () => {
  test("is told apart: alive, ready, serving", async () => {
    const { inject, service } = await start();
    let trouble: string | undefined;
    service.readiness.add("rekor", async () => trouble);
    expect((await inject("GET", "/readyz")).json()).toEqual({ status: "ready" });
    trouble = "the database does not answer";
    await new Promise((resolve) => setTimeout(resolve, 600));
    const not = await inject("GET", "/readyz");
    expect([not.statusCode, not.json()]).toEqual([
      503,
      { status: "not ready", reasons: [{ service: "rekor", reason: "the database does not answer" }] },
    ]);
    expect((await inject("GET", "/livez")).statusCode).toBe(200);
    expect((await inject("GET", "/healthz")).json()).toEqual({ status: "SERVING" });
    expect((await inject("GET", "/ping")).body).toBe(".");
  });

  test("a warning stands beside either state and changes none", async () => {
    const { inject, service } = await start();
    let worry: string | undefined;
    let trouble: string | undefined;
    service.readiness.warn("fulcio", () => worry);
    service.readiness.add("rekor", async () => trouble);
    expect((await inject("GET", "/readyz")).json()).toEqual({ status: "ready" });
    worry = "the chain ends tomorrow";
    const warnings = [{ service: "fulcio", warning: worry }];
    expect((await inject("GET", "/readyz")).json()).toEqual({ status: "ready", warnings });
    trouble = "the database does not answer";
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await inject("GET", "/readyz")).json()).toEqual({
      status: "not ready",
      reasons: [{ service: "rekor", reason: trouble }],
      warnings,
    });
  });

  test("a check that hangs or throws is a reason, and many probes are one check", async () => {
    const { inject, service } = await start();
    let asked = 0;
    service.readiness.add("slow", () => {
      asked += 1;
      return new Promise(() => {});
    });
    service.readiness.add("broken", () => Promise.reject(new Error("no route")));
    const answers = await Promise.all([1, 2, 3].map(() => inject("GET", "/readyz")));
    expect(answers[2]?.json().reasons).toEqual([
      { service: "slow", reason: "no answer within 2000 ms" },
      { service: "broken", reason: "no route" },
    ]);
    expect(asked).toBe(1);
  });

  test("metrics are on a port of their own and count routes, not paths", async () => {
    const { service, inject } = await start({ metrics: { port: 0 } });
    await inject("GET", "/api/v1/entries/1");
    await inject("GET", "/api/v1/entries/2");
    await inject("GET", "/random/3");
    const text = await (await fetch(service.metricsUrl!)).text();
    expect(text).toContain('http_requests_total{code="409",method="get",route="/api/v1/entries/:id"} 2');
    expect(text).not.toContain("random");
    expect((await inject("GET", "/metrics")).statusCode).toBe(404);
  });

  test("a request whose client hung up is counted and logged as 499, as upstream's services do", async () => {
    const { service, lines } = await start({ metrics: { port: 0 }, accessLog: true });
    const { port, hostname } = new URL(service.url);
    for (const leave of ["destroy", "end"] as const) {
      const taken = once(service.app.getHttpServer(), "request");
      const socket = connect(Number(port), hostname);
      socket.write("GET /api/v1/slow HTTP/1.1\r\nHost: a\r\n\r\n");
      await taken;
      socket[leave]();
    }
    const gone = 'http_requests_total{code="499",method="get",route="/api/v1/slow"} 2';
    await expect.poll(async () => (await fetch(service.metricsUrl!)).text(), { timeout: 5_000 }).toContain(gone);
    expect(lines.filter((line) => line.includes('"status":499'))).toHaveLength(2);
  });
});
