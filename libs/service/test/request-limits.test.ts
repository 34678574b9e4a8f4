import { connect } from "node:net";
import { expect, test } from "vitest";
import { conversation, start } from "./echo-service.ts";

const SLOW = "GET /api/v1/slow HTTP/1.1\r\nHost: a\r\n\r\n";

test("a connection on which hundreds of requests wait for their answers is cut", async () => {
  const { service, inject } = await start({ requestLimit: 20 });
  const heard = await Promise.all([1, 2, 3].map(() => conversation(service, SLOW.repeat(500))));
  expect(heard).toEqual(["", "", ""]);
  // What was cut is no longer counted.
  expect((await inject("GET", "/api/v1/greeting")).statusCode).toBe(200);
});

test("a few requests sent at once on one connection are answered in their order", async () => {
  const { service } = await start();
  const last = "GET /api/v1/greeting HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const heard = await conversation(service, SLOW.repeat(3) + last);
  expect(heard.match(/HTTP\/1.1 200 OK/g)).toHaveLength(4);
  expect(heard.endsWith('{"word":"good day"}')).toBe(true);
});

test("requests beyond what the process answers at once are told to come back", async () => {
  const { service, inject } = await start({ requestLimit: 8 });
  const { port, hostname } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.write(SLOW.repeat(8));
  await expect.poll(async () => (await inject("GET", "/api/v1/greeting")).statusCode).toBe(503);
  const refused = await inject("GET", "/api/v1/greeting");
  expect(refused.json()).toEqual({ code: 503, message: "8 requests are being answered" });
  expect(refused.headers["retry-after"]).toBe("1");
  await expect.poll(async () => (await inject("GET", "/api/v1/greeting")).statusCode).toBe(200);
  socket.destroy();
});
