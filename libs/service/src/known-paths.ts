import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/**
 * Remembers every route as it is added, so that a wrong method on a known path is answered 405 with
 * Allow (RFC 9110, Section 15.5.6) and not 404. Read only on the way to a 404.
 */
export class KnownPaths {
  readonly #routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  constructor(fastify: FastifyInstance) {
    fastify.addHook("onRoute", ({ url, method }) => {
      this.#routes.push({ pattern: pathPattern(url), methods: [method].flat() });
    });
  }

  /** The methods that this path would take, sorted. */
  methods(path: string): string[] {
    const bare = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    const methods = this.#routes.filter(({ pattern }) => pattern.test(bare)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  }
}

/** find-my-way's grammar as far as our routes use it: text, `:name`, `:name(regexp)` and a final `*`. */
function pathPattern(url: string): RegExp {
  const parts = url.match(/:\w+(\([^)]*\))?|\*|[^:*]+/g) ?? [];
  const source = parts.map((part) => {
    if (part === "*") return ".*";
    if (part.startsWith(":")) return /\((.*)\)$/.exec(part)?.[1] ?? "[^/]+";
    return RegExp.escape(part);
  });
  const whole = source.join("");
  return new RegExp(`^${whole.length > 1 && whole.endsWith("/") ? whole.slice(0, -1) : whole}$`);
}

declare module "fastify" {
  interface FastifyInstance {
    /** What a person sees at a path where nothing is, with the status set; whoever wants data gets JSON. */
    pageNotFound?: (request: FastifyRequest, reply: FastifyReply) => void;
    /** What an API says of paths below its own where nothing is, or with a slash too many: true if the answer was given. */
    apiNotFound?: (path: string, reply: FastifyReply) => boolean;
  }
}

/** Answers an unknown path before its body is read; JSON like every other error, unless a browser wants a page. */
export function refuseUnknownPaths(fastify: FastifyInstance, known: KnownPaths): void {
  fastify.addHook("onRequest", (request, reply, done) => {
    const [path = ""] = request.url.split("?", 1);
    // Routes match with a slash at the end too, as go-openapi's do (Rekor v1, where sigstore-python asks for `retrieve/`; TSA). A gateway's do not.
    if (path.endsWith("/") && fastify.apiNotFound?.(path, reply) === true) return;
    if (!request.is404) return done();
    const methods = known.methods(path);
    const wrongMethod = methods.length > 0 && !methods.includes(request.method);
    if (!wrongMethod && fastify.apiNotFound?.(path, reply) === true) return;
    if (wrongMethod) reply.header("Allow", methods.join(", "));
    const wantsPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
    if (!wrongMethod && wantsPage && fastify.pageNotFound !== undefined) {
      fastify.pageNotFound(request, reply.code(404));
      return;
    }
    reply
      .code(wrongMethod ? 405 : 404)
      .send(
        wrongMethod
          ? { code: 405, message: `this path takes ${methods.join(", ")}` }
          : { code: 404, message: "there is nothing at this path" },
      );
  });
}
