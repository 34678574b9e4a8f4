import { Connection } from "./connection.ts";

export interface LoadRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface Load {
  readonly clients: number;
  readonly seconds: number;
  readonly expect: number;
  /** The next request; undefined when there are none left. */
  readonly next: () => LoadRequest | undefined;
}

export interface LoadResult {
  readonly requests: number;
  /**
   * How long a client was at it, on average. Not until the last answer of all: where one takes a second, as of
   * upstream's Rekor v2, a round of three may end with a fourth in which most clients have nothing to do: 96/s, not 128.
   */
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array;
  readonly unexpected: number;
  /** One of the answers that were not expected. */
  readonly surprise: string | undefined;
  /** CPU seconds of this process. */
  readonly cpu: number;
}

/** Keeps `clients` requests in flight over as many keep-alive connections until the time is over. */
export async function closedLoop(origin: string, load: Load): Promise<LoadResult> {
  const connections = await Promise.all(Array.from({ length: load.clients }, () => Connection.open(origin)));
  const latencies: number[] = [];
  let unexpected = 0;
  let surprise: string | undefined;
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const end = began + load.seconds * 1000;
  let busy = 0;
  const client = async (connection: Connection) => {
    while (performance.now() < end) {
      const next = load.next();
      if (next === undefined) break;
      const bytes = onTheWire(origin, next);
      const start = performance.now();
      const { status, body } = await connection.send(bytes);
      latencies.push(performance.now() - start);
      if (status === load.expect) continue;
      unexpected++;
      surprise ??= `${status} ${body.toString().slice(0, 200)}`;
    }
    busy += performance.now() - began;
  };
  await Promise.all(connections.map(client));
  const { user, system } = process.cpuUsage(cpuBefore);
  for (const connection of connections) connection[Symbol.dispose]();
  return {
    requests: latencies.length,
    seconds: busy / load.clients / 1000,
    latencies: Float64Array.from(latencies).sort(),
    unexpected,
    surprise,
    cpu: (user + system) / 1e6,
  };
}

const NOTHING = new Uint8Array();

export function onTheWire(origin: string, { method, path, headers = {}, body = NOTHING }: LoadRequest): Uint8Array {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${origin.slice(origin.indexOf("://") + 3)}\r\n${lines.join("")}${length}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}
