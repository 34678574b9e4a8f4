import "reflect-metadata";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { parseIdentityToken } from "@chancery/identity";
import { FakeIssuer } from "./fake-issuer.ts";
import { startFulcio } from "./fulcio-under-test.ts";

describe("what upstream's advisories demand", () => {
  test("CVE-2025-66506: a token of dots is refused before it is split", () => {
    const dots = ".".repeat(32 * 1024);
    const before = process.memoryUsage().heapUsed;
    const started = process.cpuUsage();
    for (let round = 0; round < 100; round++) expect(() => parseIdentityToken(dots)).toThrow(/not a compact JWS/);
    expect(process.cpuUsage(started).user).toBeLessThan(500_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
    expect(() => parseIdentityToken(".".repeat(1 << 20))).toThrow(/more than 32768 characters/);
  });

  test("CVE-2026-22772: a pattern is anchored at both ends, so its issuer is the host that is asked", async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked++;
      response.end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    await using issuer = await FakeIssuer.start();
    await using fulcio = await startFulcio({
      config: "meta-issuers: { 'https://meta.example.com/*': { client-id: sigstore, type: email } }",
      allowLoopbackHttp: true,
    });
    for (const iss of [
      `${origin}?https://meta.example.com/x`,
      `${origin}/https://meta.example.com/x`,
      `${origin}#https://meta.example.com/x`,
    ]) {
      expect((await fulcio.enrol(issuer.token({ iss }), "dev@example.com")).status).toBe(400);
    }
    expect(asked).toBe(0);
    server.close();
  });

  test("CVE-2026-49478: a redirect to another host brings neither its keys nor its cache", async () => {
    await using issuer = await FakeIssuer.start();
    await using attacker = await FakeIssuer.start();
    await using fulcio = await startFulcio({
      config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }`,
    });
    issuer.answers.set("/keys", (_request, response) =>
      response.writeHead(302, { Location: `${attacker.url}/keys` }).end(),
    );
    const forged = attacker.token({ iss: issuer.url });
    expect((await fulcio.enrol(forged, "dev@example.com")).status).toBe(503);
    expect((await fulcio.enrol(forged, "dev@example.com")).status).toBe(503);
    expect(attacker.requests).toEqual([]);
  });
});
