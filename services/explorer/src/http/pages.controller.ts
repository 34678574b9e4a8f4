import { Controller, Get, Headers, Inject, Optional, Param, Res } from "@nestjs/common";
import { RouteConfig } from "@nestjs/platform-fastify";
import { NotFound, Unavailable } from "@chancery/fault";
import type { FastifyReply } from "fastify";
import { chooseCoding, type Site, type SiteFile } from "../domain/site.ts";
import { SITE } from "./tokens.ts";

/**
 * What a page may do. Everything a page shows was written by strangers, so nothing runs that did not come as a file
 * from here: no inline script, no inline style, no way from text to markup (Trusted Types), no request to elsewhere.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const PAGE_HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** One page for all paths below: which of them it is, the script reads from the address. */
const PAGES = [
  "/",
  "search",
  "entries/:log/:id",
  "identities",
  "logs",
  "logs/:name",
  "logs/:name/:shard",
  "issuance",
  "health",
  "sign",
  "check",
  "keys",
];

/** They are built by the next start. */
const RETRY_SECONDS = 60;

@Controller()
export class PagesController {
  readonly #site: Site | undefined;

  constructor(@Optional() @Inject(SITE) site: Site | undefined) {
    this.#site = site;
  }

  @Get(PAGES)
  @RouteConfig({ ownOriginOnly: true, readAccess: "signed-in" })
  page(@Headers("accept-encoding") accepted: string | undefined, @Res() reply: FastifyReply): void {
    sendPage(reply, this.#built(), accepted);
  }

  /** Else whoever signs out would be sent to the login at once. */
  @Get("signed-out")
  @RouteConfig({ ownOriginOnly: true, readAccess: "all" })
  signedOut(@Headers("accept-encoding") accepted: string | undefined, @Res() reply: FastifyReply): void {
    sendPage(reply, this.#built(), accepted);
  }

  @Get("assets/:name")
  @RouteConfig({ ownOriginOnly: true })
  asset(
    @Param("name") name: string,
    @Headers("accept-encoding") accepted: string | undefined,
    @Res() reply: FastifyReply,
  ): void {
    const file = this.#built().assets.get(name);
    if (file === undefined) throw new NotFound("there is no such file");
    // Its name has its hash.
    reply.headers({ ...PAGE_HEADERS, "Cache-Control": "public, max-age=31536000, immutable" });
    send(reply, file, accepted);
  }

  #built(): Site {
    if (this.#site === undefined) throw new Unavailable("the pages have not been built", RETRY_SECONDS);
    return this.#site;
  }
}

/** The page that all addresses have in common, with the status that is set. It holds nothing: what it shows, it asks for. */
export function sendPage(reply: FastifyReply, { page }: Site, accepted: string | undefined): void {
  // Asked for again each time: it names the assets, and those of yesterday are gone after an upgrade.
  reply.headers({ ...PAGE_HEADERS, "Cache-Control": "no-cache" });
  send(reply, page, accepted);
}

function send(reply: FastifyReply, file: SiteFile, accepted: string | undefined): void {
  const { bytes, coding } = chooseCoding(file, accepted);
  reply.header("Content-Type", file.contentType).header("Vary", "Accept-Encoding");
  if (coding !== undefined) reply.header("Content-Encoding", coding);
  reply.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
