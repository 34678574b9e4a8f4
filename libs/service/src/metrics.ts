import { createServer, type Server } from "node:http";
import { Injectable } from "@nestjs/common";
import type { FastifyInstance } from "fastify";
import { collectDefaultMetrics, Counter, Histogram, Registry } from "prom-client";
import { onRequestEnd } from "./ended-requests.ts";
import { listenOn } from "./listen.ts";

/** Where services keep their own series beside those of the process. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
}

export interface RunningMetrics {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Metrics on a port of their own, loopback unless told otherwise: they name routes and load, which is
 * no client's business. Labels hold route patterns, never paths, so a scan of random URLs adds no series.
 */
export async function startMetrics(registry: Registry, port: number, host: string): Promise<RunningMetrics> {
  collectDefaultMetrics({ register: registry });
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { "Content-Type": registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  const address = await listenOn(server, port, host, "metrics.");
  return { url: `http://${address}/metrics`, close: () => closeServer(server) };
}

/** The method is written in small letters, as in upstream's series of this name. */
export function countRequests(fastify: FastifyInstance, registry: Registry): void {
  const labelNames = ["code", "method", "route"] as const;
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests that ended; 499 where the client was gone before its answer.",
    labelNames,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "From the request's header to the answer's last byte.",
    labelNames: ["method", "route"] as const,
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers: [registry],
  });
  onRequestEnd(fastify, ({ request, status, milliseconds }) => {
    const route = request.routeOptions.url ?? "none";
    const method = route === "none" ? "any" : request.method.toLowerCase();
    requests.inc({ code: status, method, route });
    seconds.observe({ method, route }, milliseconds / 1000);
  });
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
