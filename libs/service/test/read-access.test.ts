import { Unauthenticated } from "@chancery/fault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createService, type ReadAccess, type RunningService } from "../src/index.ts";

/** Believes whatever name it is shown, and what the name says of its roles. */
const access = (guardsLogs: boolean): ReadAccess => ({
  guardsLogs,
  wanted: "send a good name",
  loginUrl: (path) => `/login?return=${encodeURIComponent(path)}`,
  readerOf: async ({ authorization, cookie }) => {
    if (authorization === "Bearer bad") throw new Unauthenticated("the token is expired");
    const name = authorization ?? cookie;
    if (name === undefined) return undefined;
    return {
      name,
      roles: name.includes("auditor") ? ["reader", "auditor"] : name.includes("reader") ? ["reader"] : [],
    };
  },
});

const ROUTES = [
  "/api/chancery/v1/search",
  "/api/chancery/v1/certificates/:serial",
  "/api/chancery/v1/certificates",
  "/api/chancery/v1/certificatesof",
  "/api/chancery/v1/refusals",
  "/api/chancery/v1/issuance/summary",
  "/api/chancery/v1/session",
  "/api/v1/log",
  "/api/v1/log/publicKey",
  "/api/v1/log/entries/:entryUUID",
  "/api/v2/tile/*",
  "/ctlog/:shard/ct/v1/get-sth",
  "/api/v2/trustBundle",
];

function serve(guardsLogs: boolean): Promise<RunningService> {
  return createService({
    modules: [],
    readAccess: access(guardsLogs),
    mount: (fastify) => {
      for (const url of ROUTES) {
        fastify.get(url, (_request, reply) => void reply.header("Cache-Control", "public, max-age=60").send({ url }));
      }
      fastify.get("/page", { config: { readAccess: "reader" } }, (_request, reply) => void reply.send("page"));
      fastify.get("/shell", { config: { readAccess: "signed-in" } }, (_request, reply) => void reply.send("page"));
      fastify.get("/api/chancery/v1/open", { config: { readAccess: "all" } }, (_request, reply) => void reply.send({}));
    },
  });
}

let guarded: RunningService;
let half: RunningService;
beforeAll(async () => {
  [guarded, half] = await Promise.all([serve(true), serve(false)]);
});
afterAll(() => Promise.all([guarded?.close(), half?.close()]));

async function status(service: RunningService, path: string, headers: Record<string, string> = {}): Promise<number> {
  return (await service.app.inject({ method: "GET", url: path, headers })).statusCode;
}

describe("the guard of what is read", () => {
  test.for([
    // path, nobody, no role, reader, auditor
    ["/api/chancery/v1/search", 401, 403, 200, 200],
    ["/api/chancery/v1/certificates", 401, 403, 403, 200],
    ["/api/chancery/v1/certificates/01", 401, 403, 403, 200],
    ["/api/chancery/v1/certificatesof", 401, 403, 200, 200],
    ["/api/chancery/v1/refusals", 401, 403, 403, 200],
    ["/api/chancery/v1/issuance/summary", 401, 403, 403, 200],
    ["/api/chancery/v1/%63ertificates", 401, 403, 403, 200],
    ["/api/chancery/v1/certificates/", 401, 403, 403, 200],
    ["/api/chancery/v1/session", 200, 200, 200, 200],
    ["/api/chancery/v1/open", 200, 200, 200, 200],
    ["/page", 401, 403, 200, 200],
    ["/shell", 401, 200, 200, 200],
    ["/api/v1/log", 401, 403, 200, 200],
    ["/api/v1/log/publicKey", 200, 200, 200, 200],
    ["/api/v1/log/entries/00", 401, 403, 200, 200],
    ["/api/v2/tile/0/000", 401, 403, 200, 200],
    ["/ctlog/2026/ct/v1/get-sth", 401, 403, 200, 200],
    ["/api/v2/trustBundle", 200, 200, 200, 200],
    ["/nowhere", 404, 404, 404, 404],
    ["/api/chancery/v1/nowhere", 404, 404, 404, 404],
  ] as const)("%s: nobody %i, a stranger %i, a reader %i, an auditor %i", async ([path, ...expected]) => {
    const shown = [{}, { cookie: "stranger" }, { authorization: "Bearer reader" }, { cookie: "auditor" }];
    expect(await Promise.all(shown.map((headers) => status(guarded, path, headers)))).toEqual(expected);
  });

  test("leaves the logs' own APIs open unless told otherwise", async () => {
    for (const path of ["/api/v1/log", "/api/v1/log/entries/00", "/api/v2/tile/0/000", "/ctlog/2026/ct/v1/get-sth"]) {
      expect(await status(half, path)).toBe(200);
    }
    expect(await status(half, "/api/chancery/v1/search")).toBe(401);
  });

  test("sends a browser that wants a page to the login, and back; whoever wants data is told", async () => {
    const headers = { accept: "text/html,application/xhtml+xml" };
    const page = await guarded.app.inject({ method: "GET", url: "/page?a=1", headers });
    expect([page.statusCode, page.headers.location]).toEqual([302, "/login?return=%2Fpage%3Fa%3D1"]);
    const data = await guarded.app.inject({ method: "GET", url: "/api/chancery/v1/search" });
    expect([data.statusCode, data.headers["www-authenticate"], data.json()]).toEqual([
      401,
      "Bearer",
      { code: "unauthenticated", message: "reading here needs the role reader: send a good name" },
    ]);
    const bad = await guarded.app.inject({
      method: "GET",
      url: "/api/chancery/v1/search",
      headers: { authorization: "Bearer bad" },
    });
    expect(bad.json()).toEqual({ code: "unauthenticated", message: "the token is expired" });
  });

  test("has no cache keep for others what one may read", async () => {
    const headers = { cookie: "reader" };
    const own = await guarded.app.inject({ method: "GET", url: "/api/v2/tile/0/000", headers });
    expect([own.headers["cache-control"], own.headers.vary]).toEqual(["private, max-age=60", "Authorization, Cookie"]);
    const open = await half.app.inject({ method: "GET", url: "/api/v2/tile/0/000", headers });
    expect([open.headers["cache-control"], open.headers.vary]).toEqual(["public, max-age=60", undefined]);
  });
});
