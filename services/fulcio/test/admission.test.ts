import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeIssuer } from "./fake-issuer.ts";
import { clientKey, createClientKey, type FulcioUnderTest, startFulcio } from "./fulcio-under-test.ts";
import "reflect-metadata";

const AT_ONCE = 128;
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

test("what is more than can be issued soon is told at once to come again, and then served", async () => {
  const gate = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  let waiting = 0;
  fulcio.ctLog.disturb = async (sct) => {
    if (++waiting === AT_ONCE) full.resolve();
    await gate.promise;
    return sct;
  };
  const token = issuer.token();
  const admitted = Array.from({ length: AT_ONCE }, () => fulcio.enrol(token, email));
  await full.promise;
  const refused = await fulcio.enrol(token, email);
  expect(refused.status).toBe(503);
  expect(refused.headers["retry-after"]).toBe("1");
  expect(refused.json()).toMatchObject({ code: 14 });
  // Nothing of it was looked at.
  expect((await fulcio.enrol("not-a-token", email)).status).toBe(503);
  gate.resolve();
  expect(new Set((await Promise.all(admitted)).map(({ status }) => status))).toEqual(new Set([200]));
  expect((await fulcio.enrol(token, email)).status).toBe(200);
});

test("requests that were refused give their room back", async () => {
  fulcio.ctLog.disturb = async (sct) => sct;
  const token = issuer.token();
  const wrong = createClientKey().prove(email);
  for (let batch = 0; batch < 3; batch++) {
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE / 2 }, () => fulcio.enrol(token, email, { ...clientKey, prove: () => wrong })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
  }
  expect((await fulcio.enrol(token, email)).status).toBe(200);
});
