import "reflect-metadata";
import { expect, test } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { startFulcio } from "./fulcio-under-test.ts";

const email = "dev@example.com";
const DISCOVERY = "/.well-known/openid-configuration";

/** Loads end after ten seconds, and these tests wait for that with the real clock and real sockets. */
const patience = { timeout: 40_000 };

test("an issuer that drips its answer is given ten seconds, and nobody else waits", patience, async () => {
  await using slow = await FakeIssuer.start();
  await using healthy = await FakeIssuer.start();
  const drips: NodeJS.Timeout[] = [];
  let open = 0;
  slow.answers.set(DISCOVERY, (request, response) => {
    open++;
    request.socket.on("close", () => open--);
    response.writeHead(200, { "Content-Type": "application/json" });
    drips.push(setInterval(() => response.write(" "), 200));
  });
  await using fulcio = await startFulcio({
    config: `oidc-issuers: { "${slow.url}": { client-id: sigstore, type: email }, "${healthy.url}": { client-id: sigstore, type: email } }`,
  });
  const waiting = Array.from({ length: 50 }, () => fulcio.enrol(slow.token(), email));
  for (let round = 0; round < 20; round++) expect((await fulcio.enrol(healthy.token(), email)).status).toBe(200);
  const answers = await Promise.all(waiting);
  for (const timer of drips) clearInterval(timer);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  expect(slow.requests, "one load for fifty requests").toEqual([DISCOVERY]);
  await expect.poll(() => open, { message: "the connection is closed" }).toBe(0);
});

test("tenants of a pattern that never answer stop neither known tenants nor other issuers", patience, async () => {
  await using host = await FakeIssuer.start({ path: "/t/known" });
  await using exact = await FakeIssuer.start();
  const tenant = (name: string) => host.url.replace("/known", `/${name}`);
  const silent = Array.from({ length: 40 }, (_, place) => `silent-${place}`);
  for (const name of silent) host.answers.set(`/t/${name}${DISCOVERY}`, () => undefined);
  host.answers.set(`/t/late${DISCOVERY}`, (_request, response) =>
    response.end(JSON.stringify({ issuer: tenant("late"), jwks_uri: `${host.url}/keys` })),
  );
  await using fulcio = await startFulcio({
    config: `
oidc-issuers: { "${exact.url}": { client-id: sigstore, type: email } }
meta-issuers: { "${tenant("*")}": { client-id: sigstore, type: email } }
`,
    allowLoopbackHttp: true,
  });
  expect((await fulcio.enrol(host.token(), email)).status).toBe(200);

  const attack = silent.map((name) => fulcio.enrol(host.token({ iss: tenant(name) }), email));
  for (let round = 0; round < 20; round++) {
    expect((await fulcio.enrol(host.token(), email)).status, "a tenant whose keys are known").toBe(200);
    expect((await fulcio.enrol(exact.token(), email)).status, "an exact issuer").toBe(200);
  }
  const late = await fulcio.enrol(host.token({ iss: tenant("late") }), email);
  expect([late.status, late.headers["retry-after"]], "a new one is told to come back").toEqual([503, "1"]);
  expect(new Set((await Promise.all(attack)).map(({ status }) => status))).toEqual(new Set([503]));
  expect(host.requests.filter((path) => path.includes("silent")).length).toBeLessThanOrEqual(4);

  expect((await fulcio.enrol(host.token({ iss: tenant("late") }), email)).status, "and is served then").toBe(200);
});
