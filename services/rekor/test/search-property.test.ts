import { createHash, X509Certificate } from "node:crypto";
import * as fc from "fast-check";
import { MemoryLogStore } from "@chancery/log";
import type { FulcioExtensions } from "@chancery/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ephemeralSigner } from "@chancery/crypto";
import { testDatabases } from "./postgres.ts";
import { aCertificate, anArtifact, aStatement, dsse, hashedrekord, intoto2, keyPem } from "./proposals.ts";
import { type RunningSearch, startSearch } from "./running-search.ts";
import { hashedRekordRequest, newKey } from "./running-rekor-v2.ts";

/* One search must find what looking at every entry finds, whatever is asked. The oracle knows what was put in. */

/** What was put into a log, as whoever put it there knows it. */
interface Known {
  readonly place: string;
  readonly log: string;
  readonly time: number;
  readonly kind: string;
  readonly digests: readonly string[];
  readonly key: string;
  readonly sans: readonly { readonly host: string; readonly value: string }[];
  readonly issuer?: string;
  readonly extensions: Readonly<Record<string, string>>;
  readonly predicateType?: string;
  readonly subject?: { readonly name: string; readonly digest: string };
}

const ENTRIES = 70;
const START = Date.parse("2026-03-01T00:00:00Z");
const MINUTE = 60_000;
const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");

/** Always the same numbers, so that a failure can be looked at again. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const PEOPLE = ["ann@example.com", "Bob@mail.example.com", "ann@example.org", "x_y%z@sub.mail.example.com"];
const REPOSITORIES = ["https://github.com/Org/one", "https://github.com/Org/two", "https://gitlab.example.com/g/p"];
const REFS = ["refs/heads/main", "refs/tags/v1"];
const TRIGGERS = ["push", "pull_request"];
const ISSUERS = ["https://accounts.example.com", "https://token.actions.githubusercontent.com"];
const ARTIFACTS = ["one", "two", "three", "four"];
const SUBJECTS = ["pkg:npm/a", "pkg:npm/b"];

async function fill(rekor: RunningSearch): Promise<Known[]> {
  const roll = dice(7);
  const pick = <T>(from: readonly T[]): T => from[roll(from.length)]!;
  const keys = Array.from({ length: 3 }, () => ephemeralSigner("ecdsa-p256"));
  const certified = await Promise.all(Array.from({ length: 12 }, () => certify(roll, pick)));
  const v2Keys = [newKey(), newKey()];
  const sizes = { rekor: 0, "rekor-v2": 0 };
  const known: Known[] = [];
  for (let made = 0; made < ENTRIES; made++) {
    // Several entries of one minute, also in both logs: their order must hold over pages.
    rekor.clock.now += roll(3) * MINUTE;
    const { now: time } = rekor.clock;
    const put = (log: "rekor" | "rekor-v2", parts: Omit<Known, "place" | "log" | "time">) =>
      known.push({ place: `${log}/${sizes[log]++}`, log, time, ...parts });
    const which = roll(5);
    if (which === 0) {
      const key = pick(v2Keys);
      const artifact = `${pick(ARTIFACTS)} ${made}`;
      await rekor.loggedV2(hashedRekordRequest(artifact, key));
      put("rekor-v2", {
        kind: "hashedrekord",
        digests: [`sha256:${sha256(artifact)}`],
        key: sha256(key.spki),
        sans: [],
        extensions: {},
      });
      continue;
    }
    const artifact = Buffer.from(pick(ARTIFACTS));
    const own = which === 1 ? undefined : pick(certified);
    const signer = own?.signer ?? pick(keys);
    const leaf = own?.leaf ?? keyPem(signer);
    const who = {
      key: sha256(signer.publicKey.spki),
      sans: own?.sans ?? [],
      extensions: own?.extensions ?? {},
      ...(own && { issuer: own.issuer }),
    };
    if (which <= 2) {
      // A signature of this key over this artifact may be there already, with another nonce: no matter.
      await rekor.logged(await hashedrekord({ signer, artifact, verifier: leaf }));
      put("rekor", { kind: "hashedrekord", digests: [`sha256:${sha256(artifact)}`], ...who });
      continue;
    }
    const subject = { name: pick(SUBJECTS), digest: `sha256:${sha256(pick(ARTIFACTS))}` };
    const predicateType = pick(["https://slsa.dev/provenance/v1", "https://spdx.dev/Document"]);
    const payload = JSON.stringify({
      predicateType,
      subject: [{ name: subject.name, digest: { sha256: subject.digest.slice(7) } }],
      made,
    });
    if (which === 3) await rekor.logged(await dsse({ signers: [signer], verifiers: [leaf], payload }));
    else await rekor.logged(await intoto2(signer, payload));
    const plain = which === 3 ? who : { key: who.key, sans: [], extensions: {} };
    put("rekor", {
      kind: which === 3 ? "dsse" : "intoto",
      digests: [`sha256:${sha256(payload)}`, subject.digest],
      predicateType,
      subject,
      ...plain,
    });
  }
  rekor.clock.now += MINUTE;
  return known;
}

async function certify(roll: (sides: number) => number, pick: <T>(from: readonly T[]) => T) {
  const issuer = pick(ISSUERS);
  if (roll(2) === 0) {
    const value = pick(PEOPLE);
    const made = await aCertificate([{ type: "email", value }], { issuer });
    return { ...made, issuer, sans: [{ host: value.slice(value.indexOf("@") + 1), value }], extensions: {} };
  }
  const extensions = {
    sourceRepositoryUri: pick(REPOSITORIES),
    sourceRepositoryRef: pick(REFS),
    buildTrigger: pick(TRIGGERS),
  };
  const fulcio: FulcioExtensions = {
    issuer,
    "source-repository-uri": extensions.sourceRepositoryUri,
    "source-repository-ref": extensions.sourceRepositoryRef,
    "build-trigger": extensions.buildTrigger,
  };
  const value = `${extensions.sourceRepositoryUri}/ci.yml@${extensions.sourceRepositoryRef}`;
  const made = await aCertificate([{ type: "url", value }], fulcio);
  return { ...made, issuer, sans: [{ host: new URL(value).hostname, value }], extensions };
}

const lower = (text: string) => text.toLowerCase();
const same = (one: string | undefined, other: string) => one !== undefined && lower(one) === lower(other);

/** `*` and `?` as a regular expression: no code of ours. */
function globToRegExp(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^$()|[\]\\{}]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "is");
}

const meets: Readonly<Record<string, (entry: Known, value: string) => boolean>> = {
  digest: ({ digests }, value) => digests.some((digest) => same(digest, value) || same(digest.slice(7), value)),
  key: ({ key }, value) => same(key, value),
  san: ({ sans }, value) => sans.some((san) => same(san.value, value)),
  sanPrefix: ({ sans }, value) => sans.some((san) => lower(san.value).startsWith(lower(value))),
  sanGlob: ({ sans }, value) => sans.some((san) => globToRegExp(value).test(san.value)),
  sanDomain: ({ sans }, value) =>
    sans.some(({ host }) => same(host, value) || lower(host).endsWith(`.${lower(value)}`)),
  issuer: ({ issuer }, value) => same(issuer, value),
  sourceRepositoryUri: ({ extensions }, value) => same(extensions["sourceRepositoryUri"], value),
  sourceRepositoryRef: ({ extensions }, value) => same(extensions["sourceRepositoryRef"], value),
  buildTrigger: ({ extensions }, value) => same(extensions["buildTrigger"], value),
  kind: ({ kind }, value) => kind === value,
  predicateType: ({ predicateType }, value) => same(predicateType, value),
  subjectDigest: ({ subject }, value) => same(subject?.digest, value),
  subjectName: ({ subject }, value) => same(subject?.name, value),
  log: ({ log }, value) => log === value,
};

/** Values that some entry has, values that none has, in any letter case. */
function valuesOf(name: string, known: readonly Known[]): string[] {
  const sans = known.flatMap((each) => each.sans.map(({ value }) => value));
  const values: Readonly<Record<string, readonly (string | undefined)[]>> = {
    digest: [...known.flatMap(({ digests }) => digests), sha256("one"), sha256("nothing")],
    key: [...known.map(({ key }) => key), sha256("no key")],
    san: [...sans, "nobody@example.com"],
    sanPrefix: [
      "a",
      "ann@example.",
      "https://github.com/",
      "https://github.com/org/o",
      "https://",
      "zzz",
      "x_y%",
      "%",
      "x?y",
    ],
    sanGlob: [
      "ann@*",
      "https://github.com/*@refs/tags/*",
      "*@mail.example.com",
      "*@example.com",
      "bob?mail*",
      "https://*/p/*",
      "*.example.com",
    ],
    sanDomain: ["example.com", "mail.example.com", "github.com", "example.org", "ample.com", "com"],
    issuer: [...ISSUERS, "https://nobody"],
    sourceRepositoryUri: [...REPOSITORIES, "https://github.com/Org"],
    sourceRepositoryRef: [...REFS, "push"],
    buildTrigger: [...TRIGGERS, "refs/heads/main"],
    kind: ["hashedrekord", "dsse", "intoto", "rpm"],
    predicateType: ["https://slsa.dev/provenance/v1", "https://spdx.dev/Document", "https://slsa.dev"],
    subjectDigest: ARTIFACTS.map((artifact) => `sha256:${sha256(artifact)}`),
    subjectName: [...SUBJECTS, "pkg:npm/c"],
    log: ["rekor", "rekor-v2"],
  };
  return [...new Set(values[name]!.filter((value) => value !== undefined))];
}

interface Asked {
  readonly filters: readonly (readonly [string, readonly string[]])[];
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly oldest: boolean;
  readonly limit: number;
}

function anything(known: readonly Known[]): fc.Arbitrary<Asked> {
  const names = Object.keys(meets);
  const filter = fc.constantFrom(...names).chain((name) => {
    const value = fc
      .constantFrom(...valuesOf(name, known))
      .chain((text) =>
        ["kind", "log"].includes(name) ? fc.constant(text) : fc.constantFrom(text, text.toUpperCase()),
      );
    // Three patterns are the most in all.
    return fc.tuple(fc.constant(name), fc.array(value, { minLength: 1, maxLength: name === "sanGlob" ? 1 : 3 }));
  });
  const minute = fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined });
  return fc
    .record({
      // A name may be there again, as a further group; the log alone may not.
      filters: fc.uniqueArray(filter, {
        minLength: 0,
        maxLength: 3,
        selector: (one) => (one[0] === "log" ? "log" : one),
      }),
      times: fc.tuple(minute, minute),
      oldest: fc.boolean(),
      limit: fc.constantFrom(1, 2, 3, 7, 50, 500),
    })
    .map(({ times: [a, b], ...rest }) => {
      const [from, to] = a !== undefined && b !== undefined && a > b ? [b, a] : [a, b];
      return Object.assign(rest, { from: minuteOf(from), to: minuteOf(to) });
    });
}

function minuteOf(minutes: number | undefined): number | undefined {
  return minutes === undefined ? undefined : START + minutes * MINUTE;
}

function bruteForce(known: readonly Known[], { filters, from = -Infinity, to = Infinity, oldest }: Asked): string[] {
  const found = known.filter(
    (entry) =>
      entry.time >= from &&
      entry.time < to &&
      filters.every(([name, values]) => values.some((value) => meets[name]!(entry, value))),
  );
  const index = ({ place }: Known) => Number(place.slice(place.indexOf("/") + 1));
  const sorted = found.toSorted((a, b) =>
    oldest
      ? a.time - b.time || (a.log < b.log ? -1 : a.log > b.log ? 1 : index(a) - index(b))
      : b.time - a.time || (a.log < b.log ? -1 : a.log > b.log ? 1 : index(b) - index(a)),
  );
  return sorted.map(({ place }) => place);
}

function queryOf({ filters, from, to, oldest }: Asked): string {
  const query = new URLSearchParams();
  const groups = new Map<string, number>();
  for (const [name, values] of filters) {
    const group = (groups.get(name) ?? 0) + 1;
    groups.set(name, group);
    for (const value of values) query.append(group === 1 ? name : `${name}.${group}`, value);
  }
  if (from !== undefined) query.set("from", new Date(from).toISOString());
  if (to !== undefined) query.set("to", new Date(to).toISOString());
  if (oldest) query.set("order", "oldest");
  return query.toString();
}

const database = testDatabases();

describe.each(["memory", "PostgreSQL"])("over logs in %s", (where) => {
  let rekor: RunningSearch;
  let known: Known[];
  beforeAll(async () => {
    rekor = await startSearch(where === "memory" ? new MemoryLogStore() : await (await database()).store());
    known = await fill(rekor);
  });
  afterAll(async () => {
    await rekor[Symbol.asyncDispose]();
  });

  test("a search finds what looking at every entry finds, in its order, whatever the pages", async () => {
    await fc.assert(
      fc.asyncProperty(anything(known), async (asked) => {
        expect(await rekor.found(queryOf(asked), asked.limit)).toEqual(bruteForce(known, asked));
      }),
      { numRuns: where === "memory" ? 300 : 150, seed: 11 },
    );
  });

  test("each entry is found by each thing that it is", async () => {
    for (const { place, ...entry } of known) {
      const asked: [string, string][] = [
        ...entry.digests.map((digest): [string, string] => ["digest", digest]),
        ["key", entry.key],
        ...entry.sans.map(({ value }): [string, string] => ["san", value]),
        ...(entry.issuer === undefined ? [] : [["issuer", entry.issuer] satisfies [string, string]]),
        ...Object.entries(entry.extensions),
      ];
      const alone = asked.slice(0, 1);
      for (const query of [alone, asked])
        expect(await rekor.found(new URLSearchParams(query).toString())).toContain(place);
    }
  });
});

test("the oracle's certificates say what it believes, by another reader", async () => {
  const { leaf } = await aCertificate([{ type: "email", value: "ann@example.com" }], { issuer: ISSUERS[0]! });
  expect(new X509Certificate(leaf).subjectAltName).toBe("email:ann@example.com");
  expect(aStatement(sha256(anArtifact()))).toContain("slsa");
});
