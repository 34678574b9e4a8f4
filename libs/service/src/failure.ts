import { HttpException } from "@nestjs/common";
import { Fault, type FaultCode, Pushback, RateLimited, Unavailable } from "@chancery/fault";

/** What a client is told of an error; the cause stays here, for the log. */
export interface Failure {
  readonly status: number;
  /** The fault's own code; `internal` for an error nobody planned. */
  readonly code: FaultCode | "http" | "internal";
  readonly message: string;
  /** Seconds. */
  readonly retryAfter?: number;
  readonly error: unknown;
}

/** The one table from fault to HTTP status. */
const STATUS: Readonly<Record<FaultCode, number>> = {
  malformed: 400,
  unverified: 400,
  "insecure-key": 400,
  unsupported: 400,
  "unsupported-media-type": 415,
  "too-large": 413,
  unauthenticated: 401,
  forbidden: 403,
  "not-found": 404,
  duplicate: 409,
  frozen: 405,
  pushback: 503,
  "rate-limited": 429,
  unavailable: 503,
  "deadline-exceeded": 504,
  "refused-to-sign": 503,
  damaged: 503,
  misconfigured: 500,
};

export function statusOf(fault: Fault): number {
  return STATUS[fault.code];
}

/**
 * Sorts any thrown value. Faults and the framework's own refusals keep their message; of everything
 * else the client learns only that it was not their mistake, for an unplanned message may carry
 * paths, SQL or secrets.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof Fault) {
    const status = statusOf(error);
    const message = status === 500 ? "internal error" : error.message;
    if (error instanceof Pushback || error instanceof RateLimited || error instanceof Unavailable) {
      return { status, code: error.code, message, retryAfter: error.retryAfter, error };
    }
    return { status, code: error.code, message, error };
  }
  const refusal = frameworkRefusal(error);
  if (refusal !== undefined) return refusal;
  return { status: 500, code: "internal", message: "internal error", error };
}

/** Fastify's and Nest's own 4xx (body too large, bad URL, no such path): their texts are written for clients. */
function frameworkRefusal(error: unknown): Failure | undefined {
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return status < 500 ? { status, code: "http", message: error.message, error } : undefined;
  }
  if (!(error instanceof Error) || !("statusCode" in error) || !("code" in error)) return undefined;
  const { statusCode, code } = error;
  const planned = typeof code === "string" && code.startsWith("FST_") && typeof statusCode === "number";
  return planned && statusCode < 500 ? { status: statusCode, code: "http", message: error.message, error } : undefined;
}
