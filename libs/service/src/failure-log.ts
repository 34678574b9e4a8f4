import type { Failure } from "./failure.ts";
import type { Logger } from "./logger.ts";

export interface FailedRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
}

type Level = "info" | "warn" | "error";

/** Lines of one level in a second. Who can cause one 503 can cause thousands, of 2 kB each with its stack. */
const MOST_A_SECOND = 20;
const SECOND = 1_000;
/** Of what a stranger can make long. */
const LONGEST = 512;

/**
 * One line for each 5xx, with what the client was not told, and for each who may not write, as long as they are few; of a
 * storm of them the number. Other mistakes of clients are in the access log alone.
 */
export class FailureLog {
  readonly #logger: Logger;
  /** Lines of this second, those left out included. */
  readonly #lines: Record<Level, number> = { info: 0, warn: 0, error: 0 };
  #isCounting = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  report(failure: Failure, { id, method, url }: FailedRequest): void {
    const { status, code, error } = failure;
    const isRefusedWriter = method === "POST" && (code === "unauthenticated" || code === "forbidden");
    if (status < 500 && !isRefusedWriter) return;
    const path = url.split("?", 1)[0];
    const line = { requestId: id, method, path, status, code };
    const err = error instanceof Error ? error : new Error(String(error));
    // Pushback is the design under load; how long a client waits is its own affair.
    if (code === "pushback" || code === "deadline-exceeded") return this.#logger.debug(line, err.message);
    if (isRefusedWriter)
      return this.#tell("info", { ...line, path: path?.slice(0, LONGEST) }, err.message.slice(0, LONGEST));
    this.#tell(status === 503 ? "warn" : "error", { ...line, err }, err.message);
  }

  #tell(level: Level, line: object, message: string): void {
    if (!this.#isCounting) setTimeout(() => this.#summarize(), SECOND).unref();
    this.#isCounting = true;
    if (++this.#lines[level] <= MOST_A_SECOND) this.#logger[level](line, message);
  }

  #summarize(): void {
    this.#isCounting = false;
    for (const level of ["info", "warn", "error"] as const) {
      const more = this.#lines[level] - MOST_A_SECOND;
      this.#lines[level] = 0;
      if (more > 0)
        this.#logger[level](
          { more },
          level === "info" ? "more were refused in this second" : "more requests failed in this second",
        );
    }
  }
}
