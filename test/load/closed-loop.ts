import { Agent, request } from "node:http";

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
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array;
  readonly unexpected: number;
}

/** Keeps `clients` requests in flight over as many keep-alive connections until the time is over. */
export async function closedLoop(origin: string, load: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.clients });
  const { hostname, port } = new URL(origin);
  const latencies: number[] = [];
  let unexpected = 0;
  const began = performance.now();
  const end = began + load.seconds * 1000;
  const client = async () => {
    while (performance.now() < end) {
      const next = load.next();
      if (next === undefined) return;
      const start = performance.now();
      const status = await send(agent, hostname, port, next);
      latencies.push(performance.now() - start);
      if (status !== load.expect) unexpected++;
    }
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  return { requests: latencies.length, seconds, latencies: Float64Array.from(latencies).sort(), unexpected };
}

function send(agent: Agent, hostname: string, port: string, load: LoadRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { ...load.headers, ...(load.body ? { "Content-Length": String(load.body.length) } : {}) };
    const outgoing = request({ agent, hostname, port, method: load.method, path: load.path, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer.statusCode ?? 0));
      answer.once("error", reject);
    });
    outgoing.once("error", reject);
    outgoing.end(load.body);
  });
}
