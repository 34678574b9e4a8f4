import { expect, test } from "vitest";
import type { Answer } from "../src/web/api/answer.ts";
import type { ListedEntry, ProvenEntry } from "../src/web/api/entries.ts";
import type { Found } from "../src/web/api/search.ts";
import { lookUp, type Questions } from "../src/web/query/look-up.ts";
import type { Filters } from "../src/web/query/reading.ts";
import { understand } from "../src/web/query/understand.ts";

const SHA256 = "a".repeat(64);
const ENTRY = {
  log: "rekor",
  logIndex: "0",
  entryId: "x",
  kind: "dsse",
  apiVersion: "0.0.1",
  digests: [],
  signers: [],
};
const NONE: Answer<never> = { kind: "unknown", message: "no such entry" };

/** What the server has: by which filter, whether there is an entry of this ID, and a certificate of this serial number. */
interface Had {
  readonly filters?: Filters;
  readonly entry?: boolean;
  readonly certificate?: Answer<never> | true;
  readonly cursor?: string;
  readonly search?: Answer<never>;
}

const lookedUp = async (text: string, had: Had = {}, chosen: Filters = {}) => {
  const asked: string[] = [];
  const found = (filters: Filters): Answer<Found> => {
    const isHit = had.filters !== undefined && JSON.stringify(had.filters) === JSON.stringify(filters);
    const results = isHit ? [ENTRY as unknown as ListedEntry] : [];
    return { kind: "answered", value: { results, cursor: had.cursor, complete: [], incomplete: undefined } };
  };
  const questions: Questions = {
    search: async ({ filters }) => {
      asked.push(Object.keys(filters).join());
      return had.search ?? found(filters);
    },
    entry: async (log) => {
      asked.push(log);
      return had.entry === true ? { kind: "answered", value: ENTRY as unknown as ProvenEntry } : NONE;
    },
    certificate: async (serial) => {
      asked.push("certificate");
      if (had.certificate !== true) return had.certificate ?? NONE;
      return { kind: "answered", value: { serial } as never };
    },
  };
  const { reading, others } = understand(text, "log.example.com");
  const address = { filters: chosen, order: "newest" } as const;
  const { hit, tried, trouble } = await lookUp([reading, ...others], address, new AbortController().signal, questions);
  return { found: hit?.meaning.what, kind: hit?.kind, tried: tried.map(({ what }) => what), asked, trouble };
};

test("64 digits that are no digest here are found as the entry or the key that they are", async () => {
  expect(await lookedUp(SHA256, { filters: { image: [`sha256:${SHA256}`] } })).toMatchObject({
    found: "a digest",
    tried: [],
    asked: ["image"],
  });
  expect(await lookedUp(SHA256, { entry: true })).toMatchObject({ found: "an entry ID", tried: ["a digest"] });
  expect(await lookedUp(SHA256, { filters: { key: [SHA256] } })).toMatchObject({
    found: "a key's fingerprint",
    tried: ["a digest", "an entry ID"],
    asked: ["image", "rekor", "rekor-v2", "key"],
  });
});

test("a serial number is found in the ledger, and where one may not see that nothing is", async () => {
  const serial = "b".repeat(40);
  const told = { found: "a certificate's serial number", kind: "certificate" };
  expect(await lookedUp(serial, { certificate: true })).toMatchObject(told);
  const forbidden = await lookedUp(serial, { certificate: { kind: "forbidden", message: "no" } });
  expect(forbidden).toMatchObject({ found: "a digest", kind: "list", trouble: undefined });
});

test.for([
  [
    "registry.example.com/acme/app",
    "what an attestation is about, by its name",
    { subjectName: ["registry.example.com/acme/app"] },
  ],
  ["https://issuer.example/realms/a", "an issuer", { issuer: ["https://issuer.example/realms/a"] }],
  ["registry.example.com/app:1.2", "the same without its tag", { subjectName: ["registry.example.com/app"] }],
] as const)("%s is found as %s", async ([text, found, filters]) => {
  expect(await lookedUp(text, { filters })).toMatchObject({ found });
});

test("what is found by nothing says by how much it was looked for", async () => {
  const { found, tried, asked } = await lookedUp("dev@example.com");
  expect([found, tried.length, asked]).toEqual([
    "an e-mail address",
    4,
    ["san", "sanPrefix", "subjectName", "sanDomain"],
  ]);
});

test("a meaning of which not all was looked through is not given up for another", async () => {
  expect(await lookedUp(SHA256, { cursor: "more" })).toMatchObject({ found: "a digest", tried: [], asked: ["image"] });
});

test("a search that does not answer is not taken for one that found nothing", async () => {
  const search = { kind: "unavailable", message: "the server does not answer" } as const;
  expect(await lookedUp(SHA256, { search })).toMatchObject({ found: undefined, trouble: search, asked: ["image"] });
});

test("a filter of what the text is too narrows it: an entry of two signers has both names", async () => {
  const both = { san: ["dev@example.com"], "san.2": ["other@example.com"] };
  const { asked, found } = await lookedUp("dev@example.com", { filters: both }, { san: ["other@example.com"] });
  expect({ asked, found }).toEqual({ asked: ["san,san.2"], found: "an e-mail address" });
});

test("a log that contradicts the text is told, and not asked for beside it", async () => {
  const { asked, found, trouble } = await lookedUp("log:rekor kind:dsse", {}, { log: ["rekor-v2"] });
  expect({ asked, found }).toEqual({ asked: [], found: undefined });
  expect(trouble).toMatchObject({ kind: "refused", message: expect.stringContaining("different logs") });
});

test("two issuers in the box are those of entries that have both, and else of any", async () => {
  const text = "issuer:https://a.example issuer:https://b.example";
  const [a, b] = [["https://a.example"], ["https://b.example"]];
  expect(await lookedUp(text, { filters: { issuer: a, "issuer.2": b } })).toMatchObject({
    found: "filters, each of which holds",
    asked: ["issuer,issuer.2"],
  });
  expect(await lookedUp(text, { filters: { issuer: [...a, ...b] } })).toMatchObject({
    found: "filters, any value of a name",
    tried: ["filters, each of which holds"],
  });
});

test("a link to a page of these is followed, and nothing is asked for", async () => {
  const { kind, asked } = await lookedUp("https://log.example.com/logs/rekor");
  expect({ kind, asked }).toEqual({ kind: "page", asked: [] });
});
