import { connect } from "node:net";
import { expect, test } from "vitest";
import { conversation, start } from "./echo-service.ts";

const LAST = "GET /api/v1/greeting HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
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
  const heard = await conversation(service, SLOW.repeat(3) + LAST);
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

test("connections of one address beyond its share are closed at once, and room comes back", async () => {
  const { service } = await start({ connectionsPerAddress: 3 });
  const { port, hostname } = new URL(service.url);
  const open = () => {
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.once("close", () => resolve("closed")));
    socket.on("error", () => {});
    return { socket, closed };
  };
  const kept = [open(), open(), open()];
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await open().closed).toBe("closed");
  for (const { socket } of kept) expect(socket.destroyed).toBe(false);
  kept[0]!.socket.destroy();
  await kept[0]!.closed;
  await expect.poll(async () => conversation(service, LAST)).toContain("200 OK");
  for (const { socket } of kept) socket.destroy();
});

test("a route that takes larger bodies is counted with what it takes", async () => {
  const { service } = await start({
    bodyBudget: 3_000_000,
    bodyLimit: 1_000_000,
    mount: (fastify) => {
      fastify.post("/large", { bodyLimit: 4_000_000 }, () => "taken");
      fastify.post("/small", () => "taken");
    },
  });
  // Chunked, so that the length is not known: as much is counted as the route would take.
  const chunked = (path: string) =>
    conversation(
      service,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
  expect(await chunked("/small")).toContain("200 OK");
  expect(await chunked("/large")).toContain("503 Service Unavailable");
});

test("bodies that are announced and do not come give way to those that do", async () => {
  const { service } = await start({
    bodyBudget: 3_000_000,
    bodyLimit: 1_000_000,
    mount: (fastify) => {
      fastify.post("/small", () => "taken");
    },
  });
  const { port, hostname } = new URL(service.url);
  const announced = "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
  const open = () => {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(announced);
    return socket;
  };
  const silent = [open(), open()];
  // As slow as a body may be, and a little faster.
  const steady = open();
  const drip = setInterval(() => steady.write(Buffer.alloc(10_000)), 250);
  const post = async () =>
    await conversation(service, "POST /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  await expect.poll(post, { timeout: 5_000 }).toContain("503 Service Unavailable");
  await expect.poll(post, { timeout: 10_000 }).toContain("200 OK");
  await expect.poll(() => silent.map(({ destroyed }) => destroyed), { timeout: 5_000 }).toEqual([true, true]);
  expect(steady.destroyed).toBe(false);
  clearInterval(drip);
  steady.destroy();
});
