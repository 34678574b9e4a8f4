import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { clientKey, type FulcioUnderTest, startFulcio, v2Body } from "./fulcio-under-test.ts";

/*
 * What grpc-gateway does before a service is asked (runtime/mux.go, errors.go, context.go): paths and methods that
 * nothing takes, and the time that a client gives.
 */

const email = "dev@example.com";
let issuer: FakeIssuer;
let fulcio: FulcioUnderTest;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  fulcio = await startFulcio({ config: `oidc-issuers: { "${issuer.url}": { client-id: sigstore, type: email } }` });
});
afterAll(async () => {
  await Promise.all([fulcio, issuer].map((part) => part?.[Symbol.asyncDispose]()));
});

async function send(method: string, url: string, headers: Readonly<Record<string, string>> = {}, payload?: object) {
  const options = { method: method as "GET", url, headers, ...(payload === undefined ? {} : { payload }) };
  const { statusCode, headers: answered, body } = await fulcio.service.app.inject(options);
  return { status: statusCode, type: answered["content-type"], body };
}

const signing = () => v2Body(issuer.token(), clientKey, clientKey.prove(email));

describe("a path that nothing is at", () => {
  const notFound = { status: 404, type: "application/json", body: '{"code":5,"message":"Not Found","details":[]}' };

  test.for([
    "/api/v2/unknown",
    "/api/v2/",
    "/api/v2/trustbundle",
    "/api/v2/signingCert/x?y=z",
    "/api/v1/rootCert/x",
    "/api/v1/signingCert/x",
    "/api/v1/signingCert/",
    "/api/v1/rootCert/",
    "/api/v2/signingCert/",
    "/api/v2/trustBundle/?x=y",
    "/api/v2/trustBundle//",
    "/api/v2/configuration/",
  ])("%s: the gateway's 404, whatever the method", async (path) => {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS"])
      expect(await send(method, path), method).toEqual(notFound);
    expect(await send("GET", path, { accept: "text/html" })).toEqual(notFound);
    expect(await send("HEAD", path)).toEqual({ ...notFound, body: "" });
  });

  test("elsewhere is none of Fulcio's", async () => {
    for (const path of ["/api/v1/unknown", "/api/v2", "/api/v22/x", "/nothing"]) {
      expect((await send("GET", path)).body, path).toBe('{"code":404,"message":"there is nothing at this path"}');
    }
  });
});

describe("a method that a path does not take", () => {
  test("is the gateway's 501", async () => {
    const body = '{"code":12,"message":"Method Not Allowed","details":[]}';
    const refused = { status: 501, type: "application/json", body };
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      for (const path of ["/api/v1/signingCert", "/api/v2/signingCert"])
        expect(await send(method, path)).toEqual(refused);
    }
    for (const path of ["/api/v1/rootCert", "/api/v2/trustBundle", "/api/v2/configuration"]) {
      expect(await send("POST", path)).toEqual(refused);
    }
  });

  test("but for a browser's question whether it may ask", async () => {
    const headers = { origin: "https://a.example.com", "access-control-request-method": "POST" };
    expect((await send("OPTIONS", "/api/v2/signingCert", headers)).status).toBe(204);
  });
});

describe("a client that gives little time", () => {
  const PATHS = [
    ["POST", "/api/v2/signingCert"],
    ["POST", "/api/v1/signingCert"],
    ["GET", "/api/v2/trustBundle"],
    ["GET", "/api/v2/configuration"],
    ["GET", "/api/v1/rootCert"],
  ] as const;
  const late = {
    status: 504,
    type: "application/json",
    body: '{"code":4,"message":"context deadline exceeded","details":[]}',
  };
  test.for(PATHS)("%s %s: 504 where it is over, 400 where it is no time", async ([method, path]) => {
    for (const timeout of ["1n", "-1S", "999u"])
      expect(await send(method, path, { "grpc-timeout": timeout })).toEqual(late);
    for (const timeout of ["30", "S", "1s", "1.5S", "1e3S", "9223372036854775808S"]) {
      const body = `{"code":3,"message":"invalid grpc-timeout: ${timeout}","details":[]}`;
      expect(await send(method, path, { "grpc-timeout": timeout })).toEqual({ ...late, status: 400, body });
    }
  });

  test("is told 504 while its certificate is under way, and no certificate leaves for it", async () => {
    const held = Promise.withResolvers<void>();
    fulcio.ctLog.disturb = async (sct) => {
      await held.promise;
      return sct;
    };
    expect(await send("POST", "/api/v2/signingCert", { "grpc-timeout": "20m" }, signing())).toEqual(late);
    held.resolve();
    fulcio.ctLog.disturb = async (sct) => sct;
  });

  test("is answered when there is time enough, and when it says none", async () => {
    for (const timeout of ["30S", "+30S", "9223372036854775807H", "123456789m", "0m", ""]) {
      const answer = await send("POST", "/api/v2/signingCert", { "grpc-timeout": timeout }, signing());
      expect([answer.status, answer.body.includes("BEGIN CERTIFICATE")], timeout).toEqual([200, true]);
    }
  });
});
