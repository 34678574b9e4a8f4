import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** nginx's code for a client that went before its answer began; upstream's services count it so. Nobody is sent it. */
const CLIENT_CLOSED_REQUEST = 499;

/** How a request ended, for those who count and log them. */
export interface EndedRequest {
  readonly request: FastifyRequest;
  readonly status: number;
  readonly milliseconds: number;
}

/**
 * Calls `ended` once for each request. Fastify's own `onResponse` is not called for one whose client hung up: who gives
 * up on a slow server would be in no count and no log.
 */
export function onRequestEnd(fastify: FastifyInstance, ended: (how: EndedRequest) => void): void {
  fastify.addHook("onRequest", (request, reply, done) => {
    reply.raw.once("close", () => ended({ request, status: statusOf(reply), milliseconds: reply.elapsedTime }));
    done();
  });
}

function statusOf({ raw, statusCode }: FastifyReply): number {
  return raw.headersSent ? statusCode : CLIENT_CLOSED_REQUEST;
}
