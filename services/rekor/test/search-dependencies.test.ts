import { createHash } from "node:crypto";
import { PostgresSearchIndex } from "@chancery/log";
import { expect, test } from "vitest";
import { IN_TOTO_PAYLOAD_TYPE, readStatement } from "../src/domain/entries/in-toto-statement.ts";
import { PublishedTree, verifyIndex } from "../src/index.ts";
import { testDatabases } from "./postgres.ts";
import { aStatement, dsse, intoto2, provenance1 } from "./proposals.ts";
import { startSearch } from "./running-search.ts";
import { dsseRequest } from "./running-rekor-v2.ts";

const database = testDatabases();
const COMMIT = "c0".repeat(20);
const FILE = "f1".repeat(32);

test("a provenance of SLSA v1 is found by what the build was made from, in both logs, and v1's own search goes on as upstream's", async () => {
  const place = await database();
  await using rekor = await startSearch(await place.store());
  const subject = createHash("sha256").update("built").digest("hex");
  const statement = aStatement(subject, provenance1(["c0", "f1"]));
  await rekor.logged(await dsse({ payload: statement }));
  rekor.clock.now += 1_000;
  await rekor.logged(await intoto2(undefined, statement));
  rekor.clock.now += 1_000;
  await rekor.loggedV2(dsseRequest(statement).request);
  await rekor.logged(await dsse({ payload: aStatement("ab".repeat(32), provenance1(["77"])) }));
  const all = ["rekor-v2/0", "rekor/1", "rekor/0"];
  const asked = [
    COMMIT,
    COMMIT.toUpperCase(),
    `gitCommit:${COMMIT}`,
    FILE,
    `sha256:${FILE}`,
    `sha512:${"f1".repeat(64)}`,
  ];
  for (const digest of asked) expect(await rekor.found({ digest, order: "oldest" }), digest).toEqual(all.toReversed());
  expect(await rekor.found({ digest: COMMIT, "digest.2": subject, log: "rekor" })).toEqual(all.slice(1));
  expect(await rekor.found({ digest: `sha1:${COMMIT}` })).toEqual([]);
  expect(await rekor.found({ subjectDigest: FILE })).toEqual([]);
  // What was made from an image is not of that image.
  expect(await rekor.found({ image: `example.com/base@sha256:${FILE}` })).toEqual([]);
  expect(await rekor.retrieve({ hash: `sha256:${FILE}` })).toEqual([]);
  expect(await rekor.retrieve({ hash: `sha256:${subject}` })).toHaveLength(2);
  for (const name of ["rekor", "rekor-v2"]) {
    const index = await PostgresSearchIndex.open(place.db, name);
    if (index === undefined) throw new Error(`no log ${name}`);
    const published = await index.reader.published();
    if (published === undefined) throw new Error(`nothing published of ${name}`);
    const { differences } = await verifyIndex(index, new PublishedTree(index.reader, published.head), () => {});
    expect(differences).toEqual([]);
  }
});

test("a build of more dependencies than are searched by is logged, and found by the first of them and by its subject", () => {
  const resolvedDependencies = Array.from({ length: 5_000 }, (_, at) => ({ digest: { sha256: digestOf(at) } }));
  const statement = aStatement("ab".repeat(32), { buildDefinition: { resolvedDependencies } });
  const facts = readStatement(IN_TOTO_PAYLOAD_TYPE, Buffer.from(statement), "payload");
  expect(facts?.dependencies).toHaveLength(4_096);
  expect(facts?.dependencies.at(-1)).toBe(`sha256:${digestOf(4_095)}`);
  expect(facts?.subjects).toEqual([{ name: "artifact", digests: [`sha256:${"ab".repeat(32)}`] }]);
});

function digestOf(at: number): string {
  return at.toString(16).padStart(64, "0");
}
