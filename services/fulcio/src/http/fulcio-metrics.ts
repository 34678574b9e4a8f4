import type { Metrics } from "@chancery/service";
import type { FastifyInstance } from "fastify";
import { Counter, Histogram } from "prom-client";
import type { RefusalCounts } from "../domain/refusal-counts.ts";

/** The series of upstream's names (fulcio: pkg/server/metrics.go), and those of refusals, which it has not. */
export class FulcioMetrics {
  readonly #newCertificates: Counter;
  readonly #latency: Histogram;

  constructor({ registry }: Metrics, { byCode, inDryRun }: RefusalCounts) {
    const registers = [registry];
    this.#newCertificates = new Counter({ name: "fulcio_new_certs", help: "Certificates issued.", registers });
    this.#latency = new Histogram({
      name: "fulcio_api_latency",
      help: "Seconds that Fulcio's HTTP requests took.",
      labelNames: ["code", "method"],
      registers,
    });
    registry.registerMetric(counted("chancery_refusals_total", "Requests that got no certificate.", "code", byCode));
    registry.registerMetric(
      counted("chancery_dry_run_refusals_total", "Issued; a policy in dry run would refuse.", "rule", inDryRun),
    );
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

/** A series of what was counted elsewhere. */
function counted(name: string, help: string, label: string, counts: ReadonlyMap<string, number>): Counter {
  return new Counter({
    name,
    help,
    labelNames: [label],
    registers: [],
    collect() {
      this.reset();
      for (const [value, count] of counts) this.inc({ [label]: value }, count);
    },
  });
}
