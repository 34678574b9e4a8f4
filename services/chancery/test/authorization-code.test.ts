import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Unauthenticated, Unavailable } from "@chancery/fault";
import { generateKeyPair, SignJWT } from "jose";
import { expect, test } from "vitest";
import { AuthorizationCodeFlow } from "../src/access/authorization-code.ts";

const CLIENT = "chancery";
const REDIRECT = "http://localhost:8700/auth/callback";

interface Provider extends AsyncDisposable {
  readonly url: string;
  /** Of the token endpoint: header and form. */
  readonly asked: { authorization: string | undefined; form: URLSearchParams }[];
}

interface Quirks {
  readonly methods?: readonly string[];
  readonly issuer?: string;
  readonly nonce?: string;
  readonly audience?: string;
  readonly answer?: (response: ServerResponse) => void;
}

/** A provider that gives a token to whoever brings a code; what it checks, each test checks. */
async function startProvider(quirks: Quirks, nonceOf: () => string): Promise<Provider> {
  const { privateKey } = await generateKeyPair("ES256");
  const asked: Provider["asked"] = [];
  let url = "";
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("Content-Type", "application/json");
    if (request.url === "/.well-known/openid-configuration") {
      const methods = quirks.methods === undefined ? {} : { token_endpoint_auth_methods_supported: quirks.methods };
      const endpoints = {
        authorization_endpoint: `${url}/auth`,
        token_endpoint: `${url}/token`,
        id_token_signing_alg_values_supported: ["RS256", "ES256"],
      };
      response.end(JSON.stringify({ issuer: quirks.issuer ?? url, ...endpoints, ...methods }));
      return;
    }
    let text = "";
    for await (const chunk of request) text += String(chunk);
    asked.push({ authorization: request.headers.authorization, form: new URLSearchParams(text) });
    if (quirks.answer !== undefined) return quirks.answer(response);
    const token = new SignJWT({ nonce: quirks.nonce ?? nonceOf() })
      .setProtectedHeader({ alg: "ES256" })
      .setIssuer(url)
      .setSubject("someone")
      .setAudience(quirks.audience ?? CLIENT)
      .setIssuedAt()
      .setExpirationTime("5 m");
    const idToken = await token.sign(privateKey);
    response.end(JSON.stringify({ access_token: "x", token_type: "Bearer", id_token: idToken }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Signs in as far as the answer to the code; `back` is what the browser brings. */
async function signIn(
  quirks: Quirks = {},
  clientSecret?: string,
  back: (state: string) => string = (state) => `code=abc&state=${state}`,
) {
  let nonce = "";
  await using provider = await startProvider(quirks, () => nonce);
  const flow = new AuthorizationCodeFlow({
    issuer: provider.url,
    clientId: CLIENT,
    clientSecret,
    redirectUri: REDIRECT,
    scope: "openid email",
    ca: undefined,
  });
  const { attempt, url } = await flow.begin();
  ({ nonce } = attempt);
  const idToken = await flow.finish(attempt, new URL(`${REDIRECT}?${back(attempt.state)}`));
  return { attempt, sent: new URL(url), idToken, asked: provider.asked, url: provider.url };
}

test("a sign-in asks with everything that binds the answer to it, and shows the verifier only to the provider", async () => {
  const { attempt, sent, asked, idToken, url } = await signIn();
  expect(sent.origin + sent.pathname).toBe(`${url}/auth`);
  // RFC 7636, Section 4.2, by hand.
  const challenge = createHash("sha256").update(attempt.verifier).digest("base64url");
  expect(Object.fromEntries(sent.searchParams)).toEqual({
    client_id: CLIENT,
    response_type: "code",
    scope: "openid email",
    redirect_uri: REDIRECT,
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  });
  expect(asked).toHaveLength(1);
  expect(Object.fromEntries(asked[0]!.form)).toMatchObject({
    grant_type: "authorization_code",
    code: "abc",
    redirect_uri: REDIRECT,
    code_verifier: attempt.verifier,
    client_id: CLIENT,
  });
  expect(asked[0]!.authorization).toBeUndefined();
  expect(idToken.split(".")).toHaveLength(3);
});

test.for([
  [undefined, "basic"],
  [["client_secret_basic", "client_secret_post"], "basic"],
  [["client_secret_post"], "post"],
] as const)("a client with a secret shows it as the provider wants it: %j", async ([methods, way]) => {
  const { asked } = await signIn(methods === undefined ? {} : { methods }, "s3cret");
  const [{ authorization, form }] = asked as [Provider["asked"][number]];
  if (way === "basic") {
    expect(Buffer.from(authorization?.replace("Basic ", "") ?? "", "base64").toString()).toBe(`${CLIENT}:s3cret`);
    expect(form.get("client_secret")).toBeNull();
  } else {
    expect([authorization, form.get("client_secret")]).toEqual([undefined, "s3cret"]);
  }
});

test.for([
  ["another state", {}, () => "code=abc&state=another"],
  ["no state", {}, () => "code=abc"],
  ["an error", {}, (state: string) => `error=access_denied&state=${state}`],
  ["another issuer's answer", {}, (state: string) => `code=abc&state=${state}&iss=https://evil.example`],
  ["a token with another nonce", { nonce: "replayed" }, undefined],
  ["a token for another client", { audience: "another" }, undefined],
  ["a redirect", { answer: (response: ServerResponse) => response.writeHead(302, { Location: "/" }).end() }, undefined],
  ["no JSON", { answer: (response: ServerResponse) => response.end("<html>") }, undefined],
] as const)("%s is no sign-in", async ([, quirks, back]) => {
  await expect(signIn(quirks, undefined, back)).rejects.toThrow(Unauthenticated);
});

test("a provider that calls itself another, answers without end, or is not there is Unavailable", async () => {
  await expect(signIn({ issuer: "https://evil.example" })).rejects.toThrow(Unavailable);
  await expect(signIn({ answer: (response) => response.end("x".repeat(2 * 1024 * 1024)) })).rejects.toThrow(
    Unavailable,
  );
  const options = { clientId: CLIENT, clientSecret: undefined, redirectUri: REDIRECT, scope: "openid", ca: undefined };
  await expect(new AuthorizationCodeFlow({ ...options, issuer: "http://127.0.0.1:1" }).begin()).rejects.toThrow(
    Unavailable,
  );
});

test("a provider that does not answer is asked once in five seconds, however many want to sign in", async () => {
  let [now, asked] = [0, 0];
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const flow = new AuthorizationCodeFlow({
    issuer: `http://127.0.0.1:${port}`,
    clientId: CLIENT,
    clientSecret: undefined,
    redirectUri: REDIRECT,
    scope: "openid",
    ca: undefined,
    clock: () => now,
  });
  for (let times = 0; times < 3; times++) await expect(flow.begin()).rejects.toThrow(Unavailable);
  expect(asked).toBe(1);
  now += 5_001;
  await expect(flow.begin()).rejects.toThrow(Unavailable);
  expect(asked).toBe(2);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
