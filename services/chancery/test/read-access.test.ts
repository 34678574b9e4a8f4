import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sessionSecret } from "../src/access/session-secret.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

/** What a browser keeps and sends: cookies by origin, nothing else. */
class Browser {
  readonly #cookies = new Map<string, string>();
  readonly set: string[] = [];

  async get(url: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#send(url, { headers });
  }

  async post(url: string, form: Record<string, string>): Promise<Response> {
    const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: new URL(url).origin };
    return this.#send(url, { method: "POST", headers, body: new URLSearchParams(form).toString() });
  }

  /** Follows redirects until a page answers, as a navigation does. */
  async visit(url: string): Promise<Response> {
    let at = url;
    for (let hops = 0; hops < 10; hops++) {
      const answer = await this.get(at, { Accept: "text/html" });
      const location = answer.headers.get("location");
      if (location === null) return answer;
      at = new URL(location, at).href;
    }
    throw new Error("redirects without end");
  }

  async #send(url: string, options: RequestInit): Promise<Response> {
    const { origin } = new URL(url);
    const own = [...this.#cookies].filter(([key]) => key.startsWith(`${origin} `));
    const cookie = own.map(([key, value]) => `${key.slice(origin.length + 1)}=${value}`).join("; ");
    const headers = { ...(options.headers as Record<string, string>), ...(cookie === "" ? {} : { Cookie: cookie }) };
    const answer = await fetch(url, { ...options, headers, redirect: "manual" });
    for (const text of answer.headers.getSetCookie()) {
      this.set.push(text);
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value === "" || /max-age=0/i.test(text)) this.#cookies.delete(`${origin} ${name}`);
      else this.#cookies.set(`${origin} ${name}`, value);
    }
    Object.defineProperty(answer, "url", { value: url });
    return answer;
  }
}

let folder: string;
/** Is the identity provider. */
let provider: TestStack;
let stack: TestStack;

async function configured(readers: object): Promise<string> {
  const issuer = `${provider.url}/idp`;
  const config = join(folder, `${crypto.randomUUID()}.json`);
  const issuers = { [issuer]: { "issuer-url": issuer, "client-id": "sigstore", type: "email" } };
  const roles = { reader: { email: "*@example.com" }, auditor: { email: "auditor@example.com" } };
  const all = { issuer, "client-id": "sigstore", roles, ...readers };
  await writeFile(config, JSON.stringify({ "oidc-issuers": issuers, chancery: { readers: all } }));
  return config;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-readers-"));
  provider = await startTestStack();
  stack = await startTestStack({ config: await configured({ logs: true }) });
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function signIn(browser: Browser, email: string, path = "/api/chancery/v1/session"): Promise<Response> {
  const form = await browser.visit(`${stack.url}/auth/login?return=${encodeURIComponent(path)}`);
  expect(await form.text()).toContain("Development sign-in");
  const answer = await browser.post(form.url, { email });
  return browser.visit(new URL(answer.headers.get("location") ?? "", form.url).href);
}

const token = async (email: string) =>
  (await (await fetch(`${provider.url}/idp/token?email=${encodeURIComponent(email)}`)).text()).trim();
const withToken = (path: string, bearer: string) =>
  fetch(`${stack.url}${path}`, { headers: { Authorization: `Bearer ${bearer}` } });

const withSession = async (session: string) =>
  (await fetch(`${stack.url}/api/v1/log`, { headers: { Cookie: `chancery_session=${session}` } })).status;

describe("where everyone may read", () => {
  test("a page is told that no session is needed", async () => {
    expect(await (await fetch(`${provider.url}/api/chancery/v1/session`)).json()).toEqual({ required: false });
    expect((await fetch(`${provider.url}/api/v1/log`)).status).toBe(200);
  });
});

describe("where readers must say who they are", () => {
  test.for([
    ["GET", "/api/v1/log"],
    ["GET", "/api/v1/log/entries?logIndex=0"],
    ["GET", "/api/v1/log/checkpoint"],
    ["GET", "/api/v1/log/tile/0/000.p/1"],
    ["POST", "/api/v1/log/entries/retrieve"],
    ["POST", "/api/v1/index/retrieve"],
    ["GET", "/api/v2/checkpoint"],
    ["GET", "/checkpoint"],
    ["GET", "/tile/0/000.p/1"],
    ["GET", "/api/%761/log"],
    ["GET", "/api/v1/log/"],
  ] as const)("%s %s is refused without a token", async ([method, path]) => {
    const answer = await fetch(`${stack.url}${path}`, {
      method,
      ...(method === "POST" && { body: "{}", headers: { "Content-Type": "application/json" } }),
    });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(((await answer.json()) as { message: string }).message).toContain("needs the role reader");
  });

  test.for(["/api/v2/trustBundle", "/tuf/root.json", "/api/v1/log/publicKey", "/readyz", "/api/v1/rootCert"])(
    "%s is for everyone: without it nobody could verify or sign",
    async (path) => {
      expect((await fetch(`${stack.url}${path}`)).status).toBe(200);
    },
  );

  test("a machine reads with a token, and no cache keeps what it read for others", async () => {
    const answer = await withToken("/api/v1/log", await token("reader@example.com"));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("vary")).toContain("Cookie");
    const unknown = await withToken("/tile/0/000.p/1", await token("reader@example.com"));
    expect(unknown.status).toBe(404);
    expect(unknown.headers.get("cache-control")).not.toContain("public");
    expect((await withToken("/api/v1/log", await token("someone@elsewhere.example"))).status).toBe(403);
    expect((await withToken("/api/v1/log", "eyJ.eyJ.x")).status).toBe(401);
  });

  test("what the CA issued and refused is for auditors, what the logs hold for readers", async () => {
    const [reader, auditor] = [await token("reader@example.com"), await token("auditor@example.com")];
    const answers = async (path: string) => [
      (await fetch(`${stack.url}${path}`)).status,
      (await withToken(path, reader)).status,
      (await withToken(path, auditor)).status,
    ];
    for (const path of ["/api/chancery/v1/certificates", "/api/chancery/v1/refusals"]) {
      expect([path, ...(await answers(path))]).toEqual([path, 401, 403, 200]);
    }
    for (const path of ["/api/chancery/v1/search", "/api/chancery/v1/logs", "/api/chancery/v1/audit"]) {
      expect([path, ...(await answers(path))]).toEqual([path, 401, 200, 200]);
    }
  });

  test("a browser that asks for a page is sent to sign in, and comes back to it", async () => {
    for (const path of ["/", "/search?san=a", "/entries/rekor/1"]) {
      const answer = await fetch(`${stack.url}${path}`, { headers: { Accept: "text/html" }, redirect: "manual" });
      const there = `/auth/login?return=${encodeURIComponent(path)}`;
      expect([answer.status, answer.headers.get("location")]).toEqual([302, there]);
    }
  });

  test("an entry can be written by anyone still: who may write is another question", async () => {
    const answer = await fetch(`${stack.url}/api/v2/log/entries`, { method: "POST", body: "{}" });
    expect(answer.status).toBe(400);
  });
});

describe("a person with a browser", () => {
  test("signs in by the authorization code flow, reads, and signs out", async () => {
    const browser = new Browser();
    const before = await browser.get(`${stack.url}/api/chancery/v1/session`);
    expect(await before.json()).toEqual({ required: true, loginUrl: "/auth/login" });
    const after = await signIn(browser, "auditor@example.com");
    expect(await after.json()).toEqual({
      required: true,
      name: "auditor@example.com",
      roles: ["reader", "auditor"],
      loginUrl: "/auth/login",
    });
    expect((await browser.get(`${stack.url}/api/v1/log`)).status).toBe(200);
    const session = browser.set.find((text) => text.startsWith("chancery_session="));
    // Loopback has no TLS, so it is not Secure there.
    expect(session?.replace(/=[^;]*/, "=…")).toBe("chancery_session=…; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax");

    const out = (headers: Record<string, string>) =>
      fetch(`${stack.url}/api/chancery/v1/session`, { method: "DELETE", headers });
    expect((await out({ Origin: "https://evil.example" })).status).toBe(403);
    const done = await out({ Origin: stack.url });
    expect([done.status, done.headers.get("set-cookie")]).toEqual([204, expect.stringContaining("Max-Age=0")]);
  });

  test("has the roles that the claims say, and no more", async () => {
    const browser = new Browser();
    const reader = await signIn(new Browser(), "someone@example.com");
    expect(await reader.json()).toMatchObject({ roles: ["reader"] });
    const stranger = await signIn(browser, "someone@elsewhere.example");
    expect(await stranger.json()).toMatchObject({ roles: [] });
    expect((await browser.get(`${stack.url}/api/v1/log`)).status).toBe(403);
    // The page tells them so; 503 where it has not been built. Its data they do not get.
    expect((await browser.get(`${stack.url}/logs`)).status).not.toBe(403);
    expect((await browser.get(`${stack.url}/api/chancery/v1/logs`)).status).toBe(403);
  });

  test("is not sent to the login by the page on which signing out ends", async () => {
    const headers = { Accept: "text/html" };
    const answer = await fetch(`${stack.url}/signed-out`, { headers, redirect: "manual" });
    expect([200, 503]).toContain(answer.status);
    expect(answer.headers.get("location")).toBeNull();
  });

  test("comes back to where they were, and never to another site", async () => {
    const browser = new Browser();
    const answer = await signIn(browser, "reader@example.com", "/api/v1/log?stable=true");
    expect(answer.url).toBe(`${stack.url}/api/v1/log?stable=true`);
    for (const path of [
      "https://evil.example/",
      "//evil.example",
      "/\\evil.example",
      "evil",
      "/a\r\nX: y",
      "/\t/evil.example",
    ]) {
      const refused = await fetch(`${stack.url}/auth/login?return=${encodeURIComponent(path)}`, { redirect: "manual" });
      expect([path, refused.status]).toEqual([path, 400]);
    }
  });

  test("cannot be made to finish somebody else's sign-in", async () => {
    const [attacker, victim] = [new Browser(), new Browser()];
    const form = await attacker.visit(`${stack.url}/auth/login`);
    const answer = await attacker.post(form.url, { email: "auditor@example.com" });
    let at = new URL(answer.headers.get("location") ?? "", form.url).href;
    while (!at.startsWith(`${stack.url}/auth/callback`)) {
      const next = await attacker.get(at);
      at = new URL(next.headers.get("location") ?? "", at).href;
    }
    expect((await victim.get(at)).status).toBe(401);
    // A sign-in of the victim's own that is under way is not the attacker's either.
    await victim.visit(`${stack.url}/auth/login`);
    expect((await victim.get(at)).status).toBe(401);
    expect(victim.set.some((text) => text.startsWith("chancery_session="))).toBe(false);
    // Where it belongs it works, once.
    expect((await attacker.get(at)).status).toBe(303);
    expect((await attacker.get(at)).status).toBe(401);
  });

  test("cannot change or make a session, or use a sign-in's cookie for one", async () => {
    const browser = new Browser();
    await signIn(browser, "someone@example.com");
    const value = (name: string) =>
      browser.set
        .findLast((text) => text.startsWith(`${name}=`) && !text.includes("Max-Age=0"))
        ?.split(";")[0]
        ?.slice(name.length + 1) ?? "";
    const session = value("chancery_session");
    const [text = "", signature = ""] = session.split(".");
    const raised = Buffer.from(
      Buffer.from(text, "base64url").toString().replace('["reader"]', '["reader","auditor"]'),
    ).toString("base64url");
    expect(raised).not.toBe(text);
    expect(await withSession(session)).toBe(200);
    for (const forged of [
      `${raised}.${signature}`,
      `${text}.`,
      text,
      "",
      ".",
      `.${signature}`,
      value("chancery_login"),
    ]) {
      expect(await withSession(forged)).toBe(401);
    }
  });

  test("stays signed in over a restart: the key of sessions is a file of the installation, for its user alone", async () => {
    const path = join(stack.data, "keys", "session");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const made = await readFile(path, "utf8");
    expect(Buffer.from(await sessionSecret(stack.data)).toString("hex")).toBe(made.trim());
    expect(await readFile(path, "utf8")).toBe(made);
  });

  test("leaves no token and no session in the log", async () => {
    const browser = new Browser();
    await signIn(browser, "reader@example.com");
    const bearer = await token("reader@example.com");
    await withToken("/api/v1/log", bearer);
    const logged = stack.lines.join("\n");
    expect(logged).not.toContain(bearer.slice(0, 40));
    for (const cookie of browser.set.map((text) => text.split(";")[0]?.split("=")[1] ?? "").filter(Boolean)) {
      expect(logged).not.toContain(cookie.slice(0, 40));
    }
  });
});
