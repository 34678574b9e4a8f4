import { describe, expect, test } from "vitest";
import type { Filters } from "../src/web/query/reading.ts";
import { understand as understandAt } from "../src/web/query/understand.ts";

const HOST = "log.example.com";
const understand = (text: string) => understandAt(text, HOST);

const SHA256 = "a".repeat(64);
const COMMIT = "b".repeat(40);
const ID = "d".repeat(80);

const searched: readonly (readonly [text: string, what: string, filters: Filters])[] = [
  ["", "everything, the newest first", {}],
  [`sha256:${SHA256}`, "a digest", { image: [`sha256:${SHA256}`] }],
  [` SHA256:${SHA256.toUpperCase()}\n`, "a digest", { image: [`sha256:${SHA256}`] }],
  [SHA256, "a digest", { image: [`sha256:${SHA256}`] }],
  [COMMIT, "a digest", { digest: [`sha1:${COMMIT}`] }],
  [`0x${"c".repeat(128)}`, "a digest", { digest: [`sha512:${"c".repeat(128)}`] }],
  [
    `registry.example.com:5000/acme/app@sha256:${SHA256}`,
    "an image, by its digest",
    { image: [`registry.example.com:5000/acme/app@sha256:${SHA256}`] },
  ],
  [
    `docker://ghcr.io/acme/app:1.2@sha256:${SHA256}`,
    "an image, by its digest",
    { image: [`ghcr.io/acme/app:1.2@sha256:${SHA256}`] },
  ],
  [`https://search.elsewhere.example/?hash=sha256:${SHA256}`, "a digest", { image: [`sha256:${SHA256}`] }],
  ["dev@example.com", "an e-mail address", { san: ["dev@example.com"] }],
  ["*@example.com", "all addresses of a domain", { sanDomain: ["example.com"] }],
  ["@example.com", "all addresses of a domain", { sanDomain: ["example.com"] }],
  ["https://github.com/acme/*", "a pattern of names", { sanGlob: ["https://github.com/acme/*"] }],
  ["*.svc.example.com", "a pattern of names", { sanGlob: ["*.svc.example.com"] }],
  ["https://github.com/acme/app", "a source repository", { sourceRepositoryUri: ["https://github.com/acme/app"] }],
  ["https://github.com/acme/app/", "a source repository", { sourceRepositoryUri: ["https://github.com/acme/app"] }],
  ["github.com/acme/app", "a source repository", { sourceRepositoryUri: ["https://github.com/acme/app"] }],
  ["acme/app", "a repository's name", { githubWorkflowRepository: ["acme/app"] }],
  [
    "https://github.com/acme/app/.github/workflows/r.yml@refs/heads/main",
    "an identity, exactly this URI",
    { san: ["https://github.com/acme/app/.github/workflows/r.yml@refs/heads/main"] },
  ],
  [
    "https://github.com/acme/app/.github/workflows/r.yml",
    "identities that begin with this URI",
    { sanPrefix: ["https://github.com/acme/app/.github/workflows/r.yml"] },
  ],
  ["https://accounts.example.com", "an issuer", { issuer: ["https://accounts.example.com"] }],
  ["spiffe://example.org/ns/a", "an identity, exactly this URI", { san: ["spiffe://example.org/ns/a"] }],
  ["example.com", "all identities of a domain", { sanDomain: ["example.com"] }],
  ["issuer:https://a.example kind:dsse", "filters", { issuer: ["https://a.example"], kind: ["dsse"] }],
  [
    "repo:https://g.example/a kind:dsse kind:intoto",
    "filters",
    { sourceRepositoryUri: ["https://g.example/a"], kind: ["dsse", "intoto"] },
  ],
  ["AA:".repeat(31) + "aa", "a key's fingerprint", { key: ["aa".repeat(32)] }],
  [
    "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----",
    "a key or certificate",
    { key: ["-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"] },
  ],
  ['"dev@example.com"', "an e-mail address", { san: ["dev@example.com"] }],
  ["<dev@example.com>", "an e-mail address", { san: ["dev@example.com"] }],
  ["Dev <dev@example.com>", "an e-mail address", { san: ["dev@example.com"] }],
  ["mailto:dev@example.com?subject=x", "an e-mail address", { san: ["dev@example.com"] }],
  ["“acme/app”", "a repository's name", { githubWorkflowRepository: ["acme/app"] }],
  ["DSSE", "a kind of entry", { kind: ["dsse"] }],
  ["https://search.elsewhere.example/?email=dev@example.com", "an e-mail address", { san: ["dev@example.com"] }],
  [`https://search.elsewhere.example/?commitSha=${COMMIT}`, "a digest", { digest: [`sha1:${COMMIT}`] }],
  ["payments service", "a name that begins like this", { sanPrefix: ["payments service"] }],
];

describe("the search box", () => {
  test.for(searched)("takes %j for %s", ([text, what, filters]) => {
    expect(understand(text).reading).toMatchObject({ what, goal: { kind: "search", filters } });
  });

  test.for([
    ["12", { kind: "entry", id: "12" }],
    ["#12", { kind: "entry", id: "12" }],
    ["rekor-v2 0012", { kind: "entry", id: "12", log: "rekor-v2" }],
    ["rekor/7", { kind: "entry", id: "7", log: "rekor" }],
    ["d".repeat(80), { kind: "entry", id: "d".repeat(80), log: "rekor" }],
    ["https://log.example.com/entries/rekor-v2/12", { kind: "entry", id: "12", log: "rekor-v2" }],
    [`http://LOG.example.com/entries/rekor/${ID}/`, { kind: "entry", id: ID, log: "rekor" }],
    [`https://log.example.com/api/chancery/v1/entries/rekor/${ID}`, { kind: "entry", id: ID, log: "rekor" }],
    [`https://log.example.com/api/v1/log/entries/${ID}`, { kind: "entry", id: ID, log: "rekor" }],
    ["https://log.example.com/api/v1/log/entries?logIndex=12", { kind: "entry", id: "12" }],
    [`https://log.example.com/?uuid=${SHA256}`, { kind: "entry", id: SHA256 }],
    [`uuid:${ID}`, { kind: "entry", id: ID, log: "rekor" }],
    ["logIndex: 12", { kind: "entry", id: "12" }],
    ["tlog entry created with index: 12", { kind: "entry", id: "12" }],
  ] as const)("takes %s for one entry", ([text, goal]) => {
    expect(understand(text).reading.goal).toEqual(goal);
  });

  test.for([
    "https://rekor.elsewhere.example/api/v1/log/entries?logIndex=12",
    "https://search.elsewhere.example/?logIndex=12",
    "https://log.example.com:8443/entries/rekor/12",
    "https://log.example.com.elsewhere.example/entries/rekor-v2/12",
    "https://elsewhere.example/log.example.com/entries/rekor/12",
  ])("a link to another host's entry does not open the entry of that index here: %s", (link) => {
    const { reading, others } = understand(link);
    expect(reading).toMatchObject({ what: `a link to an entry of ${new URL(link).host}`, goal: { kind: "hint" } });
    expect(others.filter(({ goal }) => goal.kind === "entry")).toEqual([]);
  });

  test.for([
    `https://rekor.elsewhere.example/api/v1/log/entries/${ID}`,
    `https://search.elsewhere.example/?uuid=${ID}`,
  ])("the entry of another host's link is looked for by its hash, and only by whoever asks for it: %s", (link) => {
    const { reading, others } = understand(link);
    expect(reading.goal.kind).toBe("hint");
    const offered = others.filter(({ goal }) => goal.kind === "entry");
    expect(offered).toEqual([
      {
        what: "the same entry in these logs, by its hash",
        goal: { kind: "entry", id: ID.slice(16) },
        onlyIfChosen: true,
      },
    ]);
  });

  test.for([
    ["sha256:abc", /64 hexadecimal digits; this has 3/],
    ["sha256:abc123…", /64 hexadecimal digits; this has 6/],
    ["53b04be93d2b", /Only whole ones are found/],
    ["0a4ad46b37f54e40...", /Only whole ones are found/],
    ["registry.example.com/acme/app:latest", /tag can be moved/],
    ["a*", /three plain characters/],
    ["e".repeat(50), /50 digits are no digest/],
    ["-----BEGIN PRIVATE KEY-----\nAA==", /private key/],
    ["x".repeat(20_000), /Drop it as a file/],
  ] as const)("says why %s finds nothing", ([text, words]) => {
    const { goal } = understand(text).reading;
    expect(goal.kind === "hint" && goal.words).toMatch(words);
  });

  test.for([
    `https://example.com/${"path/".repeat(400)}`,
    `a/${"b/".repeat(1_000)}!`,
    `a@${"b.".repeat(1_000)}/`,
    `*${".a".repeat(1_000)}!`,
    `${"a.".repeat(1_000)}!`,
    `${"a:".repeat(1_000)}!`,
    `sha256:${"a".repeat(2_000)}!`,
  ])("comes to an end with %s", (text) => {
    // Of one of them an expression that once stood here would have made an age.
    expect(understand(text).reading.what).toEqual(expect.any(String));
  });

  test("offers the other things that 64 digits may be", () => {
    const goals = understand(SHA256).others.map(({ goal }) => goal);
    expect(goals).toEqual([
      { kind: "entry", id: SHA256 },
      { kind: "search", filters: { key: [SHA256] } },
      { kind: "search", filters: { subjectDigest: [`sha256:${SHA256}`] } },
    ]);
  });

  test("says beside what a digest alone finds that of an image there may be more, and not beside a whole reference", () => {
    expect(understand(`sha256:${SHA256}`).reading.misses).toMatch(/cosign 2.*repository@sha256/);
    expect(understand(`reg.example.com/app@sha256:${SHA256}`).reading.misses).toBeUndefined();
  });

  test.for([
    ["https://log.example.com/logs/rekor", "/logs/rekor"],
    ["http://log.example.com/identities?san=a%40b.example", "/identities?san=a%40b.example"],
    ["https://log.example.com/search?q=a&kind=dsse#x", "/search?q=a&kind=dsse"],
    ["https://log.example.com/issuance?serial=ab", "/issuance?serial=ab"],
  ] as const)("takes a link to one of these pages for that page: %s", ([link, path]) => {
    expect(understand(link).reading.goal).toEqual({ kind: "page", path });
    expect(understand(link.replace("log.", "other.")).reading.goal.kind).toBe("search");
  });

  test("takes a link that is no entry's for the URI it is, and offers that of one that is", () => {
    const link = "https://ci.example.com/runs/entries/12";
    expect(understand("https://ci.example.com/entries/rekor/x").reading.goal.kind).toBe("search");
    expect(understand(link).others.map(({ goal }) => goal)).toContainEqual({
      kind: "search",
      filters: { san: [link] },
    });
  });

  test.for(["facade", "deadbeef", "decade 12", "payments"])("leaves %s the word that it is", (text) => {
    expect(understand(text).reading.goal).toEqual({ kind: "search", filters: { sanPrefix: [text] } });
  });

  test.for([
    `sha256:${SHA256}`,
    SHA256,
    COMMIT,
    "reg.example.com/acme/app:1.2",
    `reg.example.com/app@sha512:${"a".repeat(128)}`,
    "acme/app",
    "dev@example.com",
    "12ab34cd",
  ])("offers no two meanings of %s in the same words", (text) => {
    const { reading, others } = understand(text);
    const words = [reading, ...others].map(({ what }) => what);
    expect(new Set(words).size).toBe(words.length);
  });

  test.for([
    [COMMIT, { kind: "certificate", serial: COMMIT }],
    [COMMIT, { kind: "search", filters: { sourceRepositoryDigest: [COMMIT] } }],
    ["registry.example.com/acme/app", { kind: "search", filters: { subjectName: ["registry.example.com/acme/app"] } }],
    ["accounts.example.com", { kind: "search", filters: { issuer: ["https://accounts.example.com"] } }],
    ["reg.example.com/app:1.2", { kind: "search", filters: { subjectName: ["reg.example.com/app"] } }],
    [`reg.example.com/app@sha256:${SHA256}`, { kind: "search", filters: { digest: [`sha256:${SHA256}`] } }],
    ["AA:".repeat(31) + "aa", { kind: "entry", id: "aa".repeat(32) }],
  ] as const)("takes %s for something else as well", ([text, goal]) => {
    expect(understand(text).others.map((one) => one.goal)).toContainEqual(goal);
  });

  test("takes twenty bytes between colons for a serial number", () => {
    const serial = "ab".repeat(20);
    expect(understand(`${"AB:".repeat(19)}ab`).reading.goal).toEqual({ kind: "certificate", serial });
  });
});
