import { Fault, Forbidden, Unauthenticated } from "@chancery/fault";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { failureOf } from "./failure.ts";
import { grpcCodeOf } from "./grpc/status.ts";

/** An auditor may read what a reader may, and who was issued and refused certificates. */
export type ReadRole = "reader" | "auditor";

type NeededRole = ReadRole | "signed-in";

/** Someone who has shown who they are. */
export interface Reader {
  readonly name: string;
  readonly roles: readonly ReadRole[];
}

/** Who may read, where not everyone may. */
export interface ReadAccess {
  /**
   * Whom a request is from. Undefined if it shows nothing; MUST throw Unauthenticated for a token that is no good. A
   * session that is over counts for nothing.
   */
  readerOf(shown: {
    readonly authorization?: string | undefined;
    readonly cookie?: string | undefined;
  }): Promise<Reader | undefined>;
  /** What to do or send, for whoever showed nothing: `sign in, or send …`. */
  readonly wanted: string;
  /** Where a browser goes to sign in and come back to `path`; undefined where there is no login. */
  loginUrl(path: string): string | undefined;
  /** The logs' own reading APIs are guarded too. */
  readonly guardsLogs: boolean;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * Who may read this route, where reading is not open to all; by its path if left out. `signed-in` is for pages that hold
     * nothing themselves, and tell whoever has no role who they are and how to sign out.
     */
    readAccess?: NeededRole | "all";
  }
}

const API = "/api/chancery";
export const SESSION_PATH = `${API}/v1/session`;
const AUDITORS = /^\/api\/chancery\/v1\/(certificates|refusals|issuance)(\/|$)/;
/** What tells entries, proofs and heads; the key of a log is in the trust root and no secret. */
const LOG_READS: readonly RegExp[] = [
  /^GET \/api\/v1\/log(\/(?!publicKey$).*)?$/,
  /^POST \/api\/v1\/(log\/entries|index)\/retrieve$/,
  /^GET (\/api\/v2)?\/(checkpoint|tile\/.*)$/,
  /^GET \/ctlog\/.*$/,
];

/**
 * One guard for all that is served: by the pattern of the route that will answer, not by the path as it was written, so
 * that no other spelling of a path has another answer. MUST be called before the routes are made.
 */
export function guardReads(fastify: FastifyInstance, access: ReadAccess): void {
  fastify.addHook("onRequest", async (request, reply) => {
    const role = roleNeeded(request, access.guardsLogs);
    if (role === undefined) return;
    try {
      await requireRole(access, request.headers, role);
    } catch (error) {
      refuse(error, access, request, reply);
      await reply;
    }
  });
  // What one may read no cache may keep for another.
  fastify.addHook("onSend", async (request, reply, payload) => {
    if (roleNeeded(request, access.guardsLogs) === undefined) return payload;
    const caching = reply.getHeader("Cache-Control");
    if (typeof caching === "string" && caching.startsWith("public")) {
      reply.header("Cache-Control", caching.replace("public", "private"));
    }
    reply.header("Vary", "Authorization, Cookie");
    return payload;
  });
}

export async function requireRole(
  access: ReadAccess,
  shown: Parameters<ReadAccess["readerOf"]>[0],
  role: NeededRole,
): Promise<void> {
  const reader = await access.readerOf({ authorization: shown.authorization, cookie: shown.cookie });
  if (reader === undefined) {
    const needed = role === "signed-in" ? "reader" : role;
    throw new Unauthenticated(`reading here needs the role ${needed}: ${access.wanted}`);
  }
  if (role !== "signed-in" && !reader.roles.includes(role))
    throw new Forbidden(`reading here needs the role ${role}, which this account has not`);
}

function roleNeeded({ is404, method, routeOptions }: FastifyRequest, guardsLogs: boolean): NeededRole | undefined {
  if (is404) return undefined;
  const { url = "", config } = routeOptions;
  const said = config?.readAccess;
  if (said !== undefined) return said === "all" ? undefined : said;
  if (url === SESSION_PATH) return undefined;
  if (AUDITORS.test(url)) return "auditor";
  if (url === API || url.startsWith(`${API}/`)) return "reader";
  return guardsLogs && LOG_READS.some((pattern) => pattern.test(`${method} ${url}`)) ? "reader" : undefined;
}

/** A person who asks for a page is sent to the login; whoever asks for data is told. */
function refuse(error: unknown, access: ReadAccess, request: FastifyRequest, reply: FastifyReply): void {
  const failure = failureOf(error);
  if (!(error instanceof Fault)) reply.server.reportFailure?.(failure, request);
  const isPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
  const login = failure.status === 401 && isPage ? access.loginUrl(request.url) : undefined;
  reply.header("Cache-Control", "no-store");
  if (login !== undefined) {
    reply.code(302).header("Location", login).send();
    return;
  }
  if (failure.status === 401) reply.header("WWW-Authenticate", "Bearer");
  if (failure.retryAfter !== undefined) reply.header("Retry-After", String(Math.ceil(failure.retryAfter)));
  const { url = "" } = request.routeOptions;
  const code = url.startsWith(API)
    ? failure.code
    : /^\/(api\/v2|tile|checkpoint)/.test(url)
      ? grpcCodeOf(failure)
      : failure.status;
  reply.code(failure.status).send({ code, message: failure.message });
}
