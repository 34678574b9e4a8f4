import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { createService, type RunningService } from "@chancery/service";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "@chancery/testing";
import { createIdentityProvider } from "../src/idp/identity-provider.ts";
import { mountIdentityProvider } from "../src/idp/identity-provider-routes.ts";

let service: RunningService;
let url: string;

beforeAll(async () => {
  const port = await freePort();
  url = `http://localhost:${port}`;
  const idp = await createIdentityProvider(`${url}/idp`);
  service = await createService({ modules: [], port, mount: (fastify) => mountIdentityProvider(fastify, idp) });
});
afterAll(() => service.close());

/** With headers that fetch would not let us set. */
function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(service.url + path, { headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on("error", reject);
    request.end();
  });
}

async function conversation(said: string): Promise<string> {
  const socket = connect(Number(new URL(service.url).port), "127.0.0.1", () => socket.write(said));
  let heard = "";
  for await (const chunk of socket) heard += String(chunk);
  return heard;
}

async function discovery(): Promise<Record<string, string>> {
  const answer = await fetch(`${url}/idp/.well-known/openid-configuration`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, string>;
}

describe("discovery", () => {
  test("names the issuer and endpoints below it", async () => {
    const document = await discovery();
    expect(document).toMatchObject({
      issuer: `${url}/idp`,
      jwks_uri: `${url}/idp/jwks`,
      authorization_endpoint: `${url}/idp/auth`,
      token_endpoint: `${url}/idp/token`,
      code_challenge_methods_supported: ["S256"],
    });
  });
});

describe("the token endpoint for shells", () => {
  test("gives a ten-minute token that the published keys verify", async () => {
    const answer = await fetch(`${url}/idp/token?email=dev@example.com`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    const { jwks_uri: keys } = await discovery();
    const { payload } = await jwtVerify(await answer.text(), createRemoteJWKSet(new URL(keys!)), {
      issuer: `${url}/idp`,
      audience: "sigstore",
    });
    expect(payload).toMatchObject({ email: "dev@example.com", email_verified: true, sub: "dev@example.com" });
    expect(payload.exp! - payload.iat!).toBe(600);
  });

  test.for([
    ["", "email: is missing; give it exactly once"],
    ["?email=", "email: is missing; give it exactly once"],
    ["?email=a@example.com&email=b@example.com", "email: is missing; give it exactly once"],
    ["?email=dev", "email: is not an address like dev@example.com"],
    ["?email=dev@@example.com", "email: is not an address like dev@example.com"],
    ["?email=%22dev%22@example.com", "email: is not an address like dev@example.com"],
    ["?email=dev%0a@example.com", "email: is not an address like dev@example.com"],
    ["?email=d%C3%A9v@example.com", "email: is not an address like dev@example.com"],
    ["?email=dev@example.com%00", "email: is not an address like dev@example.com"],
    ["?email=dev@-example.com", "email: is not an address like dev@example.com"],
    [`?email=${"a".repeat(65)}@example.com`, "email: is not an address like dev@example.com"],
    ["?mail=dev@example.com", "mail: unknown parameter; there is only email"],
  ])("refuses %s", async ([query, message]) => {
    const answer = await get(`/idp/token${query}`);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, { code: 400, message }]);
  });
});

describe("who may reach it", () => {
  test.for([
    ["a page of another site", { "Sec-Fetch-Site": "cross-site" }],
    ["a page on another port of this machine", { "Sec-Fetch-Site": "same-site" }],
    ["a name that only resolves here", { Host: "evil.example:8700" }],
    ["a name that only looks local", { Host: "localhost.evil.example" }],
    ["a request through a proxy", { "X-Forwarded-For": "203.0.113.9" }],
    ["a request through a proxy that tells only the scheme", { "X-Forwarded-Proto": "https" }],
    ["a request through a proxy that tells only the peer", { "X-Real-IP": "203.0.113.9" }],
    ["a request through a proxy that tells only itself", { Via: "1.1 proxy" }],
    ["a page that a proxy serves under another name", { Origin: "https://sigstore.example.com" }],
    ["what follows from such a page", { Referer: "https://sigstore.example.com/" }],
  ] as const)("not %s", async ([, headers]) => {
    for (const path of ["/idp/token?email=dev@example.com", "/idp/.well-known/openid-configuration", "/idp/auth"]) {
      expect((await get(path, headers)).status).toBe(403);
    }
  });

  test("not a proxy as nginx comes, which names nobody and our own address", async () => {
    const ask = "GET /idp/token?email=dev@example.com HTTP/1.0\r\nHost: 127.0.0.1:8700\r\nConnection: close\r\n\r\n";
    expect(await conversation(ask)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test.for([
    { Host: "127.0.0.1:1" },
    { Host: "[::1]:1" },
    { Host: "LOCALHOST" },
    { "Sec-Fetch-Site": "none" },
    { Origin: "null" },
    { Referer: "http://localhost:5/" },
  ])("%o may", async (headers) => {
    expect((await get("/idp/token?email=dev@example.com", headers as Record<string, string>)).status).toBe(200);
  });
});

/** A browser with a cookie jar, which follows redirects until it leaves the provider. */
class Browser {
  readonly #cookies = new Map<string, string>();

  async go(to: string, form?: Record<string, string>): Promise<{ at: string; answer: Response }> {
    let [at, body] = [to, form === undefined ? undefined : new URLSearchParams(form)];
    for (;;) {
      const answer = await fetch(at, {
        redirect: "manual",
        headers: { Cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
        ...(body === undefined ? {} : { method: "POST", body }),
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
        if (value === "") this.#cookies.delete(name!);
        else this.#cookies.set(name!, value!);
      }
      const next = answer.headers.get("location");
      if (next === null) return { at, answer };
      at = new URL(next, at).href;
      body = undefined;
      if (!at.startsWith(url)) return { at, answer };
    }
  }
}

describe("the browser's way", () => {
  const redirect = "http://localhost:53123/auth/callback";

  test("a client on a loopback port gets a code for whom the page was told, and a token for the code", async () => {
    const verifier = randomBytes(32).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const parameters = {
      client_id: "sigstore",
      redirect_uri: redirect,
      response_type: "code",
      scope: "openid email",
      state: "s",
      nonce: "n",
      code_challenge: challenge,
      code_challenge_method: "S256",
    };
    const query = new URLSearchParams(parameters).toString();
    const browser = new Browser();
    const login = await browser.go(`${url}/idp/auth?${query}`);
    expect(login.at).toContain("/idp/login/");
    expect(login.answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    const wrong = await browser.go(login.at, { email: "<b>" });
    expect(wrong.answer.status).toBe(400);
    expect(await wrong.answer.text()).not.toContain("<b>");
    const done = await browser.go(login.at, { email: "alice@example.com" });
    expect(done.at).toContain(redirect);
    const code = new URL(done.at).searchParams.get("code")!;
    const exchange = (extra: Record<string, string>) =>
      fetch(`${url}/idp/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "authorization_code",
          client_id: "sigstore",
          redirect_uri: redirect,
          code,
          ...extra,
        }),
      });
    const answer = await exchange({ code_verifier: verifier });
    expect(answer.status).toBe(200);
    const { id_token: token } = (await answer.json()) as { id_token: string };
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(`${url}/idp/jwks`)), {
      issuer: `${url}/idp`,
      audience: "sigstore",
    });
    expect(payload).toMatchObject({ email: "alice@example.com", email_verified: true, nonce: "n" });
    expect((await exchange({ code_verifier: verifier })).status).toBe(400);
    const again = await browser.go(`${url}/idp/auth?${query}`);
    expect(again.at, "the next sign-in asks again: it may be somebody else").toContain("/idp/login/");
  });

  test("a redirect to anywhere else, or without PKCE, is refused", async () => {
    const query = { client_id: "sigstore", response_type: "code", scope: "openid email", redirect_uri: redirect };
    const elsewhere = await fetch(
      `${url}/idp/auth?${new URLSearchParams({ ...query, redirect_uri: "http://evil.example/auth/callback" }).toString()}`,
      { redirect: "manual" },
    );
    expect(elsewhere.status).toBe(400);
    const bare = await fetch(`${url}/idp/auth?${new URLSearchParams(query).toString()}`, { redirect: "manual" });
    expect(new URL(bare.headers.get("location")!).searchParams.get("error")).toBe("invalid_request");
  });
});
