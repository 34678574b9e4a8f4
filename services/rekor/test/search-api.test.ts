import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifySignature } from "@chancery/crypto";
import { decodeBase64, decodeHex, utf8 } from "@chancery/encoding";
import { leafHash, verifyCheckpoint, verifyInclusion } from "@chancery/tlog";
import { aCertificate, aStatement, base64, hashedrekord, keyPem } from "./proposals.ts";
import { HOSTNAME, type RunningSearch, startSearch, TREE_ID } from "./running-search.ts";
import { GITHUB, hexOf, seed, WORKFLOW } from "./search-seed.ts";

let rekor: RunningSearch;
let seeded: Awaited<ReturnType<typeof seed>>;
beforeAll(async () => {
  rekor = await startSearch();
  seeded = await seed(rekor);
});
afterAll(async () => {
  await rekor[Symbol.asyncDispose]();
});

const ALL = ["rekor/3", "rekor-v2/0", "rekor/2", "rekor/1", "rekor/0"];

describe("one search for both logs", () => {
  test("without a filter tells the newest entries of both, and up to which trees that is all", async () => {
    const { results, complete, cursor } = await rekor.search({});
    expect(results.map((each: { log: string; logIndex: string }) => `${each.log}/${each.logIndex}`)).toEqual(ALL);
    expect(cursor).toBeUndefined();
    const heads = await Promise.all([rekor.logs.rekor.published(), rekor.logs.rekorV2.published()]);
    expect(complete).toEqual([
      {
        log: "rekor",
        origin: `${HOSTNAME} - ${TREE_ID}`,
        size: "4",
        root: Buffer.from(heads[0].head.root).toString("hex"),
      },
      { log: "rekor-v2", origin: HOSTNAME, size: "1", root: Buffer.from(heads[1].head.root).toString("hex") },
    ]);
  });

  test("finds by each filter, in any letter case, and by nothing else", async () => {
    const { first, second, key, person, v2Key } = seeded;
    const cases: [Record<string, string> | string, string[]][] = [
      [{ digest: `sha256:${hexOf(first)}` }, ["rekor/0"]],
      [{ digest: hexOf(second).toUpperCase() }, ["rekor/1"]],
      [{ digest: `SHA1:${"cd".repeat(20)}` }, ["rekor/2"]],
      [{ digest: "ab".repeat(32) }, ["rekor/2"]],
      [`digest=${hexOf(first)}&digest=${hexOf("v2")}`, ["rekor-v2/0", "rekor/0"]],
      [`digest=${hexOf(first)}&digest.2=${hexOf("v2")}`, []],
      [`digest=sha1:${"cd".repeat(20)}&digest.2=${"ab".repeat(32)}`, ["rekor/2"]],
      [`digest.20=${hexOf(first)}&digest=${"ab".repeat(32)}&digest=${hexOf(first)}`, ["rekor/0"]],
      [`issuer=${encodeURIComponent(GITHUB)}&issuer.2=https://accounts.example.com`, []],
      [{ "sanPrefix.2": "https://github.com/owner/", sanPrefix: "https://" }, ["rekor/2"]],
      [{ key: hexOf(key.publicKey.spki) }, ["rekor/3", "rekor/0"]],
      [{ key: keyPem(key) }, ["rekor/3", "rekor/0"]],
      [{ key: person.leaf }, ["rekor/1"]],
      [{ key: hexOf(v2Key.spki) }, ["rekor-v2/0"]],
      [{ san: "someone@MAIL.example.com" }, ["rekor/1"]],
      [{ san: WORKFLOW }, ["rekor/2"]],
      [{ sanPrefix: "https://github.com/owner/" }, ["rekor/2"]],
      [{ sanPrefix: "some" }, ["rekor/1"]],
      [{ sanGlob: "https://github.com/*/Repo/*@refs/heads/*" }, ["rekor/2"]],
      [{ sanGlob: "*@mail.example.com" }, ["rekor/1"]],
      [{ sanGlob: "som?one@*" }, ["rekor/1"]],
      [{ sanGlob: "som?one" }, []],
      [{ sanDomain: "example.com" }, ["rekor/1"]],
      [{ sanDomain: "@mail.example.com" }, ["rekor/1"]],
      [{ sanDomain: "github.com" }, ["rekor/2"]],
      [{ sanDomain: "ample.com" }, []],
      [{ issuer: GITHUB }, ["rekor/2"]],
      ["issuer=https://accounts.example.com&issuer=" + encodeURIComponent(GITHUB), ["rekor/2", "rekor/1"]],
      [{ sourceRepositoryUri: "https://github.com/owner/repo" }, ["rekor/2"]],
      [{ sourceRepositoryRef: "refs/heads/main", buildTrigger: "push" }, ["rekor/2"]],
      [{ sourceRepositoryRef: "refs/heads/main", buildTrigger: "pull_request" }, []],
      [{ githubWorkflowRepository: "owner/repo" }, ["rekor/2"]],
      [{ buildConfigUri: "https://github.com/owner/repo" }, []],
      [{ kind: "hashedrekord" }, ["rekor-v2/0", "rekor/1", "rekor/0"]],
      ["kind=dsse&kind=intoto", ["rekor/3", "rekor/2"]],
      [{ predicateType: "https://slsa.dev/provenance/v0.2" }, ["rekor/3", "rekor/2"]],
      [{ subjectDigest: `sha256:${"ef".repeat(32)}` }, ["rekor/3"]],
      [{ subjectDigest: `sha1:${"cd".repeat(20)}` }, []],
      [{ subjectName: "ARTIFACT", kind: "dsse" }, ["rekor/2"]],
      [{ log: "rekor-v2" }, ["rekor-v2/0"]],
      ["log=rekor-v2&log=rekor", ALL],
      [{ from: "2026-03-02T00:00:00Z", to: "2026-03-04T00:00:00Z" }, ["rekor/2", "rekor/1"]],
      [{ from: "2026-03-04T01:00:00+01:00" }, ["rekor/3", "rekor-v2/0"]],
      [{ to: "2026-03-01T00:00:00.5Z" }, ["rekor/0"]],
      [{ from: "2030-01-01T00:00:00Z" }, []],
    ];
    for (const [query, expected] of cases) {
      const asked = typeof query === "string" ? query : new URLSearchParams(query).toString();
      expect(await rekor.found(asked), asked).toEqual(expected);
      expect(await rekor.found(`${asked}&order=oldest`), asked).toEqual(expected.toReversed());
    }
  });

  test("pages in either order through both logs by time", async () => {
    for (const limit of [1, 2, 3, 4, 5]) {
      expect(await rekor.found({}, limit)).toEqual(ALL);
      expect(await rekor.found({ order: "oldest" }, limit)).toEqual(ALL.toReversed());
      expect(await rekor.found({ kind: "hashedrekord" }, limit)).toEqual(["rekor-v2/0", "rekor/1", "rekor/0"]);
    }
  });

  test("tells of an entry what it says of itself", async () => {
    const [entry] = (await rekor.search({ kind: "dsse" })).results;
    const { workload } = seeded;
    expect(entry).toMatchObject({
      log: "rekor",
      logIndex: "2",
      time: "2026-03-03T00:00:00Z",
      kind: "dsse",
      apiVersion: "0.0.1",
      signers: [
        {
          format: "x509",
          keyFingerprint: hexOf(workload.signer.publicKey.spki),
          algorithm: "ecdsa-p256",
          certificate: {
            sans: [{ type: "uri", value: WORKFLOW }],
            issuer: GITHUB,
            notBefore: "2020-01-01T00:00:00Z",
            notAfter: "2020-01-02T00:00:00Z",
            extensions: {
              sourceRepositoryUri: "https://github.com/Owner/Repo",
              sourceRepositoryRef: "refs/heads/main",
              buildTrigger: "push",
              githubWorkflowRepository: "Owner/Repo",
            },
          },
        },
      ],
      attestation: {
        predicateType: "https://slsa.dev/provenance/v0.2",
        subjects: [{ name: "artifact", digests: [`sha256:${"ab".repeat(32)}`] }],
      },
    });
    expect(entry.digests).toHaveLength(2);
  });
});

/** Numbers 2 to 6 and 9 to 24 of 1.3.6.1.4.1.57264.1, as Fulcio's documentation of them (docs/oid-info.md) names them. */
const EXTENSIONS = {
  "github-workflow-trigger": "githubWorkflowTrigger",
  "github-workflow-sha": "githubWorkflowSha",
  "github-workflow-name": "githubWorkflowName",
  "github-workflow-repository": "githubWorkflowRepository",
  "github-workflow-ref": "githubWorkflowRef",
  "build-signer-uri": "buildSignerUri",
  "build-signer-digest": "buildSignerDigest",
  "runner-environment": "runnerEnvironment",
  "source-repository-uri": "sourceRepositoryUri",
  "source-repository-digest": "sourceRepositoryDigest",
  "source-repository-ref": "sourceRepositoryRef",
  "source-repository-identifier": "sourceRepositoryIdentifier",
  "source-repository-owner-uri": "sourceRepositoryOwnerUri",
  "source-repository-owner-identifier": "sourceRepositoryOwnerIdentifier",
  "build-config-uri": "buildConfigUri",
  "build-config-digest": "buildConfigDigest",
  "build-trigger": "buildTrigger",
  "run-invocation-uri": "runInvocationUri",
  "source-repository-visibility-at-signing": "sourceRepositoryVisibilityAtSigning",
  "deployment-environment": "deploymentEnvironment",
  "token-subject": "tokenSubject",
} as const;

test("an entry is found by each of Fulcio's extensions under its own name, and not by another's value", async () => {
  await using other = await startSearch();
  const values = Object.fromEntries(Object.keys(EXTENSIONS).map((name) => [name, `the ${name}`]));
  const made = await aCertificate([{ type: "email", value: "a@b.example" }], { issuer: GITHUB, ...values });
  await other.logged(await hashedrekord({ signer: made.signer, verifier: made.leaf }));
  for (const [name, parameter] of Object.entries(EXTENSIONS)) {
    expect(await other.found({ [parameter]: `The ${name}` }), name).toEqual(["rekor/0"]);
    expect(await other.found({ [parameter]: GITHUB }), name).toEqual([]);
    expect(
      await other.found({ [parameter]: `the ${name === "build-trigger" ? "token-subject" : "build-trigger"}` }),
    ).toEqual([]);
  }
});

describe("a search that asks for something impossible", () => {
  const refused: [string, string][] = [
    ["surprise=1", "surprise: no such parameter"],
    ["__proto__=1", "__proto__: no such parameter"],
    ["digest=", "digest: is empty"],
    ["digest=xyz", "digest: neither"],
    ["digest=sha256:ab", "digest: sha256 has 64"],
    ["key=abc", "key: neither 64 hexadecimal digits"],
    [`key=${encodeURIComponent("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")}`, "key: neither"],
    [`san=${"x".repeat(2_049)}`, "san: longer than 2048"],
    ["san=a%00b", "san: has control characters"],
    ["sanGlob=*", "sanGlob: neither begins"],
    ["sanGlob=*.com", "sanGlob: neither begins"],
    [`sanGlob=abc${"*".repeat(600)}`, "sanGlob: longer than 512"],
    [`sanGlob=abc${"*".repeat(17)}`, "sanGlob: has more than 16 times *"],
    ["sanGlob=abc*&sanGlob=abd*&sanGlob=abe*&sanGlob=abf*", "sanGlob: is there more than 3 times"],
    ["sanGlob=abc*&sanGlob.2=abd*&sanGlob.3=abe*&sanGlob.4=abf*", "sanGlob: is there more than 3 times"],
    ["san.1=a", "san.1: no such parameter"],
    ["san.02=a", "san.02: no such parameter"],
    ["san.21=a", "san.21: no such parameter"],
    ["log.2=rekor", "log.2: no such parameter"],
    ["from.2=2026-01-01T00:00:00Z", "from.2: no such parameter"],
    [Array.from({ length: 11 }, () => "san=a&san.2=b").join("&"), "san: is there more than 20 times"],
    ["sanDomain=exa%20mple.com", "sanDomain: not a domain"],
    ["kind=nonsense", "kind: none of hashedrekord, dsse"],
    ["subjectDigest=zz", "subjectDigest: neither"],
    ["log=ctlog", "log: none of rekor, rekor-v2"],
    ["from=yesterday", "from: not a time"],
    ["from=2026-02-30T99:00:00Z", "from: not a time"],
    ["from=2026-11-31T00:00:00Z", "from: not a time"],
    ["to=2026-01-01T24:00:00Z", "to: not a time"],
    ["to=2026-01-01", "to: not a time"],
    ["from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from: is after to"],
    ["order=sideways", "order: none of newest, oldest"],
    ["limit=0", "limit: not a number"],
    ["limit=501", "limit: not a number"],
    ["limit=1e2", "limit: not a number"],
    ["limit=1&limit=2", "limit: is there 2 times"],
    ["cursor=!", "cursor: is none"],
    ["cursor=AAAA", "cursor: is none"],
    [
      `cursor=${Buffer.from('["x",[["rekor","1"]]]').toString("base64url")}`,
      "cursor: is of a search for something else",
    ],
    [`cursor=${"A".repeat(1_025)}`, "cursor: is none"],
    [Array.from({ length: 21 }, () => "san=a").join("&"), "san: is there more than 20 times"],
    [
      ["san", "issuer", "subjectName"].flatMap((name) => Array.from({ length: 20 }, () => `${name}=a`)).join("&"),
      "query: more than 50 values",
    ],
  ];
  test.for(refused)("is told what: $1", async ([query, message]) => {
    const answer = await rekor.get(`/api/chancery/v1/search?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe("malformed");
    expect(answer.json.message).toMatch(new RegExp(`^${message.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&")}`));
  });

  test("is told that its cursor is of another one", async () => {
    const { cursor } = await rekor.search({ limit: "1" });
    for (const other of ["kind=dsse", "order=oldest", "log=rekor"]) {
      const answer = await rekor.get(`/api/chancery/v1/search?cursor=${cursor}&${other}`);
      expect([answer.status, answer.json.message]).toEqual([400, "cursor: is of a search for something else"]);
    }
    // The page's size is not part of the question.
    expect((await rekor.search({ cursor, limit: "500" })).results).toHaveLength(4);
  });
});

const entry = async (path: string) => {
  const answer = await rekor.get(`/api/chancery/v1/entries/${path}`);
  expect(answer.status, JSON.stringify(answer.json)).toBe(200);
  return answer.json;
};

describe("one entry", () => {
  test("of either log proves itself offline", async () => {
    for (const [log, origin, signer] of [
      ["rekor", `${HOSTNAME} - ${TREE_ID}`, rekor.signers.rekor],
      ["rekor-v2", HOSTNAME, rekor.signers.rekorV2],
    ] as const) {
      const { body, inclusionProof, checkpoint, entryId } = await entry(`${log}/0`);
      const head = verifyCheckpoint(utf8(checkpoint), origin, signer.publicKey, HOSTNAME);
      expect(Buffer.from(head.root).toString("hex")).toBe(inclusionProof.rootHash);
      const path = (inclusionProof.hashes as string[]).map((hash) => decodeHex(hash, "hash"));
      const hash = leafHash(decodeBase64(body, "body"));
      verifyInclusion({ index: BigInt(inclusionProof.logIndex), size: head.size, path }, hash, head);
      expect(entryId).toBe(
        `${log === "rekor" ? TREE_ID.toString(16).padStart(16, "0") : ""}${Buffer.from(hash).toString("hex")}`,
      );
      for (const name of [entryId, entryId.slice(-64), entryId.toUpperCase()]) {
        expect((await entry(`${log}/${name}`)).body).toBe(body);
      }
    }
  });

  test("of v1 has its promise, and its payload where that is kept", async () => {
    const { body, integratedTime, signedEntryTimestamp, attestationPayload } = await entry("rekor/3");
    const logId = hexOf(rekor.signers.rekor.publicKey.spki);
    const promised = `{"body":"${body}","integratedTime":${integratedTime},"logID":"${logId}","logIndex":3}`;
    const set = decodeBase64(signedEntryTimestamp, "set");
    expect(verifySignature(rekor.signers.rekor.publicKey, utf8(promised), set)).toBe(true);
    expect(Buffer.from(attestationPayload, "base64").toString()).toBe(aStatement("ef".repeat(32)));
    expect(await entry("rekor-v2/0")).not.toHaveProperty("signedEntryTimestamp");
  });

  test("is refused or not found by name", async () => {
    for (const [path, status, message] of [
      ["rekor/4", 404, "entry: not in this log"],
      ["rekor/999999999999999999", 404, "entry: not in this log"],
      [`rekor/${"ab".repeat(32)}`, 404, "entry: not in this log"],
      [`rekor/${"12".repeat(8)}${"ab".repeat(32)}`, 404, "entry: not in this log"],
      [`rekor/${"ff".repeat(40)}`, 400, "entryUUID: ffffffffffffffff is not a valid TreeID"],
      ["rekor/-1", 400, "entry: neither an index"],
      [`rekor-v2/${"ab".repeat(40)}`, 400, "entry: neither an index"],
      ["ctlog/1", 404, "log: none of rekor, rekor-v2"],
    ] as const) {
      const answer = await rekor.get(`/api/chancery/v1/entries/${path}`);
      expect([answer.status, answer.json.message.slice(0, message.length)], path).toEqual([status, message]);
    }
  });

  test("comes as a bundle where the log holds what a client verifies", async () => {
    const [certified, attestation, v2] = await Promise.all([entry("rekor/1"), entry("rekor/3"), entry("rekor-v2/0")]);
    const { bundle } = certified;
    expect(bundle.mediaType).toBe("application/vnd.dev.sigstore.bundle.v0.3+json");
    expect(bundle.messageSignature.messageDigest).toEqual({
      algorithm: "SHA2_256",
      digest: base64(new Uint8Array(createHash("sha256").update(seeded.second).digest())),
    });
    expect(bundle.verificationMaterial.tlogEntries[0].canonicalizedBody).toBe(certified.body);
    expect(bundle.verificationMaterial.certificate.rawBytes).toBe(seeded.person.leaf.split("\n").slice(1, -2).join(""));
    expect(Buffer.from(attestation.bundle.dsseEnvelope.payload, "base64").toString()).toBe(aStatement("ef".repeat(32)));
    expect(v2.bundle.verificationMaterial.publicKey.hint).toBe(
      base64(new Uint8Array(createHash("sha256").update(seeded.v2Key.spki).digest())),
    );
    expect(await entry("rekor/2")).not.toHaveProperty("bundle");
  });
});

describe("the logs", () => {
  test("are told of with key, head and state", async () => {
    const { json } = await rekor.get("/api/chancery/v1/logs");
    expect(json.map((each: { log: string }) => each.log)).toEqual(["rekor", "rekor-v2"]);
    expect(json[0]).toMatchObject({
      origin: `${HOSTNAME} - ${TREE_ID}`,
      publicKey: keyPem(rekor.signers.rekor),
      logId: hexOf(rekor.signers.rekor.publicKey.spki),
      size: "4",
      frozen: false,
      readOnly: false,
    });
    verifyCheckpoint(utf8(json[1].checkpoint), HOSTNAME, rekor.signers.rekorV2.publicKey);
    expect(json[1].logId.slice(0, 8)).toBe(Buffer.from(rekor.logs.rekorV2.key.keyId).toString("hex").slice(0, 8));
  });

  test("say how they grew", async () => {
    const growth = async (query: string) => (await rekor.get(`/api/chancery/v1/logs/rekor/growth?${query}`)).json;
    expect(await growth("from=2026-03-01T05:00:00Z&to=2026-03-05T12:00:00Z")).toEqual({
      points: [
        { time: "2026-03-01T00:00:00Z", size: "0" },
        { time: "2026-03-02T00:00:00Z", size: "1" },
        { time: "2026-03-03T00:00:00Z", size: "2" },
        { time: "2026-03-04T00:00:00Z", size: "3" },
        { time: "2026-03-05T00:00:00Z", size: "3" },
        { time: "2026-03-05T12:00:00Z", size: "4" },
      ],
    });
    expect(
      (await growth("interval=month&from=2026-01-31T00:00:00Z")).points.map((each: { size: string }) => each.size),
    ).toEqual(["0", "0", "0", "4"]);
    expect((await growth("interval=week&from=2026-03-01T00:00:00Z")).points[0]).toEqual({
      time: "2026-02-23T00:00:00Z",
      size: "0",
    });
    expect((await growth("")).points).toHaveLength(31);
    expect((await growth("interval=hour&from=2020-01-01T00:00:00Z")).message).toMatch(/^interval: /);
    expect((await growth("interval=second")).message).toBe("interval: none of hour, day, week, month");
    expect((await rekor.get("/api/chancery/v1/logs/other/growth")).status).toBe(404);
  });
});

describe("an identity", () => {
  test("is summed up", async () => {
    const { json } = await rekor.get(`/api/chancery/v1/identities?san=${encodeURIComponent(WORKFLOW)}`);
    expect(json).toMatchObject({
      san: WORKFLOW,
      count: 1,
      complete: true,
      first: "2026-03-03T00:00:00Z",
      last: "2026-03-03T00:00:00Z",
      issuers: [GITHUB],
      repositories: [{ value: "https://github.com/Owner/Repo", count: 1 }],
      kinds: [{ value: "dsse", count: 1 }],
      activity: [{ day: "2026-03-03", count: 1 }],
    });
    expect(json.completeTo).toHaveLength(2);
    const none = await rekor.get(
      `/api/chancery/v1/identities?san=${encodeURIComponent(WORKFLOW)}&issuer=https://other`,
    );
    expect(none.json).toMatchObject({ count: 0, complete: true, activity: [] });
    expect((await rekor.get("/api/chancery/v1/identities")).json.message).toBe("san: is required");
    expect((await rekor.get("/api/chancery/v1/identities?san=a&x=1")).json.message).toBe("x: no such parameter");
  });
});
