import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CurrentIssuers } from "@chancery/fulcio";
import { Database, runningEmbedded, startEmbedded } from "@chancery/postgres";
import { freePort } from "@chancery/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditorBeside } from "../src/auditor-beside.ts";
import { resolveSettings } from "../src/index.ts";
import { openInstallation } from "../src/installation.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chancery-stacks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const text = async (url: string) => (await fetch(url)).text();
const json = async (url: string) => (await fetch(url)).json() as Promise<Record<string, unknown>>;

/** What clients are told to trust. */
const trust = ({ url }: TestStack) => text(`${url}/trust/trusted_root.json`);

const version = async (running: TestStack) =>
  (JSON.parse(await text(`${running.url}/tuf/timestamp.json`)) as { signed: { version: number } }).signed.version;

async function certificate(url: string, token: string): Promise<X509Certificate> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const answer = await fetch(`${url}/api/v2/signingCert`, {
    method: "POST",
    body: JSON.stringify({
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
        proofOfPossession: sign("sha256", Buffer.from("dev@example.com"), privateKey).toString("base64"),
      },
    }),
  });
  const body = await answer.text();
  expect(answer.status, body).toBe(200);
  const { signedCertificateEmbeddedSct: issued } = JSON.parse(body) as {
    signedCertificateEmbeddedSct: { chain: { certificates: string[] } };
  };
  return new X509Certificate(issued.chain.certificates[0]!);
}

describe("a running stack", () => {
  let running: TestStack;
  beforeAll(async () => {
    running = await startTestStack();
  });
  afterAll(() => running[Symbol.asyncDispose]());

  test("is ready", async () => {
    expect(await json(`${running.url}/readyz`)).toEqual({ status: "ready" });
  });

  test.for([
    "/api/v1/rootCert",
    "/api/v2/trustBundle",
    "/api/v2/configuration",
    "/api/v1/log",
    "/api/v1/log/publicKey",
    "/api/v1/timestamp/certchain",
    "/tuf/root.json",
    "/tuf/timestamp.json",
    "/trust/trusted_root.json",
    "/trust/signing_config.v0.2.json",
    "/trust/fulcio.pem",
    "/trust/rekor.pub",
    "/trust/ctfe.pub",
    "/trust/tsa.pem",
    "/idp/.well-known/openid-configuration",
    "/healthz",
    "/livez",
    "/ping",
    "/",
  ])("serves %s", async (path) => {
    expect((await fetch(running.url + path)).status).toBe(200);
  });

  test.for([
    [
      "Rekor and the timestamp authority take a slash at the end",
      200,
      ["/api/v1/log/", "/api/v1/timestamp/certchain/"],
    ],
    ["so do pages and files of trust", 200, ["/search/", "/trust/trusted_root.json/", "/tuf/root.json/"]],
    ["to Fulcio's gateway it is another path", 404, ["/api/v1/rootCert/", "/api/v2/trustBundle/?a=b"]],
    ["to that of Rekor v2, too", 404, ["/api/v2/log/entries/", "/api/v2/checkpoint/"]],
  ] as const)("%s, as upstream: %i", async ([, status, paths]) => {
    for (const path of paths) expect((await fetch(running.url + path)).status, path).toBe(status);
  });

  test("serves the CT log below its shard", async () => {
    const { shard } = running.stack.facts;
    expect(await json(`${running.url}/ctlog/${shard}/ct/v1/get-sth`)).toHaveProperty("tree_head_signature");
  });

  test("issues a certificate for a token of its own, seen by its own CT log", async () => {
    const { shard } = running.stack.facts;
    const size = async () => (await json(`${running.url}/ctlog/${shard}/ct/v1/get-sth`))["tree_size"] as number;
    const before = await size();
    const issued = await certificate(running.url, await text(`${running.url}/idp/token?email=dev@example.com`));
    expect(issued.subjectAltName).toBe("email:dev@example.com");
    expect(await size()).toBe(before + 1);
  });

  test("writes down who was given a certificate, and no token", async () => {
    await certificate(running.url, await text(`${running.url}/idp/token?email=dev@example.com`));
    expect(running.lines.join("")).toContain("dev@example.com");
    expect(running.lines.join("")).not.toContain("eyJ");
  });

  test("shows pages of which nothing runs but files from here, and says how to sign", async () => {
    const answer = await fetch(running.url);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self';");
    const page = await answer.text();
    expect(page.match(/<script[^>]*>/g)).toEqual([
      expect.stringMatching(/^<script type="module" [^>]*src="\/assets\//),
    ]);
    const told = await text(`${running.url}/api/chancery/v1/about`);
    expect(told).toContain("cosign initialize");
    expect(told).toContain("anyone on this machine can be anyone");
    expect(page + told).not.toContain(running.data);
  });
});

describe("the next start", () => {
  test("on the same folder has the same trust root and the same log", async () => {
    const flags = { data: join(folder, "same"), port: String(await freePort()) };
    const state = async (running: TestStack) => ({
      trust: await trust(running),
      tuf: await text(`${running.url}/tuf/root.json`),
      log: (await json(`${running.url}/api/v1/log`))["treeID"],
    });
    const before = await (async () => {
      await using first = await startTestStack(flags);
      await certificate(first.url, await text(`${first.url}/idp/token?email=dev@example.com`));
      return await state(first);
    })();
    await using second = await startTestStack(flags);
    expect(await state(second)).toEqual(before);
    const sth = await json(`${second.url}/ctlog/${second.stack.facts.shard}/ct/v1/get-sth`);
    expect(sth["tree_size"]).toBe(1);
  });

  test("on another port publishes the new addresses under the same keys", async () => {
    const data = join(folder, "moved");
    const before = await (async () => {
      await using first = await startTestStack({ data });
      return { url: first.url, trust: await trust(first), version: await version(first) };
    })();
    await using second = await startTestStack({ data });
    expect(second.url).not.toBe(before.url);
    expect(await trust(second)).toBe(before.trust.replaceAll(before.url, second.url));
    expect(await version(second)).toBeGreaterThan(before.version);
  });

  test("under another host name is refused", async () => {
    const data = join(folder, "renamed");
    await (await startTestStack({ data }))[Symbol.asyncDispose]();
    await expect(startTestStack({ data, url: "http://127.0.0.1:9" })).rejects.toThrow(
      "CHANCERY_URL: this installation signs as localhost",
    );
  });
});

describe("what a start leaves behind when it cannot be", () => {
  test("nothing that keeps the next from starting", async () => {
    const data = join(folder, "failed");
    const port = await freePort();
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
    await expect(startTestStack({ data, port: String(port) })).rejects.toThrow(
      `CHANCERY_PORT: ${port} on 127.0.0.1 is taken`,
    );
    await new Promise((resolve) => holder.close(resolve));
    await using running = await startTestStack({ data, port: String(port) });
    expect(await json(`${running.url}/readyz`)).toEqual({ status: "ready" });
  });

  test("no installation bound for ever to another one's database", async () => {
    await using server = await startEmbedded({ directory: join(folder, "server") });
    const database = server.url.replace("@/", "@localhost/");
    await using first = await startTestStack({ data: join(folder, "first"), "database-url": database });
    const data = join(folder, "second");
    await expect(startTestStack({ data, "database-url": database })).rejects.toThrow(
      "CHANCERY_DATABASE_URL: cannot hold new logs: log rekor: its database was made for origin",
    );
    await using second = await startTestStack({ data });
    expect(await json(`${second.url}/readyz`)).toEqual({ status: "ready" });
    expect(await json(`${first.url}/readyz`)).toEqual({ status: "ready" });
  });
});

describe("with configured issuers", () => {
  test("there is no development identity provider, and its tokens are nobody's", async () => {
    const config = join(folder, "config.yaml");
    await writeFile(
      config,
      "oidc-issuers:\n  https://issuer.invalid:\n    issuer-url: https://issuer.invalid\n    client-id: sigstore\n    type: email\n",
    );
    await using running = await startTestStack({ config });
    expect((await fetch(`${running.url}/idp/token?email=dev@example.com`)).status).toBe(404);
    const { issuers } = (await json(`${running.url}/api/v2/configuration`)) as { issuers: { issuerUrl: string }[] };
    expect(issuers.map(({ issuerUrl }) => issuerUrl)).toEqual(["https://issuer.invalid"]);
    const told = await text(`${running.url}/api/chancery/v1/about`);
    expect(told).toContain("https://issuer.invalid");
    expect(told).not.toMatch(/\/idp|anyone on this machine/);
  });

  test("one of before that named who vouched, and a tenant of such, is no changed ledger to the auditor beside it", async () => {
    const config = join(folder, "reloaded.json");
    const federating = { "client-id": "sigstore", type: "email", "issuer-claim": "$.federated_claims.connector_id" };
    const plain = { "oidc-issuers": { "https://issuer.invalid": { "client-id": "sigstore", type: "email" } } };
    await writeFile(config, JSON.stringify(plain));
    await using running = await startTestStack({ config });
    const data = join(folder, "auditors");
    const settings = await resolveSettings({ config, data, auditor: "on" }, {});
    const url = await runningEmbedded(join(running.data, "postgres"));
    await using db = await Database.open(url ?? "");
    const installation = await openInstallation(settings, "localhost", new Date());
    const beside = new AuditorBeside(settings);
    const material = { files: [], targets: [] };
    const { isFederated } = beside.config(installation, db, () => running.stack.service, material) ?? {};
    const issuers = ["https://issuer.invalid", "https://dex.invalid", "https://a.dex.invalid"];
    const federated = () => issuers.filter((issuer) => isFederated?.(issuer));
    expect(federated()).toEqual([]);
    const dex = { ...plain["oidc-issuers"], "https://dex.invalid": federating };
    await writeFile(
      config,
      JSON.stringify({ "oidc-issuers": dex, "meta-issuers": { "https://*.dex.invalid": federating } }),
    );
    await running.stack.reload();
    expect(federated()).toEqual(issuers.slice(1));
    await writeFile(config, JSON.stringify(plain));
    await running.stack.reload();
    expect(federated()).toEqual(issuers.slice(1));
  });

  test("one that named who vouched before the start is known where the configuration says so", async () => {
    const config = join(folder, "once-federated.json");
    const plain = { "oidc-issuers": { "https://issuer.invalid": { "client-id": "sigstore", type: "email" } } };
    const once = ["https://dex.invalid", "https://*.dex.invalid"];
    await writeFile(config, JSON.stringify({ ...plain, chancery: { fulcio: { "once-federated": once } } }));
    await using running = await startTestStack({ config });
    const { isFederated } = running.stack.service.app.get(CurrentIssuers);
    const issuers = ["https://issuer.invalid", "https://dex.invalid", "https://a.dex.invalid"];
    expect(issuers.map((issuer) => isFederated(issuer))).toEqual([false, true, true]);
  });
});

describe("secrets", () => {
  test("no key and no password is in any answer or line", async () => {
    await using running = await startTestStack();
    const password = (await readFile(join(running.data, "postgres", "password"), "utf8")).trim();
    const answers = await Promise.all(
      ["/", "/api/chancery/v1/about", "/readyz", "/trust/fulcio.pem", "/nowhere"].map((path) =>
        text(running.url + path),
      ),
    );
    const all = [...answers, ...running.lines].join("\n");
    expect(password.length).toBeGreaterThan(10);
    expect(all).not.toContain(password);
    expect(all).not.toContain("PRIVATE KEY");
  });
});
