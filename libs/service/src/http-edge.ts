import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TooLarge, UnsupportedMediaType } from "@chancery/fault";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BodyBudget, IncomingBody } from "./body-budget.ts";

/*
 * What every request meets before any service does, in the order: time and header limits (Node's
 * parser), request ID and CORS, content coding, byte budget, body limit.
 */

const EMPTY_BODY = Buffer.alloc(0);
/** As upstream's services. An ID that a caller gives is kept if it cannot break a log line. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;
const PREFLIGHT_SECONDS = "600";

declare module "fastify" {
  interface FastifyContextConfig {
    /** No other origin's page may read this route. */
    ownOriginOnly?: boolean;
  }
}

/** Every request body, of whatever content type, reaches its controller as the bytes that were sent. */
export function takeBodiesRaw(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
}

export function openToAllOrigins(fastify: FastifyInstance): void {
  fastify.addHook("onRequest", (request, reply, done) => {
    reply.header("X-Request-Id", request.id);
    reply.header("X-Content-Type-Options", "nosniff");
    if (request.method === "POST" || request.method === "PUT") request.body = EMPTY_BODY;
    if (request.routeOptions.config?.ownOriginOnly === true) return done();
    reply.header("Access-Control-Allow-Origin", "*");
    if (request.headers.origin === undefined) return done();
    if (isPreflight(request)) {
      answerPreflight(reply);
      return;
    }
    reply.header("Access-Control-Expose-Headers", "Location, Retry-After, SCT, X-Request-Id, x-log-index");
    done();
  });
}

function isPreflight(request: FastifyRequest): boolean {
  return request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
}

function answerPreflight(reply: FastifyReply): void {
  reply
    .code(204)
    .header("Access-Control-Allow-Methods", "GET, POST")
    .header("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, X-Request-Id")
    .header("Access-Control-Max-Age", PREFLIGHT_SECONDS)
    .send();
}

/** Refuses coded bodies unread (a small gzip can be a very large body), and holds the sum of bodies in a budget. */
export function guardBodies(fastify: FastifyInstance, budget: BodyBudget): void {
  fastify.addHook("preParsing", (request, reply, payload, done) => {
    const coding = request.headers["content-encoding"];
    if (coding !== undefined && coding.toLowerCase() !== "identity") {
      reply.header("Connection", "close");
      return done(new UnsupportedMediaType("Content-Encoding: only identity is accepted"));
    }
    // The route's own limit where it has one: what may be received is what is counted.
    const { bodyLimit } = request.routeOptions;
    if (Number(request.headers["content-length"] ?? 0) > bodyLimit) {
      reply.header("Connection", "close");
      return done(new TooLarge(`body: longer than ${bodyLimit} bytes`));
    }
    const bytes = announcedBytes(request.headers, bodyLimit);
    if (bytes === 0) return done(null, payload);
    try {
      reply.raw.once("close", budget.take(bytes, incomingBody(request.raw)));
    } catch (error) {
      reply.header("Connection", "close");
      return done(error as Error);
    }
    done(null, payload);
  });
}

function incomingBody(request: IncomingMessage): IncomingBody {
  const { socket } = request;
  return {
    isComplete: () => request.complete,
    received: () => socket.bytesRead,
    giveWay: () => socket.destroy(),
  };
}

/** A chunked body may become as large as the limit lets it. */
function announcedBytes(headers: IncomingMessage["headers"], bodyLimit: number): number {
  if (headers["transfer-encoding"] !== undefined) return bodyLimit;
  const length = Number(headers["content-length"] ?? 0);
  return Math.min(Number.isFinite(length) ? length : bodyLimit, bodyLimit);
}

/** Request IDs: the caller's own, else a process prefix and a counter. */
export function requestIds(): (request: IncomingMessage) => string {
  const prefix = randomBytes(6).toString("hex");
  let count = 0;
  return (request) => {
    const given = request.headers["x-request-id"];
    if (typeof given === "string" && REQUEST_ID.test(given)) return given;
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

/** What Node's parser refused before there was a request: bad framing, too many or too slow headers. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? ["408 Request Timeout", "the request took too long"]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? ["431 Request Header Fields Too Large", "the request's header is too large"]
        : ["400 Bad Request", "this is not an HTTP request"];
  const body = JSON.stringify({ code: Number(status.slice(0, 3)), message });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
