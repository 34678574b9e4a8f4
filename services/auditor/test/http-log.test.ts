import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { HttpLog } from "../src/public/http-log.ts";

const MIB = 1024 * 1024;
const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer: (response: ServerResponse) => void): Promise<HttpLog> {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  return new HttpLog(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 251);

test("an answer is the same bytes with its length stated, without, and packed", async () => {
  const stated = await serve((response) => response.end(bytes));
  const chunked = await serve((response) => {
    response.write(bytes.subarray(0, 10));
    response.end(bytes.subarray(10));
  });
  const packed = await serve((response) => {
    response.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync(bytes));
  });
  for (const log of [stated, chunked, packed]) expect(new Uint8Array((await log.get("/"))!)).toEqual(bytes);
});

test("an answer that unpacks to more than 64 MiB is given up, however little it states", async () => {
  const bomb = gzipSync(new Uint8Array(65 * MIB));
  const log = await serve((response) => {
    response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": bomb.length }).end(bomb);
  });
  await expect(log.get("/")).rejects.toThrow(`larger than ${64 * MIB} bytes`);
});

test("an answer that states more than 64 MiB is given up", async () => {
  const log = await serve((response) => {
    response.writeHead(200, { "Content-Length": 65 * MIB }).end(new Uint8Array(65 * MIB));
  });
  await expect(log.get("/")).rejects.toThrow(`larger than ${64 * MIB} bytes`);
});

test("an answer of more than what is asked for may have is given up, with its length stated or without", async () => {
  const stated = await serve((response) => response.end(bytes));
  const chunked = await serve((response) => {
    response.write(bytes.subarray(0, 10));
    response.end(bytes.subarray(10));
  });
  for (const log of [stated, chunked]) {
    expect(await log.get("/", bytes.length)).toHaveLength(bytes.length);
    await expect(log.get("/", bytes.length - 1)).rejects.toThrow(`larger than ${bytes.length - 1} bytes`);
  }
});

test("an answer that ends before its stated length is none", async () => {
  const log = await serve((response) => {
    response.writeHead(200, { "Content-Length": 1000 });
    response.write(new Uint8Array(10), () => response.destroy());
  });
  await expect(log.get("/")).rejects.toThrow("ended in the middle");
});

test("a redirect is not followed, and is told as one", async () => {
  let asked = 0;
  const log = await serve((response) => {
    asked++;
    response.writeHead(302, { Location: "/elsewhere" }).end("there");
  });
  await expect(log.get("/")).rejects.toThrow("answers with a redirect (302), which is not followed");
  await expect(log.time()).rejects.toThrow("a redirect");
  expect(asked).toBe(2);
});

// As a trusted root may name it. In time that grows with the square of its length it would take longer than a test may.
test("an address with 200,000 slashes and a letter behind keeps no process busy", () => {
  const within = `https://log.example/a${"/".repeat(200_000)}b`;
  expect(new HttpLog(`${within}//`).base).toBe(within);
}, 5_000);
