import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type ChanceryProcess,
  type ClientHome,
  clientHome,
  type OutboundProxy,
  startChancery,
  startOutboundProxy,
} from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeIssuer } from "../../services/fulcio/test/fake-issuer.ts";
import { clientKey, v2Body } from "../../services/fulcio/test/fulcio-under-test.ts";
import { configurationOf, GOOD_CLAIMS, hostileClaims, type Typed } from "../../services/fulcio/test/hostile-claims.ts";
import { startCareless, tokensOfCarelessKeys } from "../../services/fulcio/test/hostile-keys.ts";
import { hostileTokens } from "../../services/fulcio/test/hostile-tokens.ts";

/*
 * The whole program with every connection that it makes, and every name that it asks for, sent through a proxy that writes
 * them down. What each token is and why it must be refused: services/fulcio/test/hostile-*.ts.
 */

const email = "dev@example.com";
let trapped = 0;

async function startTrap(): Promise<Server> {
  const trap = createServer((_request, response) => {
    trapped++;
    response.end("{}");
  });
  await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
  return trap;
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A program behind a proxy of its own. */
async function run(code: string) {
  await using proxy = await startOutboundProxy();
  const env = { ...process.env, ...proxy.env };
  const args = [...proxy.node, "--input-type=module", "--eval", code];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const [status] = (await once(child, "close")) as [number];
  return { status, printed: printed.trim(), asked: [...proxy.asked] };
}

describe("a program behind the proxy", () => {
  let trap: Server;
  beforeAll(async () => {
    trap = await startTrap();
  });
  afterAll(() => void trap.close());

  test("is seen in all that it asks, by whatever library, TLS and threads included", async () => {
    const { host, port } = new URL(urlOf(trap));
    const program = `
import { request } from "node:https";
import { Worker } from "node:worker_threads";
const text = await (await fetch("${urlOf(trap)}/x")).text();
const tls = await new Promise((resolve) => request("https://localhost:${port}").on("error", resolve).end());
const name = await fetch("https://nobody.example.com/").catch((error) => error.cause.code);
await new Promise((resolve) => new Worker('fetch("${urlOf(trap)}/y")', { eval: true }).on("exit", resolve));
console.log(text, tls.code.startsWith("ERR_SSL") || tls.code === "EPROTO", name);
`;
    expect(await run(program)).toEqual({
      status: 0,
      printed: "{} true ENOTFOUND",
      asked: [`CONNECT ${host}`, "LOOKUP localhost", `CONNECT ${host}`, "LOOKUP nobody.example.com", `CONNECT ${host}`],
    });
    expect(trapped).toBe(2);
  });

  test.for([
    'import { createSocket } from "node:dgram"; createSocket("udp4").send("x", 9, "127.0.0.1")',
    'import { Resolver } from "node:dns"; new Resolver().resolve4("a.example.com", () => {});',
  ])("ends when it goes another way: %s", async (code) => {
    expect(await run(code)).toMatchObject({ status: 97, asked: [] });
  });
});

describe("hostile tokens", () => {
  const TYPES = ["email", "username", "uri", "spiffe", "kubernetes", "github", "ci"] as const;
  let proxy: OutboundProxy;
  let trap: Server;
  let folder: ClientHome;
  let typed: Typed;
  let others: readonly FakeIssuer[];
  let chancery: ChanceryProcess;
  let forgeries: readonly (readonly [string, () => string])[];

  beforeAll(async () => {
    [proxy, trap, folder] = await Promise.all([startOutboundProxy(), startTrap(), clientHome()]);
    const started = await Promise.all(TYPES.map(async (type) => [type, await FakeIssuer.start()] as const));
    typed = Object.fromEntries(started) as unknown as Typed;
    const [rsa, other, careless] = await Promise.all([
      FakeIssuer.start({ algorithm: "RS256" }),
      FakeIssuer.start(),
      startCareless(),
    ]);
    others = [rsa, other, careless];
    forgeries = Object.entries({
      ...hostileTokens({ issuer: typed.email, rsa, other, trapUrl: urlOf(trap) }),
      ...tokensOfCarelessKeys(() => careless),
      ...hostileClaims(typed),
    });
    const { issuers, metadata } = configurationOf(typed);
    const config = await folder.write(
      "config.yaml",
      `
oidc-issuers:
${issuers}
${others.map(({ url }) => `  "${url}": { client-id: sigstore, type: email }`).join("\n")}
meta-issuers:
  "https://*.pattern.example.com/*": { client-id: sigstore, type: email }
${metadata}
`,
    );
    trapped = 0;
    chancery = await startChancery({ args: ["--config", config], node: proxy.node, env: proxy.env });
  });
  afterAll(async () => {
    trap?.close();
    const parts = [chancery, folder, proxy, ...Object.values(typed ?? {}), ...(others ?? [])];
    for (const part of parts) await (part as AsyncDisposable | undefined)?.[Symbol.asyncDispose]();
  });

  async function enrol(token: string, name: string): Promise<{ status: number; body: string }> {
    const answer = await fetch(`${chancery.url}/api/v2/signingCert`, {
      method: "POST",
      body: JSON.stringify(v2Body(token, clientKey, clientKey.prove(name))),
    });
    return { status: answer.status, body: await answer.text() };
  }

  const issued = async () => {
    const answer = await fetch(`${chancery.url}/api/chancery/v1/certificates?limit=500`);
    return ((await answer.json()) as { results: object[] }).results.length;
  };

  test("get no certificate, and nobody is asked anything but the issuers that are configured", async () => {
    expect(forgeries.length).toBeGreaterThanOrEqual(120);
    for (const issuer of [typed.email, ...others]) expect((await enrol(issuer.token(), email)).status).toBe(200);
    for (const type of TYPES) {
      const { sub = "subject-of-dev" } = GOOD_CLAIMS[type];
      const token = typed[type].token(GOOD_CLAIMS[type]);
      expect((await enrol(token, type === "email" ? email : sub)).status, type).toBe(200);
    }
    const good = 1 + others.length + TYPES.length;
    expect(await issued()).toBe(good);
    for (const [what, forge] of forgeries) {
      const { status, body } = await enrol(forge(), email);
      expect([400, 413], what).toContain(status);
      expect(body, what).not.toContain("CERTIFICATE");
    }
    expect(await issued()).toBe(good);
    const issuers = [...Object.values(typed), ...others] as readonly FakeIssuer[];
    const configured = new Set(issuers.map(({ url }) => `CONNECT ${url.slice("http://".length)}`));
    expect(proxy.asked.filter((line) => !configured.has(line))).toEqual([]);
    expect(trapped).toBe(0);
    // That nothing else was asked says something only if what was asked is all there.
    expect(proxy.asked).toHaveLength(issuers.reduce((sum, { requests }) => sum + requests.length, 0));
    expect(new Set(proxy.asked)).toEqual(configured);
  });
});
