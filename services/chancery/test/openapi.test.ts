import { answerComplaints, type ApiDescription } from "@chancery/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { issueCertificate, logV1, logV2 } from "./export-world.ts";
import { startTestStack, type TestStack } from "./start-stack.ts";

let stack: TestStack;
let api: ApiDescription;
let serial: string;
beforeAll(async () => {
  stack = await startTestStack();
  const signer = await issueCertificate(stack.url, "dev@example.com");
  await logV1(stack.url, signer, "one");
  await logV2(stack.url, signer, "two");
  await issueCertificate(stack.url, "never@example.com");
  const refused = JSON.stringify({ credentials: { oidcIdentityToken: "eyJhbGciOiJub25lIn0.e30." } });
  await fetch(`${stack.url}/api/v2/signingCert`, { method: "POST", body: refused });
  const get = async (path: string) => (await fetch(stack.url + path)).json();
  api = (await get("/api/chancery/v1/openapi.json")) as ApiDescription;
  const { results } = (await get("/api/chancery/v1/certificates")) as { results: { serial: string }[] };
  serial = results[0]!.serial;
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Path as it is described, and what is asked of it. */
const ASKED: readonly (readonly [path: string, asked: string, status: number])[] = [
  ["search", "search", 200],
  ["search", "search?digest=x", 400],
  ["entries/{log}/{entry}", "entries/rekor/0", 200],
  ["entries/{log}/{entry}", "entries/rekor-v2/0", 200],
  ["entries/{log}/{entry}", "entries/rekor-v2/9", 404],
  ["logs", "logs", 200],
  ["logs/{log}/growth", "logs/rekor/growth", 200],
  ["identities", "identities?san=dev@example.com", 200],
  ["certificates", "certificates?limit=1", 200],
  ["certificates", "certificates?keyHash=x", 400],
  ["certificates/{serial}", "certificates/SERIAL", 200],
  ["certificates/{serial}", "certificates/00", 404],
  ["refusals", "refusals", 200],
  ["issuance/summary", "issuance/summary", 200],
  ["issuance/unused", "issuance/unused", 200],
  ["audit", "audit", 200],
  ["audit/canary-keys", "audit/canary-keys", 200],
  ["audit/evidence/{name}", "audit/evidence/none", 404],
];

test.for(ASKED)("%s answers what is described: %s", async ([path, asked, status]) => {
  const answer = await fetch(`${stack.url}/api/chancery/v1/${asked.replace("SERIAL", serial)}`);
  expect(answer.status).toBe(status);
  expect(answerComplaints(api, `/api/chancery/v1/${path}`, status, await answer.json())).toEqual([]);
});

test("there is no path that is described and not asked here", () => {
  const asked = new Set(ASKED.map(([path]) => `/api/chancery/v1/${path}`));
  expect(Object.keys(api.paths).filter((path) => !asked.has(path))).toEqual([]);
});
