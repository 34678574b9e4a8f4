import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { boundedFetch } from "../src/access/bounded-fetch.ts";

test("a login's identity provider that switches to another protocol is refused at once, and hangs nobody", async () => {
  const provider = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
  try {
    await expect(boundedFetch(undefined)(url, { method: "GET", headers: {} })).rejects.toMatchObject({
      code: "unavailable",
      message: "the identity provider answers with status 101",
    });
  } finally {
    provider.close();
  }
});
