import type { IncomingMessage, ServerResponse } from "node:http";
import { Malformed } from "@chancery/fault";
import { failureOf } from "@chancery/service";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isLoopbackAddress, isLoopbackHost } from "../loopback.ts";
import { html, page, type Page } from "../page.ts";
import { parseEmailAddress } from "./email-address.ts";
import type { IdentityProvider } from "./identity-provider.ts";

export const MOUNT = "/idp";

/** A form with one address in it. */
const FORM_BYTES = 1024;
/** After the form the browser is sent to the client's own loopback port, and a browser holds that against form-action too. */
const FORM_TARGETS = "'self' http://localhost:* http://127.0.0.1:* http://[::1]:*";

/** Mounts the provider below `/idp` of the origin that everything shares. */
export function mountIdentityProvider(fastify: FastifyInstance, idp: IdentityProvider): void {
  const callback = idp.provider.callback();
  void fastify.register(async (scope) => {
    // The provider reads bodies itself: they stay in the stream.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.addHook("onRequest", (request, reply, done) => {
      const refusal = refusalOf(request);
      if (refusal === undefined) return done();
      reply.code(403).header("Cache-Control", "no-store").send({ code: 403, message: refusal });
    });
    const config = { ownOriginOnly: true };
    scope.get(`${MOUNT}/token`, { config }, (request, reply) => answerToken(idp, request, reply));
    scope.get(`${MOUNT}/login/:uid`, { config }, (_request, reply) => send(reply, loginPage("")));
    scope.post(`${MOUNT}/login/:uid`, { config }, (request, reply) => answerLogin(idp, request, reply));
    scope.route({
      method: ["GET", "POST"],
      url: `${MOUNT}/*`,
      config,
      handler: (request, reply) => {
        reply.hijack();
        const raw: IncomingMessage & { originalUrl?: string } = request.raw;
        // Koa routes by `url` and builds its links from what `originalUrl` has in front of it.
        raw.originalUrl = raw.url ?? MOUNT;
        raw.url = raw.originalUrl.slice(MOUNT.length) || "/";
        void callback(raw, withHeadersOf(reply));
      },
    });
  });
}

/**
 * Who must not reach it: another machine; a page of another site, which could otherwise have this browser
 * fetch or follow things here; a name that only resolves to this machine (DNS rebinding); and anything that
 * came through a proxy, whose peers we cannot see.
 */
function refusalOf(request: FastifyRequest): string | undefined {
  const { headers, socket } = request.raw;
  if (!isLoopbackAddress(socket.remoteAddress ?? ""))
    return "the development identity provider serves this machine only";
  const host = headers.host?.replace(/:\d+$/, "") ?? "";
  if (!isLoopbackHost(host)) return "Host: the development identity provider answers to localhost only";
  if (isProxied(request.raw)) return "the development identity provider is not to be put behind a proxy";
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "none" && site !== "same-origin") return "Sec-Fetch-Site: not from another site";
  return undefined;
}

const PROXY_HEADER = /^(forwarded|x-forwarded-.*|x-real-ip|via|true-client-ip|cf-.*)$/;

/**
 * A proxy says so, or (nginx, as it comes) names no one and writes our own address into Host: then it speaks
 * HTTP/1.0, and a browser behind it still tells the name it went to.
 */
function isProxied({ headers, httpVersion }: IncomingMessage): boolean {
  if (httpVersion === "1.0" || Object.keys(headers).some((name) => PROXY_HEADER.test(name))) return true;
  return [headers.origin, headers.referer].some((from) => {
    const site = from === undefined ? null : URL.parse(from);
    return site !== null && !isLoopbackHost(site.hostname);
  });
}

async function answerToken(idp: IdentityProvider, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header("Cache-Control", "no-store");
  try {
    const query = request.query as Record<string, unknown>;
    const unknown = Object.keys(query).find((name) => name !== "email");
    if (unknown !== undefined) throw new Malformed(`${unknown}: unknown parameter; there is only email`);
    const token = await idp.token(parseEmailAddress(query["email"], "email"));
    reply.header("Content-Type", "text/plain; charset=utf-8").send(token);
  } catch (error) {
    const { status, message } = failureOf(error);
    reply.code(status).send({ code: status, message });
  }
  await reply;
}

async function answerLogin(idp: IdentityProvider, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  let email: string;
  try {
    const form = new URLSearchParams(await readForm(request.raw));
    email = parseEmailAddress(form.getAll("email").length === 1 ? form.get("email") : undefined, "email");
  } catch (error) {
    send(reply.code(400), loginPage(failureOf(error).message));
    return;
  }
  reply.hijack();
  try {
    await idp.provider.interactionFinished(request.raw, withHeadersOf(reply), { login: { accountId: email } });
  } catch {
    const expired = page("Sign-in expired", html`<p>This sign-in is over. Start it again from your client.</p>`);
    reply.raw.writeHead(400, expired.headers).end(expired.body);
  }
}

async function readForm(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > FORM_BYTES) throw new Malformed("email: the form is too large");
  }
  return text;
}

/** What our hooks have put on the reply goes out with a response that Koa writes. */
function withHeadersOf(reply: FastifyReply): ServerResponse {
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  return reply.raw;
}

function send(reply: FastifyReply, shown: Page): void {
  reply.headers(shown.headers).send(shown.body);
}

function loginPage(complaint: string): Page {
  return page(
    "Development sign-in",
    html`<p class="warning">Anyone on this machine can be anyone here. That is its purpose.</p>
      ${complaint === "" ? "" : html`<p>${complaint}</p>`}
      <form method="post">
        <label
          >E-mail address <input type="email" name="email" required autofocus placeholder="dev@example.com"
        /></label>
        <button>Sign in</button>
      </form>`,
    FORM_TARGETS,
  );
}
