import type { Server } from "node:net";
import { isIPv6, type Socket } from "node:net";

/**
 * Bounds the connections of one address: 4,096 silent sockets of one client would otherwise be all that a process
 * takes. A reverse proxy is one address too, so the bound is far above what a pool of connections holds.
 */
export function limitConnections(server: Server, perAddress: number): void {
  const open = new Map<string, number>();
  server.prependListener("connection", (socket: Socket) => {
    const from = site(socket.remoteAddress ?? "");
    const count = (open.get(from) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(from, count);
    socket.once("close", () => {
      const left = (open.get(from) ?? 1) - 1;
      if (left === 0) open.delete(from);
      else open.set(from, left);
    });
  });
}

/** Who holds one IPv6 address holds its whole /64 (RFC 6177, Section 2). */
function site(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = "", tail] = address.split("::", 2);
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}
