import type { Server } from "node:net";
import { Misconfigured } from "@chancery/fault";

/** Listens, and answers with `host:port`. A port or host that cannot be had is Misconfigured; `scope` precedes its key. */
export async function listenOn(server: Server, port: number, host: string, scope = ""): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  try {
    await promise;
  } catch (cause) {
    throw listenFailure(cause, port, host, scope);
  } finally {
    server.off("error", reject);
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the server has no port");
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

export function listenFailure(cause: unknown, port: number, host: string, scope = ""): unknown {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EADDRINUSE") return new Misconfigured(`${scope}port`, `${port} on ${host} is taken`, { cause });
  if (code === "EACCES") return new Misconfigured(`${scope}port`, `${port} may not be used by this user`, { cause });
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new Misconfigured(`${scope}host`, `${host} is no address of this machine`, { cause });
  }
  return cause;
}
