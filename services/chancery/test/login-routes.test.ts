import { createServer, type ServerResponse } from "node:http";
import { parseClaimPath, parseGlob } from "@chancery/identity";
import fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuthorizationCodeFlow } from "../src/access/authorization-code.ts";
import { mountSession } from "../src/access/login-routes.ts";
import { OidcReadAccess } from "../src/access/oidc-read-access.ts";

const URL_HERE = "http://localhost:8700";

/** Token requests that the provider has got and not yet answered, and all that it has got. */
let held: ServerResponse[];
let asked: number;
let isHolding: boolean;
let app: FastifyInstance;
let close: () => Promise<void>;

const refuse = (response: ServerResponse) =>
  response.writeHead(400, { "Content-Type": "application/json" }).end('{"error":"invalid_grant"}');

beforeEach(async () => {
  [held, asked, isHolding] = [[], 0, false];
  const provider = createServer((request, response) => {
    if (request.url === "/token") {
      asked++;
      if (isHolding) held.push(response);
      else refuse(response);
      return;
    }
    const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
    response.setHeader("Content-Type", "application/json").end(JSON.stringify({ issuer, ...endpoints }));
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(provider.address() as { port: number }).port}`;
  const client = { issuer, clientId: "chancery", clientSecret: "s3cret" };
  const secret = new Uint8Array(32);
  const access = new OidcReadAccess({
    ...client,
    audience: "chancery",
    keys: { verify: () => Promise.resolve(false) },
    roles: { reader: [{ name: "sub", path: parseClaimPath("sub")!, globs: [parseGlob("*")!] }], auditor: undefined },
    guardsLogs: false,
    login: true,
    sessionLife: 60_000,
    isSecure: false,
    secret,
  });
  const flow = new AuthorizationCodeFlow({
    ...client,
    redirectUri: `${URL_HERE}/auth/callback`,
    scope: "openid",
    ca: undefined,
  });
  app = fastify();
  mountSession(app, { access, flow, url: URL_HERE, secret });
  close = async () => {
    await app.close();
    provider.closeAllConnections();
    await new Promise((resolve) => provider.close(resolve));
  };
});
afterEach(() => close());

/** As far as the provider; `finish` brings back an answer, as often as one likes. */
async function beginSignIn() {
  const begun = await app.inject("/auth/login");
  const state = new URL(String(begun.headers.location)).searchParams.get("state") ?? "";
  const cookie = String(begun.headers["set-cookie"]).split(";")[0] ?? "";
  const finish = async (answered = state) => {
    const answer = await app.inject({ url: `/auth/callback?code=x&state=${answered}`, headers: { cookie } });
    return { status: answer.statusCode, retryAfter: answer.headers["retry-after"] };
  };
  return { finish };
}

test("the answer to a sign-in that is sent again and again asks the provider once", async () => {
  const { finish } = await beginSignIn();
  for (let times = 0; times < 3; times++) expect((await finish()).status).toBe(401);
  expect(asked).toBe(1);
});

test("an answer with another state is refused and does not use up the sign-in", async () => {
  const { finish } = await beginSignIn();
  expect((await finish("another")).status).toBe(401);
  expect(asked).toBe(0);
  await finish();
  expect(asked).toBe(1);
});

test("sixteen sign-ins are finished at once, and who comes next may come again", async () => {
  isHolding = true;
  const all = await Promise.all(Array.from({ length: 16 }, beginSignIn));
  const late = await beginSignIn();
  const underWay = all.map(({ finish }) => finish());
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(16);
  expect(await late.finish()).toEqual({ status: 503, retryAfter: "2" });
  expect(asked).toBe(16);
  isHolding = false;
  held.forEach(refuse);
  await Promise.all(underWay);
  expect((await late.finish()).status).toBe(401);
  expect(asked).toBe(17);
});
