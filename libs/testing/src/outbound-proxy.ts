import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

/** What stands between a program and the network, and writes down whatever the program asks of it. */
export interface OutboundProxy extends AsyncDisposable {
  /** Flags of Node and the variable that put a program behind it: see outbound-preload.ts. */
  readonly node: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** In order: `CONNECT address:port` of each connection, `LOOKUP name` of each question for a name. */
  readonly asked: readonly string[];
}

const PRELOAD = join(import.meta.dirname, "../src/outbound-preload.ts");
const LONGEST_LINE = 1024;

/** Connections go on to where they were meant for; of names it knows `localhost` alone, and asks nobody. */
export async function startOutboundProxy(): Promise<OutboundProxy> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => socket.destroy());
  };
  const server = createServer((client) => {
    keep(client);
    let head = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\n");
      if (end < 0 && head.length <= LONGEST_LINE) return;
      client.off("data", read).pause();
      const line = head.subarray(0, Math.max(end, 0)).toString();
      asked.push(line);
      const [verb = "", where = ""] = line.split(" ");
      if (verb === "LOOKUP") client.end(where === "localhost" ? "127.0.0.1\n" : "unknown\n");
      else if (verb === "CONNECT") forward(client, where, head.subarray(end + 1));
      else client.destroy();
    };
    client.on("data", read);
  });
  const forward = (client: Socket, where: string, first: Buffer) => {
    const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(where) ?? [];
    const onward = connect({ host, port: Number(port), allowHalfOpen: true });
    keep(onward);
    onward.on("close", () => client.destroy());
    client.on("close", () => onward.destroy());
    onward.write(first);
    client.pipe(onward).pipe(client);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    node: ["--import", PRELOAD],
    env: { OUTBOUND_PROXY: `127.0.0.1:${address.port}` },
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
