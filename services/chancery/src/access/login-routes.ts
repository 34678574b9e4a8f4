import { Fault, Forbidden, Malformed, Unauthenticated } from "@chancery/fault";
import { failureOf, SESSION_PATH } from "@chancery/service";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { html, page } from "../page.ts";
import type { AuthorizationCodeFlow } from "./authorization-code.ts";
import { Cookie } from "./cookie.ts";
import { LOGIN_PATH, type OidcReadAccess } from "./oidc-read-access.ts";
import { SignInLimit } from "./sign-in-limit.ts";
import { SignedValue } from "./signed-value.ts";

export const CALLBACK_PATH = "/auth/callback";

export interface LoginRoutes {
  readonly access: OidcReadAccess;
  /** Undefined: machines only. */
  readonly flow: AuthorizationCodeFlow | undefined;
  /** Public origin. */
  readonly url: string;
  readonly secret: Uint8Array;
}

/** Milliseconds to sign in. */
const LOGIN_LIFE = 10 * 60_000;

const begun = z.strictObject({ state: z.string(), nonce: z.string(), verifier: z.string(), path: z.string() });

/** `routes` undefined: everyone may read, and a page is told so. */
export function mountSession(fastify: FastifyInstance, routes: LoginRoutes | undefined): void {
  if (routes !== undefined) return mountLogin(fastify, routes);
  fastify.get(SESSION_PATH, { config: { ownOriginOnly: true } }, (_request, reply) => {
    reply.header("Cache-Control", "no-store").send({ required: false });
  });
}

/**
 * Signing in and out.
 *
 * A sign-in is bound to the browser that began it, by a cookie of ten minutes with `state`, `nonce` and PKCE verifier:
 * nobody can have another's browser finish a sign-in that is not its own. Nothing but DELETE changes anything, and that
 * no other origin's page can send.
 */
function mountLogin(fastify: FastifyInstance, { access, flow, url, secret }: LoginRoutes): void {
  const config = { ownOriginOnly: true };
  const isSecure = url.startsWith("https:");
  const attempts = new SignedValue(secret, `login ${url}`, begun);
  const cookie = new Cookie("chancery_login", isSecure);

  fastify.get(SESSION_PATH, { config }, async (request, reply) => {
    reply.header("Cache-Control", "no-store").header("Vary", "Authorization, Cookie");
    const { authorization, cookie: cookies } = request.headers;
    const who = await access.readerOf({ authorization, cookie: cookies }).catch(ignoreFaults);
    const login = flow === undefined ? {} : { loginUrl: LOGIN_PATH };
    await reply.send({ required: true, ...(who && { name: who.name, roles: who.roles }), ...login });
  });

  fastify.delete(SESSION_PATH, { config }, (request, reply) => {
    const { origin } = request.headers;
    if (origin !== undefined && origin !== url) {
      reply.code(403).send({ code: "forbidden", message: "Origin: only pages from here may sign out" });
      return;
    }
    reply.code(204).header("Set-Cookie", access.end()).header("Cache-Control", "no-store").send();
  });

  if (flow === undefined) return;
  const limit = new SignInLimit(LOGIN_LIFE, Date.now);
  fastify.get(LOGIN_PATH, { config }, (request, reply) =>
    shown(reply, async () => {
      const path = returnPath(request);
      const { attempt, url: there } = await flow.begin();
      const value = attempts.encode({ ...attempt, path }, Date.now() + LOGIN_LIFE);
      reply.header("Set-Cookie", cookie.write(value, LOGIN_LIFE / 1000));
      redirect(reply, there);
    }),
  );
  fastify.get(CALLBACK_PATH, { config }, (request, reply) =>
    shown(reply, async () => {
      const attempt = attempts.decode(cookie.read(request.headers.cookie), Date.now());
      if (attempt === undefined) throw new Unauthenticated("this sign-in is over, or was begun elsewhere");
      const returned = new URL(request.url, url);
      // Another page's link to here must not use up the sign-in that is under way.
      if (returned.searchParams.get("state") !== attempt.state) {
        throw new Unauthenticated("this is not the answer to the sign-in that was begun here");
      }
      const session = await limit.finish(attempt.state, async () => access.begin(await flow.finish(attempt, returned)));
      reply.header("Set-Cookie", [session, cookie.clear()]);
      redirect(reply, attempt.path);
    }),
  );
}

/** A path here: what a browser could read as another host is none. */
function returnPath(request: FastifyRequest): string {
  const { return: path = "/" } = request.query as Record<string, unknown>;
  if (typeof path === "string" && path.length <= 2_048 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path)) return path;
  throw new Malformed("return: is not a path of this site");
}

function redirect(reply: FastifyReply, to: string): void {
  reply.code(303).header("Location", to).header("Cache-Control", "no-store").header("Referrer-Policy", "no-referrer");
  reply.send();
}

/** What went wrong is told on a page: a person is looking. */
async function shown(reply: FastifyReply, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const failure = failureOf(error);
    if (!(error instanceof Fault) || failure.status >= 500) reply.server.reportFailure?.(failure, reply.request);
    const told = page(
      "Sign-in failed",
      html`<p>${failure.message}</p>
        <p><a href="${LOGIN_PATH}">Sign in again</a></p>`,
    );
    if (failure.retryAfter !== undefined) reply.header("Retry-After", String(failure.retryAfter));
    reply.code(failure.status).headers(told.headers).send(told.body);
  }
  await reply;
}

function ignoreFaults(error: unknown): undefined {
  if (error instanceof Unauthenticated || error instanceof Forbidden) return undefined;
  throw error;
}
