import type { Server } from "node:http";
import { Server as NetServer } from "node:net";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

const POLL_MS = 25;

/**
 * Ends a server so that no request it has taken is cut off: accept no more, tell each client that speaks
 * that this answer is the last on its connection, then close what is idle, then wait for what works.
 *
 * `http.Server.close` alone ends every socket that is idle at that moment, also one on which the next
 * request is already on its way: under load nearly every client saw its connection reset.
 */
export async function drain(
  server: Server,
  close: () => Promise<void>,
  { drain: within, linger }: { readonly drain: number; readonly linger: number },
): Promise<void> {
  const late = setTimeout(() => server.closeAllConnections(), within);
  // Before the next line, which makes clients come back on new connections.
  await waitingConnectionsTaken(server, linger);
  server.prependListener("request", (_request, response) => (response.shouldKeepAlive = false));
  NetServer.prototype.close.call(server);
  await untilUnused(server, linger);
  // A socket that falls idle later would hold the end up until its own timeout.
  const idle = setInterval(() => server.closeIdleConnections(), POLL_MS);
  try {
    await close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

/**
 * Connections that the kernel has completed and we have not accepted are reset when the listener closes: under load
 * those of the last 20 to 80 ms. A turn of the event loop accepts one of those that wait; when one has accepted none,
 * none waits.
 */
async function waitingConnectionsTaken(server: Server, atMost: number): Promise<void> {
  const until = performance.now() + atMost;
  let taken = true;
  const take = () => (taken = true);
  server.on("connection", take);
  while (taken && performance.now() < until) {
    taken = false;
    await turn();
    await turn();
  }
  server.off("connection", take);
}

async function untilUnused(server: Server, linger: number): Promise<void> {
  const until = performance.now() + linger;
  while (performance.now() < until && (await connections(server)) > 0) await delay(POLL_MS);
}

async function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
