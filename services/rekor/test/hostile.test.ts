import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everyKind, type Proposal } from "./proposals.ts";
import { ENTRIES, type RunningRekor, startRekor } from "./running-rekor.ts";

const WRITES = [ENTRIES, `${ENTRIES}/retrieve`, "/api/v1/index/retrieve"];
const MEMBERS = ["kind", "apiVersion", "spec", "entryUUIDs", "logIndexes", "entries", "email", "hash", "publicKey"];

let rekor: RunningRekor;
let kinds: Proposal[] = [];
beforeAll(async () => {
  [rekor, kinds] = await Promise.all([startRekor(), everyKind()]);
  for (const proposal of kinds) await rekor.logged(proposal);
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

/** Whatever is sent, it is the sender's doing: an answer below 500, in JSON or empty, with nothing of the inside. */
async function expectAnswered(method: string, path: string, body?: string): Promise<void> {
  const answer = await rekor.request(method, path, body);
  expect(answer.status, `${method} ${path} ${body}: ${answer.text}`).toBeLessThan(500);
  if (answer.status < 400 || answer.text === "") return;
  expect(Object.keys(answer.json)).toEqual(["code", "message"]);
  expect(answer.json.message).not.toMatch(/\bat \/|node:|TypeError|undefined/);
  expect(answer.text.length).toBeLessThan(2_048);
}

describe("no request makes the log fail", () => {
  test("of any JSON to any endpoint", async () => {
    const documents = fc.oneof(
      fc.json(),
      fc.dictionary(fc.constantFrom(...MEMBERS), fc.jsonValue({ maxDepth: 3 })).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...WRITES), documents, (path, body) => expectAnswered("POST", path, body)),
      { numRuns: 1_000 },
    );
  });

  test("of a good entry with bytes of it changed, left out or doubled", async () => {
    const bent = fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(bent, ([which, where, take, put]) => {
        const text = JSON.stringify(kinds[which % kinds.length]);
        const at = where % text.length;
        return expectAnswered("POST", ENTRIES, text.slice(0, at) + put + text.slice(at + take));
      }),
      { numRuns: 1_000 },
    );
  });

  test("of any query or path", async () => {
    const queries = ["logIndex", "firstSize", "lastSize", "treeID"];
    const paths = [ENTRIES, "/api/v1/log", "/api/v1/log/proof", "/api/v1/log/publicKey"];
    const values = fc.oneof(fc.string(), fc.integer().map(String), fc.bigInt().map(String), fc.constant("1"));
    const query = fc
      .array(fc.tuple(fc.constantFrom(...queries), values), { maxLength: 4 })
      .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&"));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), query, (path, text) => expectAnswered("GET", `${path}?${text}`)),
      { numRuns: 1_000 },
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), (id) =>
        expectAnswered("GET", `${ENTRIES}/${encodeURIComponent(id)}`),
      ),
      { numRuns: 300 },
    );
  });
});
