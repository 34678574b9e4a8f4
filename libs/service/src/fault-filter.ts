import type { ArgumentsHost, ExceptionFilter } from "@nestjs/common";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Failure, failureOf } from "./failure.ts";

/** How an API words its errors. */
export interface ErrorShape {
  /** The body; an object is sent as JSON. */
  readonly body: (failure: Failure) => unknown;
  /** Where the API's published status differs from the common table. */
  readonly status?: (failure: Failure) => number;
  /** Of a body that is no object. */
  readonly contentType?: string | ((failure: Failure) => string);
}

export const defaultErrorShape: ErrorShape = {
  body: ({ status, message }) => ({ code: status, message }),
};

/** Of `/api/chancery/v1`: the code is the fault's own name, a text that never changes. */
export const codedErrorShape: ErrorShape = {
  body: ({ code, message }) => ({ code, message }),
};

/**
 * The one place where an error becomes an answer.
 *
 * The service has one with the default shape; an API with its own sets another on its controllers:
 * `@UseFilters(faultFilter({ body: ... }))`.
 */
export function faultFilter(shape: ErrorShape = defaultErrorShape): ExceptionFilter {
  return {
    catch(error: unknown, host: ArgumentsHost) {
      const http = host.switchToHttp();
      sendFailure(shape, error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
    },
  };
}

function sendFailure(shape: ErrorShape, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const common = failureOf(error);
  const status = shape.status?.(common) ?? common.status;
  const failure = { ...common, status };
  reply.server.reportFailure?.(failure, request);
  if (reply.sent || reply.raw.headersSent) {
    // Half an answer is out: only a broken connection can still tell the client.
    reply.raw.destroy();
    return;
  }
  const type = typeof shape.contentType === "function" ? shape.contentType(failure) : shape.contentType;
  reply.code(status).header("Content-Type", type ?? "application/json; charset=utf-8");
  // The route may have said how long its answer stays true; a cache would keep "not found" for what comes next.
  if (reply.getHeader("Cache-Control") !== "no-cache") reply.header("Cache-Control", "no-store");
  if (failure.retryAfter !== undefined) reply.header("Retry-After", String(Math.ceil(failure.retryAfter)));
  // RFC 9110, Section 15.5.2: "MUST send a WWW-Authenticate header field".
  if (failure.code === "unauthenticated") reply.header("WWW-Authenticate", "Bearer");
  const body = shape.body(failure);
  reply.send(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
}

declare module "fastify" {
  interface FastifyInstance {
    /** Set by createService; where it is missing (a bare Nest application in a test) nothing is logged. */
    reportFailure?: (failure: Failure, request: FastifyRequest) => void;
  }
}
