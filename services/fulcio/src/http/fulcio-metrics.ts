import type { Metrics } from "@chancery/service";
import type { FastifyInstance } from "fastify";
import { Counter, Histogram } from "prom-client";

/** The series of upstream's names (fulcio: pkg/server/metrics.go). */
export class FulcioMetrics {
  readonly #newCertificates: Counter;
  readonly #latency: Histogram;

  constructor({ registry }: Metrics) {
    const registers = [registry];
    this.#newCertificates = new Counter({ name: "fulcio_new_certs", help: "Certificates issued.", registers });
    this.#latency = new Histogram({
      name: "fulcio_api_latency",
      help: "Seconds that Fulcio's HTTP requests took.",
      labelNames: ["code", "method"],
      registers,
    });
  }

  issued(): void {
    this.#newCertificates.inc();
  }

  /** Of these paths only: other services of the process are no part of Fulcio's latency. */
  observe(fastify: FastifyInstance, paths: ReadonlySet<string>): void {
    fastify.addHook("onResponse", (request, reply, done) => {
      if (paths.has(request.routeOptions.url ?? "")) {
        const labels = { code: reply.statusCode, method: request.method.toLowerCase() };
        this.#latency.observe(labels, reply.elapsedTime / 1000);
      }
      done();
    });
  }
}
