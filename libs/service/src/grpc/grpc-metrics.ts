import { Counter, Histogram, type Registry } from "prom-client";
import { GRPC_CODE_NAMES } from "./status.ts";

/** What is counted of one call. */
export interface CountedCall {
  received(): void;
  sent(): void;
  handled(code: number): void;
}

/** The series that go-grpc-prometheus keeps, which upstream's dashboards read. */
export class GrpcMetrics {
  readonly #started: Counter;
  readonly #handled: Counter;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #seconds: Histogram;

  constructor(registry: Registry) {
    const labels = ["grpc_type", "grpc_service", "grpc_method"];
    const counter = (name: string, help: string, labelNames = labels) =>
      new Counter({ name, help, labelNames, registers: [registry] });
    this.#started = counter("grpc_server_started_total", "Calls begun.");
    this.#handled = counter("grpc_server_handled_total", "Calls ended, by status.", [...labels, "grpc_code"]);
    this.#received = counter("grpc_server_msg_received_total", "Messages received.");
    this.#sent = counter("grpc_server_msg_sent_total", "Messages sent.");
    this.#seconds = new Histogram({
      name: "grpc_server_handling_seconds",
      help: "From a call's header to its status.",
      labelNames: labels,
      registers: [registry],
    });
  }

  /** `path` is that of a method that exists: no client can add series. */
  started(path: string): CountedCall {
    const [, service = "", method = ""] = path.split("/");
    const labels = { grpc_type: "unary", grpc_service: service, grpc_method: method };
    const begun = performance.now();
    this.#started.inc(labels);
    return {
      received: () => this.#received.inc(labels),
      sent: () => this.#sent.inc(labels),
      handled: (code) => {
        this.#handled.inc({ ...labels, grpc_code: GRPC_CODE_NAMES[code] ?? "Unknown" });
        this.#seconds.observe(labels, (performance.now() - begun) / 1000);
      },
    };
  }
}
